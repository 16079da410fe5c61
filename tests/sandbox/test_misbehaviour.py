"""Each misbehaviour does what its name says, by rule and by magic recipient."""

import json
import time
from typing import Any

import httpx
import pytest

from sandbox import magic
from sandbox.behaviour import Behaviour

from .conftest import GUEST, NUMBER, Caller, Receiver, until

LOST = (httpx.RemoteProtocolError, httpx.ReadError)


async def accepted(caller: Caller) -> int:
    return len(await caller.journal(kind="accepted"))


@pytest.mark.parametrize(
    ("effect", "accepts"),
    [({"lose_answer": True}, 1), ({"lose_request": True}, 0), ({"truncate_answer": True}, 1)],
    ids=["answer lost", "request lost", "answer cut short"],
)
async def test_a_connection_that_breaks_leaves_the_truth_in_the_journal(
    caller: Caller, effect: dict[str, Any], accepts: int
) -> None:
    await caller.behave(effect)
    with pytest.raises(LOST):
        await caller.template(biz_opaque_callback_data="ref-1")
    assert await accepted(caller) == accepts
    assert len(await caller.journal(kind="dropped", reference="ref-1")) == 1 - accepts


async def test_a_garbled_answer_is_200_but_not_json(caller: Caller) -> None:
    await caller.behave({"garbage_answer": True})
    answer = await caller.template()
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        answer.json()
    assert await accepted(caller) == 1


async def test_a_slow_answer_comes_in_pieces_but_whole(caller: Caller) -> None:
    await caller.behave({"slow_answer": 0.1})
    began = time.monotonic()
    answer = await caller.template()
    assert time.monotonic() - began >= 0.1
    assert answer.json()["messages"][0]["id"].startswith("wamid.")


async def test_an_answer_can_come_byte_by_byte(caller: Caller) -> None:
    await caller.behave({"drip_answer": 0.001})
    path, body = f"/v26.0/{NUMBER}/messages", {"messaging_product": "whatsapp", "to": GUEST, "text": {"body": "x"}}
    async with caller.client.stream("POST", path, json=body) as answer:
        pieces = [len(piece) async for piece in answer.aiter_raw()]
    assert len(pieces) > 10  # a reader that was slow for a moment finds several bytes at once
    assert await accepted(caller) == 1


async def test_an_answer_can_go_on_for_ever(caller: Caller) -> None:
    await caller.behave({"endless_answer": True})
    path, body = f"/v26.0/{NUMBER}/messages", {"messaging_product": "whatsapp", "to": GUEST, "text": {"body": "x"}}
    seen = b""
    async with caller.client.stream("POST", path, json=body) as answer:
        async for piece in answer.aiter_raw():
            seen += piece
            if len(seen) > 5000:
                break
    assert seen.startswith(b'{"messaging_product"')
    with pytest.raises(ValueError, match=r"."):
        json.loads(seen)
    assert await accepted(caller) == 1


@pytest.mark.parametrize(("name", "journaled"), [("delay_answer", 1), ("delay_journal", 0)])
async def test_a_delay_is_after_or_before_acceptance(caller: Caller, name: str, journaled: int) -> None:
    await caller.behave({name: 30})
    with pytest.raises(httpx.ReadTimeout):
        await caller.client.post(
            f"/v26.0/{NUMBER}/messages",
            json={"messaging_product": "whatsapp", "to": GUEST, "text": {"body": "x"}},
            timeout=0.1,
        )
    assert await accepted(caller) == journaled


@pytest.mark.parametrize(
    ("refuse", "status", "code", "accepts"),
    [
        ({"status": 400, "code": 131009}, 400, 131009, 0),
        ({"status": 429, "code": 130429, "retry_after": 7}, 429, 130429, 0),
        ({"status": 500, "code": 131000}, 500, 131000, 0),
        ({"status": 503, "envelope": False}, 503, None, 0),
        ({"status": 502, "envelope": False, "accepted": True}, 502, None, 1),
        ({"status": 500, "code": 2, "accepted": True}, 500, 2, 1),
    ],
    ids=["refused", "throttled", "error", "bare error", "bare error, accepted", "error, accepted"],
)
async def test_an_error_answer_is_as_ordered(
    caller: Caller, refuse: dict[str, Any], status: int, code: int | None, accepts: int
) -> None:
    await caller.behave({"refuse": refuse})
    answer = await caller.template()
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == (str(refuse["retry_after"]) if "retry_after" in refuse else None)
    if code is None:
        assert answer.headers["content-type"].startswith("text/html")
    else:
        error = answer.json()["error"]
        assert error["code"] == code
        assert error.get("is_transient", False) is (code in {2, 131000})
    assert await accepted(caller) == accepts
    assert len(await caller.journal(kind="refused")) == 1 - accepts


