"""Every router of the API, in one list: a new noun adds its line here."""

from fastapi import APIRouter

from api import (
    account_life,
    accounts,
    addresses,
    audit,
    callbacks,
    codec,
    keys,
    pages,
    probes,
    providers,
    recipients,
    tenants,
)

ROUTERS: tuple[APIRouter, ...] = (
    pages.router,
    probes.router,
    tenants.router,
    keys.router,
    recipients.router,
    addresses.router,
    providers.router,
    accounts.router,
    account_life.router,
    audit.router,
    callbacks.router,
    codec.router,
)
