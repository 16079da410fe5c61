"""What machines that watch the API see, and the page that people read."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from api.app import create_app
from db.session import Database
from sealing import KeyRing
from settings import Settings


@pytest.fixture
async def without_database(settings: Settings, key_ring: KeyRing) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application whose database is not there."""
    nowhere = Database.connect("postgresql://nobody@127.0.0.1:1/nothing")
    app = create_app(settings, database=nowhere, key_ring=key_ring)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://carillon.test") as client:
        yield client
    await nowhere.close()


async def test_the_process_says_that_it_is_alive(without_database: httpx.AsyncClient) -> None:
    answer = await without_database.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_it_is_ready_at_the_newest_revision(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/readyz")
    assert answer.status_code == 200
    assert re.fullmatch(r"\d{4}", answer.json()["schema_revision"])


async def test_it_is_not_ready_at_another_revision(anonymous: httpx.AsyncClient, database: Database) -> None:
    async with database.system() as connection:
        await connection.execute(text("SELECT set_config('role', 'none', true)"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = await anonymous.get("/readyz")
    assert answer.status_code == 503
    assert "0000" in answer.json()["detail"]
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("path", ["/readyz", "/v1/keys"])
async def test_without_the_database_it_asks_to_come_back(without_database: httpx.AsyncClient, path: str) -> None:
    answer = await without_database.get(path, headers={"X-Site-Key": f"car_{'a' * 12}_{'b' * 43}"})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:carillon:problem:unavailable")
    assert answer.headers["Retry-After"] == "2"


async def test_metrics_name_routes_and_never_ids(client: httpx.AsyncClient) -> None:
    await client.get("/v1/recipients/someone-secret")
    await client.get("/v1/nowhere/someone-secret")
    await client.request("PROPFIND", "/v1/keys")
    found = (await client.get("/metrics")).text
    labels = {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"])
        for family in text_string_to_metric_families(found)
        for sample in family.samples
        if sample.name == "carillon_http_request_duration_seconds_count"
    }
    assert ("GET", "/v1/recipients/{external_id}", "404") in labels
    assert ("GET", "unmatched", "404") in labels
    assert {method for method, _, _ in labels} == {"GET", "other"}
    assert "someone-secret" not in found


async def test_duplicates_that_receipts_prove_are_counted_here(anonymous: httpx.AsyncClient) -> None:
    assert "# TYPE carillon_duplicates_confirmed_total counter" in (await anonymous.get("/metrics")).text


async def test_the_documentation_page_needs_no_other_host(anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("<!doctype", "")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await anonymous.get(f"/{asset}")).status_code == 200, asset


async def test_the_start_of_the_page_asks_no_foreign_validator(anonymous: httpx.AsyncClient) -> None:
    script = (await anonymous.get("/docs/start.js")).text
    assert "validatorUrl: null" in script
    assert "//" not in script


async def test_every_answer_has_strict_headers(client: httpx.AsyncClient) -> None:
    for path in ("/v1/keys", "/v1/nowhere", "/healthz", "/docs"):
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Cache-Control"] == "no-store"


async def test_https_is_asked_for_where_the_public_address_has_it(
    settings: Settings, database: Database, key_ring: KeyRing
) -> None:
    for url, there in (("https://carillon.example", True), ("http://127.0.0.1:8080", False)):
        app = create_app(settings.model_copy(update={"public_url": url}), database=database, key_ring=key_ring)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            assert ("Strict-Transport-Security" in (await client.get("/healthz")).headers) is there


def test_without_a_key_ring_the_application_does_not_start(settings: Settings) -> None:
    with pytest.raises(ValueError, match="CARILLON_KEY_RING"):
        create_app(settings)


async def test_an_application_that_connects_itself_closes_itself(settings: Settings, key_ring: KeyRing) -> None:
    app = create_app(settings, key_ring=key_ring)
    async with app.router.lifespan_context(app):
        await app.state.services.database.ping()