async def test_callbacks_are_repeated_and_reversed(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"duplicate_callbacks": 2, "reorder_callbacks": True})
    await caller.template()
    await until(lambda: len(receiver.bodies) == 9)
    assert receiver.names() == ["read"] * 3 + ["delivered"] * 3 + ["sent"] * 3
    assert len(set(receiver.bodies)) == 3


async def test_callbacks_can_come_before_the_answer(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"callbacks_first": True, "delay_answer": 30})
    with pytest.raises(httpx.ReadTimeout):
        await caller.client.post(
            f"/v26.0/{NUMBER}/messages",
            json={
                "messaging_product": "whatsapp",
                "to": GUEST,
                "type": "template",
                "template": {"name": "plain", "language": {"code": "en_US"}},
            },
            timeout=0.3,
        )
    assert receiver.names() == ["sent", "delivered", "read"]


@pytest.mark.parametrize(
    ("effect", "names"),
    [
        ({"until": "nothing"}, []),
        ({"until": "sent"}, ["sent"]),
        ({"until": "delivered"}, ["sent", "delivered"]),
        ({"skip_delivered": True}, ["sent", "read"]),
        ({"fail": 131026}, ["failed"]),
        ({"drop_callbacks": True}, []),
    ],
    ids=["nothing", "sent only", "never read", "delivered skipped", "failed", "dropped"],
)
async def test_a_message_goes_as_far_as_ordered(
    caller: Caller, receiver: Receiver, effect: dict[str, Any], names: list[str]
) -> None:
    await caller.behave({**effect, "callbacks_first": True})
    await caller.template()
    assert receiver.names() == names


@pytest.mark.parametrize("kept", [True, False], ids=["with reference", "without"])
async def test_a_failure_may_lack_the_reference(caller: Caller, receiver: Receiver, kept: bool) -> None:  # noqa: FBT001 - a parameter of the table
    await caller.behave({"fail": 131049, "reference_on_failed": kept, "callbacks_first": True})
    await caller.template(biz_opaque_callback_data="ref-1")
    (status,) = receiver.statuses
    assert status["errors"][0]["code"] == 131049
    assert ("biz_opaque_callback_data" in status) is kept


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        ({"next": 2}, [1, 1, 0, 0]),
        ({"first": 1}, [1, 0, 1, 0]),
        ({"template": "named"}, [0, 0, 0, 0]),
        ({"template": "plain", "number": NUMBER, "channel": "whatsapp", "recipient": f"+{GUEST[:6]}*"}, [1, 1, 1, 1]),
        ({"recipient": "*0000"}, [0, 0, 0, 0]),
        ({"channel": "email"}, [0, 0, 0, 0]),
        ({"probability": 0}, [0, 0, 0, 0]),
    ],
    ids=["next two", "every first of two", "other template", "all facts", "other recipient", "e-mail", "never"],
)
async def test_a_rule_concerns_what_it_matches(caller: Caller, match: dict[str, Any], hits: list[int]) -> None:
    rule = {"match": match, "effect": {"refuse": {"status": 400, "code": 131000}}}
    await caller.client.put("/_sandbox/behaviour", json={"rules": [rule]})
    answers = [await caller.template() for _ in hits]
    assert [int(answer.status_code == 400) for answer in answers] == hits


async def test_chances_repeat_with_their_seed(caller: Caller) -> None:
    rule = {"match": {"probability": 0.5}, "effect": {"refuse": {"status": 400, "code": 131000}}}
    runs = []
    for seed in (7, 7, 8):
        await caller.client.put("/_sandbox/behaviour", json={"seed": seed, "rules": [rule]})
        runs.append([(await caller.template()).status_code for _ in range(16)])
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {200, 400}


