"""Templates: versions that never change, published whole, compared, previewed, tried."""

from typing import Any

import httpx
import pytest

from tests.api import sending
from tests.api.sending import EMAIL, NAME, SMS

VERSIONS = "/v1/templates/hello/versions"


@pytest.fixture
async def template(client: httpx.AsyncClient) -> None:
    """A template without versions."""
    answer = await client.post("/v1/templates", json={"name": "hello"})
    assert answer.status_code == 201, answer.text


async def test_a_template_is_created_read_and_changed(client: httpx.AsyncClient) -> None:
    body = {
        "name": "order.shipped",
        "description": "on its way",
        "channels": ["whatsapp", "email"],
        "defaults": {"fallback": {"whatsapp": {"success": "delivered", "within": "PT5M"}}, "critical": True},
    }
    answer = await client.post("/v1/templates", json=body)
    path = answer.headers["Location"]
    assert (answer.status_code, path) == (201, "/v1/templates/order.shipped")
    shown = (await client.get(path)).json()
    assert shown == answer.json()
    assert (shown["published_version"], shown["latest_version"], shown["channels"]) == (None, 0, ["whatsapp", "email"])
    assert shown["defaults"] == {
        "fallback": {"whatsapp": {"success": "delivered", "within": 300}},
        "on_unknown": "prefer_silence",
        "critical": True,
        "require_known_recipient": False,
    }
    changed = await client.patch(path, json={"channels": ["email"]}, headers={"If-Match": answer.headers["ETag"]})
    assert (changed.json()["channels"], changed.json()["defaults"]) == (["email"], shown["defaults"])
    stale = await client.patch(path, json={"description": ""}, headers={"If-Match": answer.headers["ETag"]})
    assert stale.status_code == 412
    assert (await client.patch(path, json={})).json() == changed.json()
    await client.patch(path, json={"description": "", "defaults": {}})
    entries = (await client.get("/v1/audit?subject_type=template")).json()["data"]
    actions = [(entry["action"], entry["detail"].get("fields")) for entry in reversed(entries)]
    assert actions == [
        ("template.created", None),
        ("template.changed", ["channels"]),
        ("template.changed", ["defaults", "description"]),
    ]


async def test_a_name_is_taken_once_by_each_tenant(client: httpx.AsyncClient, other_client: httpx.AsyncClient) -> None:
    statuses = [
        (await tenant.post("/v1/templates", json={"name": "hello"})).status_code
        for tenant in (client, client, other_client)
    ]
    assert statuses == [201, 409, 201]
    names = [row["name"] for row in (await client.get("/v1/templates")).json()["data"]]
    assert names == ["hello"]


@pytest.mark.usefixtures("template")
async def test_a_version_is_a_draft_until_it_is_published(client: httpx.AsyncClient) -> None:
    content = {"parts": [SMS, EMAIL], "variables": [NAME], "note": "first"}
    answer = await client.post(VERSIONS, json=content)
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{VERSIONS}/1")
    draft = (await client.get(f"{VERSIONS}/1")).json()
    assert draft == answer.json()
    assert (draft["number"], draft["state"], draft["channels"], draft["note"]) == (
        1,
        "draft",
        ["sms", "email"],
        "first",
    )
    assert draft["parts"] == [SMS, EMAIL]
    assert draft["variables"] == [NAME | {"required": True, "description": ""}]
    assert draft["created_by"].startswith("key:test key")
    published = (await client.post(f"{VERSIONS}/1/publish")).json()
    assert (published["published_version"], published["latest_version"]) == (1, 1)


@pytest.mark.usefixtures("template")
async def test_the_same_content_again_is_the_same_version(client: httpx.AsyncClient) -> None:
    first = await sending.add_version(client, SMS, EMAIL)
    again = await client.post(VERSIONS, json={"parts": [EMAIL, SMS], "variables": [NAME], "note": "other words"})
    assert (again.status_code, again.json()) == (200, first)
    other = await sending.add_version(client, SMS)
    back = await sending.add_version(client, SMS, EMAIL)
    assert (other["number"], back["number"], back["content_hash"]) == (2, 3, first["content_hash"])


