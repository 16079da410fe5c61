"""Every router of the API, in one list: a new noun adds its line here."""

from fastapi import APIRouter

from api import addresses, audit, keys, pages, probes, recipients, tenants

ROUTERS: tuple[APIRouter, ...] = (
    pages.router,
    probes.router,
    tenants.router,
    keys.router,
    recipients.router,
    addresses.router,
    audit.router,
)
