"""Template management, media and the small reads of the Graph API."""

from typing import Any

import httpx
import pytest

from .conftest import ACCOUNT, NUMBER, TEMPLATES, Caller, Receiver, until

PATH = f"/v26.0/{ACCOUNT}/message_templates"
BODY = {"type": "BODY", "text": "Hi {{1}}", "example": {"body_text": [["Asha"]]}}


def draft(**more: Any) -> dict[str, Any]:
    return {"name": "fresh", "language": "en_US", "category": "UTILITY", "components": [BODY], **more}


async def create(caller: Caller, **more: Any) -> httpx.Response:
    return await caller.client.post(PATH, json=draft(**more))


async def test_a_template_is_created_reviewed_reported_and_used(caller: Caller, receiver: Receiver) -> None:
    made = (await create(caller)).json()
    assert (made["status"], made["category"]) == ("PENDING", "UTILITY")
    words = [{"type": "body", "parameters": [{"type": "text", "text": "Asha"}]}]
    assert (await caller.template("fresh", components=words)).json()["error"]["code"] == 132001
    review = {"status": "APPROVED"}
    assert (await caller.client.post(f"/_sandbox/templates/{made['id']}/review", json=review)).status_code == 200
    await until(lambda: receiver.bodies)
    change = receiver.payloads[0]["entry"][0]["changes"][0]
    assert change["field"] == "message_template_status_update"
    expected = {"event": "APPROVED", "message_template_id": int(made["id"]), "message_template_name": "fresh"}
    assert {**expected, "message_template_language": "en_US", "reason": "NONE"}.items() <= change["value"].items()
    assert (await caller.template("fresh", components=words)).status_code == 200


@pytest.mark.parametrize("status", ["REJECTED", "PAUSED", "DISABLED"])
async def test_a_review_can_end_badly(caller: Caller, receiver: Receiver, status: str) -> None:
    made = (await create(caller)).json()
    body = {"status": status, "reason": "INVALID_FORMAT"}
    await caller.client.post(f"/_sandbox/templates/{made['id']}/review", json=body)
    await until(lambda: receiver.bodies)
    assert (receiver.values[0]["event"], receiver.values[0]["reason"]) == (status, "INVALID_FORMAT")
    shown = await caller.client.get(f"/v26.0/{made['id']}?fields=status,rejected_reason")
    assert shown.json() == {"id": made["id"], "status": status, "rejected_reason": "INVALID_FORMAT"}


async def test_review_can_happen_by_itself(caller: Caller, receiver: Receiver) -> None:
    await caller.client.put("/_sandbox/behaviour", json={"times": {"review": 0.01}})
    await create(caller)
    await until(lambda: receiver.bodies)
    assert receiver.values[0]["event"] == "APPROVED"


@pytest.mark.parametrize(
    ("more", "subcode"),
    [
        ({"name": "Not Allowed"}, None),
        ({"category": "SPAM"}, None),
        ({"components": [{"type": "FOOTER", "text": "x"}]}, None),
        ({"components": [{**BODY, "example": {}}]}, 2388043),
        ({"components": [{**BODY, "text": "{{1}} {{3}}"}]}, 2388065),
        ({"name": "plain"}, 2388024),
    ],
    ids=["name", "category", "no body", "no example", "gap in variables", "exists"],
)
async def test_a_bad_draft_is_refused(caller: Caller, more: dict[str, Any], subcode: int | None) -> None:
    answer = await create(caller, **more)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("error_subcode")) == (400, 100, subcode)


async def test_templates_are_listed_in_pages_until_next_is_absent(caller: Caller) -> None:
    seen: list[str] = []
    url: str | None = f"{PATH}?limit=3&fields=name,status"
    while url:
        page = (await caller.client.get(url)).json()
        seen += [one["name"] for one in page["data"]]
        url = page["paging"].get("next")
    assert seen == [template["name"] for template in TEMPLATES]
    paused = (await caller.client.get(f"{PATH}?status=PAUSED")).json()
    assert [one["name"] for one in paused["data"]] == ["paused"]