@pytest.mark.usefixtures("template")
async def test_publishing_an_old_version_takes_a_new_one_back(client: httpx.AsyncClient) -> None:
    await sending.add_version(client, SMS)
    await sending.add_version(client, EMAIL)
    for number in (1, 2, 2, 1):
        published = await client.post(f"{VERSIONS}/{number}/publish")
        assert published.json()["published_version"] == number
    states = [(row["number"], row["state"]) for row in (await client.get(VERSIONS)).json()["data"]]
    assert states == [(2, "superseded"), (1, "published")]
    entries = (await client.get("/v1/audit?action=template.published")).json()["data"]
    assert [entry["detail"] for entry in reversed(entries)] == [
        {"number": 1, "former": None},
        {"number": 2, "former": 1},
        {"number": 1, "former": 2},
    ]
    assert (await client.post(f"{VERSIONS}/3/publish")).status_code == 404


def _sms(body: str, locale: str = "default") -> dict[str, Any]:
    return {"channel": "sms", "locale": locale, "content": {"body": body}}


NO_SUBJECT = {"channel": "email", "locale": "hi", "content": {"text": "x"}}
FAULTY = [
    pytest.param([_sms("{{ name")], [NAME], "/parts/0/content/body", id="broken Liquid"),
    pytest.param([SMS, NO_SUBJECT], [NAME], "/parts/1/content/subject", id="no subject"),
    pytest.param([_sms("{{ nmae }}")], [NAME], "/parts/0/content", id="undeclared variable"),
    pytest.param([SMS], [NAME | {"required": False}], "/parts/0/content", id="optional and unguarded"),
    pytest.param([SMS, SMS], [NAME], "/parts/1", id="part twice"),
    pytest.param([_sms("x", "hi_in"), _sms("x", "hi-IN")], [], "/parts/1", id="locale twice"),
    pytest.param([_sms("x", "no locale")], [], "/parts/0/locale", id="no locale"),
    pytest.param([SMS], [NAME, NAME], "/variables/1/name", id="variable twice"),
    pytest.param([SMS], [NAME | {"default": 5}], "/variables/0/default", id="default of another type"),
    pytest.param([SMS], [NAME | {"type": "colour"}], "/variables/0/type", id="unknown type"),
    pytest.param([{"channel": "in_app", "locale": "en", "content": {}}], [], "/parts/0/content", id="no content"),
    pytest.param([], [], "/parts", id="no parts"),
]  # fmt: skip


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize(("parts", "variables", "pointer"), FAULTY)
async def test_a_faulty_version_is_refused_with_its_places(
    client: httpx.AsyncClient, parts: list[Any], variables: list[Any], pointer: str
) -> None:
    answer = await client.post(VERSIONS, json={"parts": parts, "variables": variables})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:carillon:problem:validation-failed"), answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await client.get(VERSIONS)).json()["data"] == []


@pytest.mark.usefixtures("template")
async def test_two_versions_are_compared_field_by_field(client: httpx.AsyncClient) -> None:
    await sending.add_version(client, SMS)
    rate = {"name": "rate", "type": "number", "required": False, "default": 0.1}
    await sending.add_version(client, _sms("Dear {{ name }}"), EMAIL, variables=[NAME, rate])
    answer = await client.get("/v1/templates/hello/diff?from=1&to=2")
    found = [
        (change["part"], change["pointer"], change["kind"], change["after"]) for change in answer.json()["changes"]
    ]
    assert found == [
        ("variables", "/rate", "added", {"type": "number", "required": False, "default": 0.1, "description": ""}),
        ("email/default", "", "added", EMAIL["content"]),
        ("sms/default", "/body", "changed", "Dear {{ name }}"),
    ]
    assert (await client.get("/v1/templates/hello/diff?from=1&to=1")).json()["changes"] == []
    assert (await client.get("/v1/templates/hello/diff?from=1&to=3")).status_code == 404
    assert (await client.get("/v1/templates/hello/diff?from=1")).status_code == 422


PREVIEW = "/v1/templates/hello/preview"


