#!/bin/sh
# Makes the namespace and registers the search attributes that the workflows carry; safe to run again.
set -eu
attempt=0
until temporal operator cluster health; do
    attempt=$((attempt + 1))
    [ "$attempt" -lt 30 ] || exit 1
    sleep 2
done
temporal operator namespace describe --namespace "$NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$NAMESPACE" --retention "$RETENTION"
temporal operator search-attribute create --namespace "$NAMESPACE" \
    --name CarillonTenant --type Keyword \
    --name CarillonTemplate --type Keyword \
    --name CarillonResource --type Keyword \
    --name CarillonTrigger --type Keyword \
    --name CarillonStatus --type Keyword \
    --name CarillonChannel --type Keyword \
    --name CarillonNotification --type KeywordList
