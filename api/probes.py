"""For machines that watch this one: alive, ready, and numbers."""

from functools import cache
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from api.models import Shown
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, unavailable
from api.services import ServicesOf, log
from db import readiness
from db.errors import FAILURES
from migrations.apply import newest

router = APIRouter(tags=["Process"], generate_unique_id_function=lambda route: route.name)


class Health(Shown):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Shown):
    """The process can do its work."""

    status: Literal["ready"] = "ready"
    schema_revision: str


@router.get("/healthz", summary="Alive?")
async def get_health() -> Health:
    """Answers as long as the process runs; looks at nothing else."""
    return Health()


@router.get("/readyz", summary="Ready?", responses=problem_responses(Kind.UNAVAILABLE))
async def get_readiness(services: ServicesOf) -> Readiness:
    """Answers when the database can be used and has the schema that this process expects."""
    try:
        found = await readiness.schema_revision(services.database)
    except FAILURES as error:
        log.warning("readiness.failed", error=repr(error))
        raise unavailable() from error
    if found != (expected := _expected()):
        detail = f"The database is at revision {found or 'none'}, this process expects {expected}; run the migrations."
        raise Problem(Kind.UNAVAILABLE, detail, headers={"Retry-After": "5"})
    return Readiness(schema_revision=found)


@router.get("/metrics", summary="Numbers for Prometheus", response_class=PlainTextResponse)
async def get_metrics(services: ServicesOf) -> Response:
    """Returns all metrics of this process in Prometheus' text format; keep the path inside your network."""
    await services.metrics.parked.refresh(services.database, services.now())
    return Response(generate_latest(services.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@cache
def _expected() -> str:
    return newest()
