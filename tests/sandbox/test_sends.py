"""What the messages edge takes and refuses."""

from typing import Any

import pytest

from sandbox.serve import Sandbox

from .conftest import ACCOUNT, BUSINESS, GUEST, NUMBER, TOKEN, Caller, registration

Json = dict[str, Any]


def text(body: Any, **more: Any) -> Json:
    return {"type": "text", "text": {"body": body, **more}}


def interactive(kind: str = "button", body: str = "Choose", **action: Any) -> Json:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": body}, "action": action}}


def button(name: str = "a", title: str = "Yes") -> Json:
    return {"type": "reply", "reply": {"id": name, "title": title}}


def rows(count: int) -> list[Json]:
    return [{"id": f"r{number}", "title": f"Row {number}"} for number in range(count)]


def words(*values: str) -> list[Json]:
    return [{"type": "text", "text": value} for value in values]


def template(name: str, *components: Json, language: str = "en_US") -> Json:
    body = {"name": name, "language": {"code": language}, "components": list(components)}
    return {"type": "template", "template": body}


GOOD: dict[str, Json] = {
    "text without a type": {"text": {"body": "hello"}},
    "text of 4096 characters": text("x" * 4096),
    "quoted reply": {**text("hello"), "context": {"message_id": "wamid.x"}},
    "image by link": {"type": "image", "image": {"link": "https://x.example/a.png", "caption": "c"}},
    "document by link": {"type": "document", "document": {"link": "https://x.example/a.pdf", "filename": "a.pdf"}},
    "three buttons": interactive(buttons=[button("a", "A"), button("b", "B"), button("c", "C")]),
    "list of ten rows": interactive("list", button="Open", sections=[{"title": "S", "rows": rows(10)}]),
    "link button": interactive(
        "cta_url", name="cta_url", parameters={"display_text": "Go", "url": "https://x.example"}
    ),
    "reaction": {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": ""}},
    "location": {"type": "location", "location": {"latitude": 1, "longitude": "2.5"}},
    "contact": {"type": "contacts", "contacts": [{"name": {"formatted_name": "Asha"}}]},
    "template without parameters": template("plain"),
    "template in upper case": template(
        "order_ready",
        {"type": "HEADER", "parameters": words("7")},
        {"type": "BODY", "parameters": words("Asha", "7")},
        {"type": "BUTTON", "sub_type": "URL", "index": 2, "parameters": words("7")},
    ),
    "template with a payload": template(
        "order_ready",
        {"type": "header", "parameters": words("7")},
        {"type": "body", "parameters": words("Asha", "7")},
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": "0",
            "parameters": [{"type": "payload", "payload": "p"}],
        },
        {"type": "button", "sub_type": "url", "index": "2", "parameters": words("7")},
    ),
    "template with names": template(
        "named",
        {
            "type": "body",
            "parameters": [
                {"type": "text", "parameter_name": "day", "text": "Monday"},
                {"type": "text", "parameter_name": "name", "text": "Asha"},
            ],
        },
    ),
    "template with a picture": template(
        "pictured", {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://x.example/a.png"}}]}
    ),
}

# content, code, part of the message or details
BAD: dict[str, tuple[Json, int, str]] = {
    "other product": ({**text("x"), "messaging_product": "sms"}, 100, "messaging_product"),
    "unknown type": ({"type": "fax"}, 100, "Param type must be one of"),
    "unknown key": ({**text("x"), "surprise": 1}, 100, "surprise"),
    "content of another type": ({"type": "text", "image": {}}, 131008, "'text' is mandatory"),
    "empty text": (text(" "), 131009, "empty"),
    "text of 4097 characters": (text("x" * 4097), 100, "at most 4096"),
    "text that is a number": (text(5), 100, "must be a string"),
    "reference of 513 characters": ({**text("x"), "biz_opaque_callback_data": "x" * 513}, 100, "at most 512"),
    "not a phone number": ({**text("x"), "to": "tomorrow"}, 131009, "valid phone number"),
    "to itself": ({**text("x"), "to": BUSINESS}, 131021, "cannot be sender"),
    "not a user id": ({**text("x"), "to": None, "recipient": "nobody"}, 131009, "valid user id"),
    "group": ({**text("x"), "recipient_type": "group"}, 100, "recipient_type"),
    "media with id and link": (
        {"type": "image", "image": {"id": "1", "link": "https://x.example"}},
        100,
        "Exactly one",
    ),
    "unknown media": ({"type": "image", "image": {"id": "123"}}, 131009, "does not exist"),
    "link that is none": ({"type": "image", "image": {"link": "file:///etc/passwd"}}, 100, "valid URI"),
    "caption on audio": ({"type": "audio", "audio": {"link": "https://x.example/a", "caption": "c"}}, 100, "caption"),
    "four buttons": (interactive(buttons=[button(str(n), str(n)) for n in range(4)]), 131009, "Max allowed: 3"),
    "button title of 21": (interactive(buttons=[button("a", "x" * 21)]), 100, "at most 20"),
    "buttons of one id": (interactive(buttons=[button("a", "A"), button("a", "B")]), 131009, "Duplicated"),
    "eleven rows": (
        interactive("list", button="O", sections=[{"title": "a", "rows": rows(6)}, {"title": "b", "rows": rows(5)}]),
        131009,
        "exceed max allowed count: 10",
    ),
    "body of 1025": (interactive(body="x" * 1025, buttons=[button()]), 100, "at most 1024"),
    "latitude of 91": ({"type": "location", "location": {"latitude": 91, "longitude": 0}}, 131009, "latitude"),
    "unknown template": (template("nothing"), 132001, "template name (nothing) does not exist in en_US"),
    "other language": (template("plain", language="hi"), 132001, "does not exist in hi"),
    "template under review": (template("pending"), 132001, "does not exist"),
    "paused template": (template("paused"), 132015, "paused"),
    "disabled template": (template("disabled"), 132016, "disabled"),
    "parameter missing": (
        template(
            "order_ready", {"type": "header", "parameters": words("7")}, {"type": "body", "parameters": words("A")}
        ),
        132000,
        "body: number of localizable_params (1) does not match the expected number of params (2)",
    ),
    "header parameter missing": (
        template("order_ready", {"type": "body", "parameters": words("A", "7")}),
        132000,
        "header",
    ),
    "parameter with a line break": (
        template(
            "named", {"type": "body", "parameters": [{"type": "text", "parameter_name": "name", "text": "a\nb"}] * 2}
        ),
        132012,
        "new-line",
    ),
    "name not in the template": (
        template("named", {"type": "body", "parameters": [{"type": "text", "parameter_name": "x", "text": "a"}] * 2}),
        132012,
        "not in the template",
    ),
    "url suffix missing": (
        template(
            "order_ready",
            {"type": "header", "parameters": words("7")},
            {"type": "body", "parameters": words("Asha", "7")},
        ),
        131008,
        "requires a parameter",
    ),
    "button that is not there": (
        template("plain", {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": []}),
        132012,
        "no quick_reply button",
    ),
    "picture missing": (template("pictured"), 132012, "expected IMAGE, received UNKNOWN"),
    "video for a picture": (
        template(
            "pictured", {"type": "header", "parameters": [{"type": "video", "video": {"link": "https://x.example"}}]}
        ),
        132012,
        "expected IMAGE, received VIDEO",
    ),
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
async def test_what_the_platform_takes_is_accepted_and_journaled(caller: Caller, content: Json) -> None:
    answer = await caller.send(biz_opaque_callback_data="ref-1", **content)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["messaging_product"] == "whatsapp"
    assert body["contacts"][0]["input"] == f"+{GUEST}"
    assert body["contacts"][0]["wa_id"] == GUEST
    assert body["messages"][0]["id"].startswith("wamid.")
    assert (body["messages"][0].get("message_status") == "accepted") is (content.get("type") == "template")
    (entry,) = await caller.journal(kind="accepted")
    facts = {"provider": "meta", "id": body["messages"][0]["id"], "reference": "ref-1", "to": GUEST, "from": NUMBER}
    assert facts.items() <= entry.items()


@pytest.mark.parametrize(("content", "code", "says"), BAD.values(), ids=BAD)
async def test_what_the_platform_refuses_is_refused_with_its_code(
    caller: Caller, content: Json, code: int, says: str
) -> None:
    body = {"messaging_product": "whatsapp", "to": f"+{GUEST}", **content}
    answer = await caller.client.post(
        f"/v26.0/{NUMBER}/messages", json={k: v for k, v in body.items() if v is not None}
    )
    error = answer.json()["error"]
    assert error["code"] == code
    assert answer.status_code == (404 if code == 132001 else 400)
    assert says in error["message"] + str(error.get("error_data"))
    assert error["fbtrace_id"]
    assert error["type"] == "OAuthException"
    (entry,) = await caller.journal(kind="refused")
    assert (entry["code"], entry["from"]) == (code, NUMBER)
    assert await caller.journal(kind="accepted") == []


@pytest.mark.parametrize(
    ("path", "token", "status", "code", "subcode"),
    [
        (f"/v26.0/{NUMBER}/messages", "wrong", 401, 190, None),
        (f"/v26.0/{NUMBER}/messages", None, 401, 190, None),
        ("/v26.0/999/messages", TOKEN, 400, 100, 33),
        (f"/v20.0/{NUMBER}/messages", TOKEN, 400, 2500, None),
        (f"/v27.0/{NUMBER}/messages", TOKEN, 400, 2500, None),
    ],
    ids=["wrong token", "no token", "unknown number", "version that is gone", "version to come"],
)
async def test_a_request_without_right_is_refused(
    caller: Caller, path: str, token: str | None, status: int, code: int, subcode: int | None
) -> None:
    headers = {"Authorization": f"Bearer {token}" if token else ""}
    answer = await caller.client.post(path, headers=headers, json={"messaging_product": "whatsapp"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("error_subcode")) == (status, code, subcode)


async def test_the_token_of_another_number_does_not_tell_that_a_number_exists(caller: Caller) -> None:
    other = registration(None, access_token="token-2", waba_id="555", templates=[])
    await caller.client.put("/_sandbox/numbers/777", json=other)
    seen = await caller.client.get("/v26.0/777")
    unseen = await caller.client.get("/v26.0/778")
    assert seen.status_code == unseen.status_code == 400
    assert seen.json()["error"]["message"].replace("777", "778") == unseen.json()["error"]["message"]


@pytest.mark.parametrize("version", [f"v{number}.0" for number in range(21, 27)])
async def test_every_living_version_is_served(caller: Caller, version: str) -> None:
    answer = await caller.client.get(f"/{version}/{NUMBER}")
    assert answer.json()["display_phone_number"] == BUSINESS
    account = await caller.client.get(f"/{version}/{ACCOUNT}/phone_numbers")
    assert [one["id"] for one in account.json()["data"]] == [NUMBER]


async def test_a_body_that_is_not_json_is_refused(caller: Caller) -> None:
    for content in (b"{", b"[]", b"[" * 100_000, b"\xff"):
        answer = await caller.client.post(f"/v26.0/{NUMBER}/messages", content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


async def test_a_user_id_reaches_the_phone_it_stands_for(sandbox: Sandbox, caller: Caller) -> None:
    first = (await caller.template()).json()["contacts"][0]
    body = {"messaging_product": "whatsapp", "recipient": first["user_id"], **template("plain")}
    answer = await caller.client.post(f"/v26.0/{NUMBER}/messages", json=body)
    assert answer.status_code == 200
    assert [entry["to"] for entry in await caller.journal(kind="accepted")] == [GUEST, GUEST]
    assert sandbox.journal.last >= 2
