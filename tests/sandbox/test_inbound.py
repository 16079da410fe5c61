"""What a user does reaches the webhook as the vendor would write it."""

from typing import Any

import pytest

from .conftest import BUSINESS, GUEST, NUMBER, Caller, Receiver, until

DIGITS = BUSINESS.replace("+", "").replace(" ", "").replace("-", "")


async def act(caller: Caller, **facts: Any) -> dict[str, Any]:
    answer = await caller.client.post("/_sandbox/inbound", json={"number": NUMBER, "from": f"+{GUEST}", **facts})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def offer(caller: Caller) -> str:
    words = [{"type": "text", "text": value} for value in ("Asha", "7")]
    components = [
        {"type": "header", "parameters": words[1:]},
        {"type": "body", "parameters": words},
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": "1",
            "parameters": [{"type": "payload", "payload": "no:7"}],
        },
        {"type": "button", "sub_type": "url", "index": "2", "parameters": words[1:]},
    ]
    answer = await caller.template("order_ready", components=components)
    wamid: str = answer.json()["messages"][0]["id"]
    return wamid


@pytest.mark.parametrize(
    ("facts", "kind", "content"),
    [
        ({"text": "hello"}, "text", {"body": "hello"}),
        ({"type": "button", "id": "yes:7", "title": "Yes"}, "button", {"payload": "yes:7", "text": "Yes"}),
        (
            {"type": "list_reply", "id": "r1", "title": "Row", "description": "d"},
            "interactive",
            {"type": "list_reply", "list_reply": {"id": "r1", "title": "Row", "description": "d"}},
        ),
        (
            {"type": "nfm_reply", "response": {"a": 1}},
            "interactive",
            {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": '{"a": 1}'}},
        ),
        ({"type": "reaction", "context": "wamid.x"}, "reaction", {"message_id": "wamid.x", "emoji": "\U0001f44d"}),
        ({"type": "location", "text": "Mill"}, "location", {"latitude": 28.6139, "longitude": 77.209, "name": "Mill"}),
        (
            {"type": "system", "id": "+919811100000"},
            "system",
            {
                "body": f"User changed from {GUEST} to 919811100000",
                "type": "user_changed_number",
                "wa_id": "919811100000",
            },
        ),
        ({"type": "raw", "raw": {"type": "hologram", "hologram": {"x": 1}}}, "hologram", {"x": 1}),
    ],
    ids=["text", "button", "list reply", "flow", "reaction", "location", "changed number", "anything"],
)
async def test_each_kind_of_message_arrives(
    caller: Caller, receiver: Receiver, facts: dict[str, Any], kind: str, content: dict[str, Any]
) -> None:
    result = await act(caller, **facts)
    assert result["callback"] == "taken"
    (message,) = receiver.messages
    assert (message["type"], message[kind]) == (kind, content)
    assert message["from"] == GUEST
    assert message["id"] == result["id"]
    assert ("contacts" in receiver.values[0]) is (kind != "system")
    (entry,) = await caller.journal(kind="inbound")
    assert (entry["id"], entry["from"], entry["to"], entry["body"]) == (message["id"], GUEST, NUMBER, message)


async def test_a_tap_carries_the_payload_that_was_sent(caller: Caller, receiver: Receiver) -> None:
    wamid = await offer(caller)
    await act(caller, type="tap", context=wamid, index=1)
    await act(caller, type="tap", context=wamid, id="Accept")
    first, second = receiver.messages
    assert first["button"] == {"payload": "no:7", "text": "Decline"}
    assert first["context"] == {"from": DIGITS, "id": wamid}
    assert second["button"] == {"payload": "Accept", "text": "Accept"}


async def test_rows_and_reply_buttons_can_be_tapped(caller: Caller, receiver: Receiver) -> None:
    await act(caller, text="hi")
    reply = {"type": "reply", "reply": {"id": "a", "title": "A"}}
    action = {"button": "Open", "sections": [{"title": "S", "rows": [{"id": "r", "title": "R", "description": "d"}]}]}
    for kind, parts in (("button", {"buttons": [reply]}), ("list", action)):
        interactive = {"type": kind, "body": {"text": "Choose"}, "action": parts}
        sent = await caller.send(type="interactive", interactive=interactive)
        await act(caller, type="tap", context=sent.json()["messages"][0]["id"], index=0)
    _, button, row = receiver.messages
    assert button["interactive"] == {"type": "button_reply", "button_reply": {"id": "a", "title": "A"}}
    assert row["interactive"] == {"type": "list_reply", "list_reply": {"id": "r", "title": "R", "description": "d"}}


@pytest.mark.parametrize("kind", ["image", "audio", "video", "document", "sticker"])
async def test_media_can_be_fetched_with_the_token_for_a_while(caller: Caller, receiver: Receiver, kind: str) -> None:
    await act(caller, type=kind)
    medium = receiver.messages[0][kind]
    facts = (await caller.client.get(f"/v26.0/{medium['id']}")).json()
    assert (facts["mime_type"], facts["sha256"]) == (medium["mime_type"], medium["sha256"])
    content = await caller.client.get(facts["url"])
    assert len(content.content) == facts["file_size"]
    stranger = await caller.client.get(facts["url"], headers={"Authorization": "Bearer nobody"})
    assert stranger.status_code == 401
    assert (await caller.client.get(f"{facts['url']}x")).status_code == 404


async def test_a_hidden_phone_leaves_only_the_user_id(caller: Caller, receiver: Receiver) -> None:
    await act(caller, text="hi", hide_phone=True, name="Asha")
    (value,) = receiver.values
    assert value["contacts"] == [{"profile": {"name": "Asha"}, "user_id": value["messages"][0]["from_user_id"]}]
    assert "from" not in value["messages"][0]


async def test_copies_are_the_same_message(caller: Caller, receiver: Receiver) -> None:
    await act(caller, text="hi", copies=3)
    assert len(receiver.bodies) == 3
    assert len(set(receiver.bodies)) == 1


@pytest.mark.parametrize(
    ("facts", "status", "says"),
    [
        ({"number": "999"}, 400, "there is no number"),
        ({"type": "tap", "context": "wamid.nothing"}, 400, "is not known"),
        ({"type": "image", "media": "77"}, 400, "there is no medium"),
        ({"type": "dream"}, 422, "type"),
    ],
    ids=["unknown number", "unknown message", "unknown medium", "unknown kind"],
)
async def test_what_a_user_cannot_do_is_explained(
    caller: Caller, facts: dict[str, Any], status: int, says: str
) -> None:
    answer = await caller.client.post("/_sandbox/inbound", json={"number": NUMBER, "from": GUEST, **facts})
    assert answer.status_code == status
    assert says in answer.json()["detail"]


async def test_a_tap_on_what_is_not_there_names_what_is(caller: Caller) -> None:
    wamid = await offer(caller)
    body = {"number": NUMBER, "from": GUEST, "type": "tap", "context": wamid, "index": 9}
    answer = await caller.client.post("/_sandbox/inbound", json=body)
    assert answer.status_code == 400
    assert "'Accept', 'no:7'" in answer.json()["detail"]


async def test_a_read_mark_is_taken_for_inbound_messages_only(caller: Caller) -> None:
    inbound = await act(caller, text="hi")
    mark = {"messaging_product": "whatsapp", "status": "read", "message_id": inbound["id"]}
    answer = await caller.client.post(f"/v26.0/{NUMBER}/messages", json={**mark, "typing_indicator": {"type": "text"}})
    assert answer.json() == {"success": True}
    (entry,) = await caller.journal(kind="mark_read")
    assert (entry["id"], entry["typing"]) == (inbound["id"], True)
    wrong = await caller.client.post(f"/v26.0/{NUMBER}/messages", json={**mark, "message_id": "wamid.nothing"})
    assert wrong.json()["error"]["code"] == 100


async def test_a_user_can_read_a_message_when_told(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"until": "delivered", "callbacks_first": True})
    sent = await caller.template()
    wamid = sent.json()["messages"][0]["id"]
    answer = await caller.client.post("/_sandbox/read", json={"message": wamid})
    assert answer.json() == {"id": wamid, "status": "read"}
    await until(lambda: receiver.names() == ["sent", "delivered", "read"])
    missing = await caller.client.post("/_sandbox/read", json={"message": "wamid.nothing"})
    assert missing.status_code == 404