async def test_an_edit_is_reviewed_again_and_some_are_refused(caller: Caller) -> None:
    listed = (await caller.client.get(PATH)).json()["data"]
    ids = {one["name"]: one["id"] for one in listed}
    edited = await caller.client.post(f"/v26.0/{ids['plain']}", json={"components": [BODY]})
    assert edited.json()["success"] is True
    assert (await caller.template("plain")).json()["error"]["code"] == 132001
    for name, body in (("pending", {"components": [BODY]}), ("named", {"category": "MARKETING"})):
        refused = await caller.client.post(f"/v26.0/{ids[name]}", json=body)
        assert refused.json()["error"]["code"] == 100


async def test_a_deleted_name_is_locked(caller: Caller, receiver: Receiver) -> None:
    assert (await caller.client.delete(f"{PATH}?name=plain")).json() == {"success": True}
    await until(lambda: receiver.bodies)
    assert receiver.values[0]["event"] == "DELETED"
    assert (await caller.template("plain")).json()["error"]["code"] == 132001
    assert (await create(caller, name="plain")).json()["error"]["error_subcode"] == 2388023
    assert (await caller.client.delete(f"{PATH}?name=plain")).json()["error"]["error_subcode"] == 33
    assert (await caller.client.delete(f"{PATH}?name=disabled")).json()["error"]["code"] == 100


async def test_media_are_uploaded_sent_and_deleted(caller: Caller) -> None:
    path = f"/v26.0/{NUMBER}/media"
    files = {"file": ("a.png", b"\x89PNG pixels", "image/png")}
    uploaded = await caller.client.post(path, data={"messaging_product": "whatsapp", "type": "image/png"}, files=files)
    media_id = uploaded.json()["id"]
    assert (await caller.send(type="image", image={"id": media_id, "caption": "look"})).status_code == 200
    facts = (await caller.client.get(f"/v26.0/{media_id}")).json()
    assert (await caller.client.get(facts["url"])).content == b"\x89PNG pixels"
    assert (await caller.client.delete(f"/v26.0/{media_id}")).json() == {"success": True}
    assert (await caller.client.get(f"/v26.0/{media_id}")).json()["error"]["error_subcode"] == 33


@pytest.mark.parametrize(
    ("form", "file", "code"),
    [
        ({"messaging_product": "whatsapp"}, ("a.exe", b"MZ", "application/x-msdownload"), 100),
        ({"messaging_product": "whatsapp"}, ("a.png", b"", "image/png"), 131053),
        ({"messaging_product": "whatsapp"}, ("a.webp", b"x" * 600_000, "image/webp"), 131053),
        ({}, ("a.png", b"x", "image/png"), 100),
        ({"messaging_product": "whatsapp"}, None, 100),
    ],
    ids=["type", "empty", "too large", "no product", "no file"],
)
async def test_bad_media_are_refused(
    caller: Caller, form: dict[str, str], file: tuple[str, bytes, str] | None, code: int
) -> None:
    answer = await caller.client.post(f"/v26.0/{NUMBER}/media", data=form, files={"file": file} if file else None)
    assert answer.json()["error"]["code"] == code


async def test_numbers_are_shown_without_their_secrets_and_forgotten(caller: Caller) -> None:
    shown = await caller.client.get("/_sandbox/numbers")
    assert [one["id"] for one in shown.json()["numbers"]] == [NUMBER]
    assert "secret" not in shown.text
    assert "token" not in shown.text
    assert (await caller.client.delete(f"/_sandbox/numbers/{NUMBER}")).status_code == 204
    assert (await caller.template()).json()["error"]["code"] == 190
    assert (await caller.client.delete(f"/_sandbox/numbers/{NUMBER}")).status_code == 404
