"""Every router of the API, in one list: a new noun adds its line here."""

from fastapi import APIRouter

from api import pages, probes

ROUTERS: tuple[APIRouter, ...] = (
    pages.router,
    probes.router,
)