async def test_the_earlier_rule_prevails_and_others_add_to_it(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"until": "sent"}, {"until": "read", "callbacks_first": True})
    await caller.template()
    assert receiver.names() == ["sent"]
    (entry,) = await caller.journal(kind="accepted")
    assert entry["effects"] == {"until": "sent", "callbacks_first": True}
    assert [one["status"] for one in entry["plan"]] == ["sent"]


async def test_behaviour_is_put_shown_and_taken_back(caller: Caller) -> None:
    bad = await caller.client.put("/_sandbox/behaviour", json={"rules": [{"effect": {"typo": 1}}]})
    assert bad.status_code == 422
    assert "typo" in bad.json()["detail"]
    await caller.behave({"lose_answer": True})
    shown = (await caller.client.get("/_sandbox/behaviour")).json()
    assert shown["rules"][0]["effect"]["lose_answer"] is True
    back = (await caller.client.delete("/_sandbox/behaviour")).json()
    assert back == Behaviour().model_dump()


@pytest.mark.parametrize(("kind", "code"), [("number", 130429), ("pair", 131056)])
async def test_a_quota_is_kept(caller: Caller, kind: str, code: int) -> None:
    await caller.behave(limits={kind: {"count": 2, "seconds": 60}})
    answers = [await caller.template() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"]["code"] == code
    other = await caller.template(to="+919811199999")
    assert other.status_code == (429 if kind == "number" else 200)


# ending, status codes of sends one after the other, statuses that follow the last one
MAGIC: dict[str, tuple[list[int], list[str]]] = {
    "0001": ([400, 400], []),
    "0002": ([200], ["sent"]),
    "0003": ([0], ["delivered", "read", "sent"]),
    "0004": ([429, 429, 200], ["delivered", "read", "sent"]),
    "0005": ([502, 502], []),
    "0006": ([200], ["failed"]),
    "0007": ([200], ["delivered", "sent"]),
    "0009": ([200], ["delivered"] * 3 + ["read"] * 3 + ["sent"] * 3),
    "0010": ([200], ["delivered", "read", "sent"]),
    "0011": ([200], []),
    "0012": ([0], ["delivered", "read", "sent"]),
    "0013": ([200], ["delivered", "read", "sent"]),
    "0014": ([0], []),
    "0015": ([502], ["delivered", "read", "sent"]),
    "0016": ([500, 200], ["delivered", "read", "sent"]),
    "0017": ([200], ["failed"]),
    "0018": ([200], ["failed"]),
    "0019": ([200], ["read", "sent"]),
    "0020": ([200], ["delivered", "read", "sent"]),
    "0021": ([200], ["delivered", "read", "sent"]),
}


@pytest.mark.parametrize(("ending", "codes", "names"), [(k, *v) for k, v in MAGIC.items()], ids=MAGIC)
async def test_a_magic_number_does_what_the_table_says(
    caller: Caller, receiver: Receiver, ending: str, codes: list[int], names: list[str]
) -> None:
    seen = []
    for _ in codes:
        try:
            seen.append((await caller.template(to=f"+91981112{ending}")).status_code)
        except LOST:
            seen.append(0)
    assert seen == codes
    await until(lambda: len(receiver.statuses) == len(names))
    assert sorted(receiver.names()) == names


async def test_the_slow_magic_number_answers_after_five_seconds(caller: Caller) -> None:
    assert next(one for one in magic.NUMBERS if one.key == "0008").effect.delay_answer == 5
    shown = (await caller.client.get("/_sandbox/magic")).json()
    assert set(shown["whatsapp"]) == {*MAGIC, "0008"}


async def test_magic_can_be_switched_off(caller: Caller) -> None:
    await caller.behave(magic=False)
    assert (await caller.template(to="+919811120001")).status_code == 200


@pytest.mark.parametrize(("ending", "expected"), [("0020", "Thank you"), ("0021", "STOP")])
async def test_a_magic_number_answers_by_itself(caller: Caller, receiver: Receiver, ending: str, expected: str) -> None:
    sent = await caller.template(to=f"+91981112{ending}")
    (message,) = await until(lambda: receiver.messages)
    assert message["text"]["body"] == expected
    assert message["context"]["id"] == sent.json()["messages"][0]["id"]
