#!/bin/sh
# Makes the roles of Temporal and of Carillon, and Carillon's database; runs once, in an empty PostgreSQL.
# Neither role is a superuser. Carillon's makes the roles that its transactions run as, hence CREATEROLE.
set -eu
psql --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres \
    --set=temporal="$TEMPORAL_POSTGRES_PASSWORD" --set=carillon="$CARILLON_POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'temporal';
CREATE ROLE carillon LOGIN CREATEROLE NOBYPASSRLS PASSWORD :'carillon';
ALTER ROLE carillon SET createrole_self_grant = 'set, inherit';
CREATE DATABASE carillon OWNER carillon;
SQL