@pytest.mark.usefixtures("template")
async def test_a_preview_says_what_would_be_sent(client: httpx.AsyncClient) -> None:
    await sending.add_version(client, _sms("Hello {{ name }}"), _sms("नमस्ते {{ name }}", "hi"))
    await client.post(f"{VERSIONS}/1/publish")
    await sending.add_version(client, _sms("Hi {{ name }}"))
    latest = (await client.post(PREVIEW, json={"channel": "sms"})).json()
    assert (latest["content"], latest["locale"]) == ({"type": "SmsContent", "body": "Hi Asha"}, "default")
    body = {"channel": "sms", "version": "published", "locale": "hi-IN", "data": {"name": "Ravi"}}
    hindi = (await client.post(PREVIEW, json=body)).json()
    assert (hindi["content"]["body"], hindi["locale"]) == ("नमस्ते Ravi", "hi")
    assert hindi["segments"] == {"encoding": "ucs2", "units": 11, "segments": 1, "left": 59}
    long = (await client.post(PREVIEW, json={"channel": "sms", "version": 1, "data": {"name": "x" * 600}})).json()
    assert (long["segments"]["segments"], long["warnings"]) == (4, ["sms_many_segments"])


@pytest.mark.usefixtures("template")
async def test_content_is_previewed_before_it_is_stored(client: httpx.AsyncClient) -> None:
    content = {"parts": [EMAIL], "variables": [NAME]}
    shown = (await client.post(PREVIEW, json={"channel": "email", "content": content})).json()
    assert (shown["content"]["subject"], shown["content"]["text"]) == ("Hello Asha", "Dear Asha")
    assert shown["segments"] is None
    faulty = {"channel": "email", "content": content | {"variables": []}}
    answer = await client.post(PREVIEW, json=faulty)
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/content/parts/0/content"}


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"channel": "sms", "examples": False}, 422, "/data/name"),
        ({"channel": "sms", "data": {"name": 5}}, 422, "/data/name"),
        ({"channel": "sms", "data": {"name": "x" * 2000}}, 422, "/data"),
        ({"channel": "email"}, 422, "/channel"),
        ({"channel": "sms", "zone": "Mars"}, 422, "/zone"),
        ({"channel": "sms", "version": 2}, 404, None),
        ({"channel": "sms", "version": "published"}, 404, None),
        ({"channel": "sms", "version": 0}, 422, "/version"),
    ],
    ids=str,
)
async def test_what_cannot_be_previewed_says_why(
    client: httpx.AsyncClient, body: dict[str, Any], status: int, pointer: str | None
) -> None:
    await sending.add_version(client)
    answer = await client.post(PREVIEW, json=body)
    assert answer.status_code == status, answer.text
    assert pointer in {error["pointer"] for error in answer.json().get("errors", [{"pointer": None}])}


@pytest.mark.usefixtures("template")
async def test_a_draft_is_sent_as_a_test(client: httpx.AsyncClient) -> None:
    await sending.add_version(client, SMS)
    await client.post(f"{VERSIONS}/1/publish")
    await sending.add_version(client, SMS, EMAIL)
    path, body = "/v1/templates/hello/test-send", {"to": {"email": "asha@example.org"}, "channel": "email"}
    answer = await client.post(path, json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 202, answer.text
    shown = (await client.get(answer.headers["Location"])).json()
    assert (shown["version"], shown["trigger"], shown["metadata"]) == (2, "template.test", {"test": True, "version": 2})
    assert (shown["data"], shown["channels"]) == ({"name": "Asha"}, ["email"])
    again = await client.post(path, json=body, headers={"Idempotency-Key": "k"})
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (answer.json(), "true")
    keyless = [(await client.post(path, json=body)).json()["id"] for _ in range(2)]
    assert len({*keyless, answer.json()["id"]}) == 3
    published = await client.post(path, json=body | {"version": "published"})
    assert published.json()["errors"][0]["pointer"] == "/channels"


async def test_nothing_is_done_with_a_template_that_does_not_exist(client: httpx.AsyncClient) -> None:
    content = {"parts": [SMS], "variables": [NAME]}
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None), ("PATCH", "", {}), ("POST", "/versions", content), ("GET", "/versions", None),
        ("GET", "/versions/1", None), ("POST", "/versions/1/publish", None), ("GET", "/diff?from=1&to=2", None),
        ("POST", "/preview", {"channel": "sms"}), ("POST", "/test-send", {"to": {"phone": "+14155550123"}}),
    ]  # fmt: skip
    for method, path, body in calls:
        answer = await client.request(method, f"/v1/templates/none{path}", json=body)
        assert answer.status_code == 404, (method, path)
