#!/bin/sh
# Brings Temporal's two databases to the schema of this version; safe to run again.
set -eu
for database in temporal visibility; do
    name=temporal
    [ "$database" = visibility ] && name=temporal_visibility
    temporal-sql-tool --database "$name" create
    temporal-sql-tool --database "$name" setup-schema --version 0.0
    temporal-sql-tool --database "$name" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$database/versioned"
done
