"""Callbacks of WhatsApp: each status, each change, hostile bodies; `pywa` is the second opinion."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pywa.client import WhatsApp

from domain.errors import CallbackRefused
from domain.status import Status
from providers.base import Callback, Receipt, TemplateUpdate, Unknown

from .cases import REFERENCE, TEXT, WRITTEN, change, signed, status, value
from .reading import META, events, only, read_by

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("sent", Status.SENT),
        ("delivered", Status.DELIVERED),
        ("read", Status.READ),
        ("played", Status.READ),
        ("failed", Status.FAILED),
    ],
)
@pytest.mark.parametrize("timestamp", ["1763715600", 1763715600, 1763715600000], ids=["text", "number", "milliseconds"])
def test_a_status_becomes_a_receipt(word: str, meant: Status, timestamp: Any) -> None:
    receipt = only(change(value(statuses=[status(word, timestamp=timestamp)])))
    assert receipt == Receipt(
        event_key=f"status:wamid.HBgM:{word}:919876543210" + (":" if word == "failed" else ""),
        status=meant,
        raw_status=word,
        occurred_at=datetime(2025, 11, 21, 9, tzinfo=UTC),
        provider_message_id="wamid.HBgM",
        reference=REFERENCE,
        sender="106540352242922",
    )


def test_another_client_reads_the_same_status(theirs: tuple[WhatsApp, list[Any]]) -> None:
    contact = {"wa_id": "919876543210", "user_id": "IN.1349", "profile": {"name": "Asha"}}
    pricing = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
    document = change(
        value(contacts=[contact], statuses=[status("read", recipient_user_id="IN.1349", pricing=pricing)])
    )
    ours, other = only(document), read_by(theirs, document)
    assert (ours.provider_message_id, ours.raw_status, ours.reference) == (other.id, other.status.value, other.tracker)
    assert ours.occurred_at == other.timestamp.astimezone(UTC)


@pytest.mark.parametrize(
    ("errors", "code", "provider_code"),
    [
        ([{"code": 131026, "title": "Message undeliverable"}], "invalid_address", "131026"),
        ([{"code": 7}, {"code": "131047", "title": "Re-engagement message"}], "outside_window", "131047"),
        ([{"code": 131050, "error_data": {"details": "stopped"}}], "unsubscribed", "131050"),
        ([{"code": 424242, "title": "New"}], None, "424242"),
        ([{"title": "No code"}], None, None),
        ([], None, None),
        ("broken", None, None),
    ],
)
def test_a_failure_tells_why_in_our_words(errors: Any, code: str | None, provider_code: str | None) -> None:
    failed = status("failed", errors=errors)
    del failed["biz_opaque_callback_data"]
    receipt = only(change(value(statuses=[failed])))
    assert (receipt.status, receipt.reference) == (Status.FAILED, None)
    assert (receipt.error_code, receipt.provider_code) == (code, provider_code)
    assert receipt.event_key == f"status:wamid.HBgM:failed:919876543210:{provider_code or ''}"


@pytest.mark.parametrize("word", ["deleted", "warning", "", None, 7, ["sent"]])
def test_a_status_that_nobody_knows_is_kept(word: Any) -> None:
    event = only(change(value(statuses=[status(word)])))
    assert isinstance(event, Unknown)
    assert event.raw["item"]["id"] == "wamid.HBgM"


def test_events_keep_their_keys_in_another_batch() -> None:
    statuses = [status("sent"), status("delivered"), status("delivered", recipient_id="15550001111"), status("odd")]
    apart = [only(change(value(statuses=[item]))).event_key for item in statuses]
    together = change(value(statuses=statuses), time=1763715700)
    together["entry"] *= 2
    assert [event.event_key for event in events(together)] == apart * 2
    assert len(set(apart)) == len(apart)


def test_a_very_long_id_gives_a_key_that_an_index_can_hold() -> None:
    keys = {only(change(value(statuses=[status(id="w" * 5000 + end)]))).event_key for end in "ab"}
    assert len(keys) == 2
    assert all(len(key) <= 300 for key in keys)


def test_one_broken_item_does_not_hide_the_others() -> None:
    found = events(change(value(statuses=[None, status()], messages=[7, {**WRITTEN, **TEXT}], errors=[{"code": 1}])))
    assert [type(event).__name__ for event in found] == ["Unknown", "Receipt", "Unknown", "Inbound", "Unknown"]


REVIEW = {
    "event": "REJECTED",
    "message_template_id": 594425479261596,
    "message_template_name": "order_ready",
    "message_template_language": "en_US",
    "reason": "INVALID_FORMAT",
}


def test_a_review_becomes_a_template_update(theirs: tuple[WhatsApp, list[Any]]) -> None:
    document = change(REVIEW, "message_template_status_update", time=1763715600)
    ours, other = only(document), read_by(theirs, document)
    assert isinstance(ours, TemplateUpdate)
    assert (ours.name, ours.language, ours.event) == ("order_ready", "en_US", "REJECTED")
    assert (ours.event, ours.reason) == (other.new_status.value, other.reason.value)


@pytest.mark.parametrize(
    ("field", "more", "event", "reason"),
    [
        ("message_template_status_update", {"event": "APPROVED", "reason": "NONE"}, "APPROVED", None),
        ("message_template_status_update", {"event": "DELETED", "reason": None}, "DELETED", None),
        (
            "message_template_status_update",
            {"event": "PAUSED", "reason": None, "other_info": {"title": "FIRST_PAUSE"}},
            "PAUSED",
            "FIRST_PAUSE",
        ),
        ("message_template_quality_update", {"new_quality_score": "RED", "reason": None}, "QUALITY_RED", None),
        ("template_category_update", {"new_category": "MARKETING", "reason": None}, "CATEGORY_MARKETING", None),
        ("message_template_components_update", {"reason": None}, "COMPONENTS", None),
    ],
)
def test_other_news_about_templates_are_updates_too(
    field: str, more: Mapping[str, Any], event: str, reason: str | None
) -> None:
    update = only(change({**REVIEW, **more}, field, time=1763715600))
    assert isinstance(update, TemplateUpdate)
    assert (update.event, update.reason) == (event, reason)


def test_the_same_pause_at_another_time_is_another_event() -> None:
    keys = [
        only(change(REVIEW, "message_template_status_update", time=time)).event_key
        for time in (1763715600, "1763715600", 1763799999)
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    "field", ["account_update", "user_preferences", "phone_number_quality_update", "user_id_update"]
)
def test_other_changes_are_kept_under_their_name(field: str) -> None:
    event = only(change({"event": "SOMETHING"}, field))
    assert isinstance(event, Unknown)
    assert (event.kind, event.raw["value"]) == (field, {"event": "SOMETHING"})


@given(JSON)
def test_no_json_makes_reading_fail(document: Any) -> None:
    for whole in (document, change(document), change(value(statuses=document, messages=document, contacts=document))):
        found = META.events(Callback(body=json.dumps(whole).encode(), headers={}))
        assert found
        for event in found:
            json.dumps(getattr(event, "raw", {}), allow_nan=False)


@given(st.dictionaries(st.sampled_from([*WRITTEN, "type", "text", "image", "context", "interactive"]), JSON))
def test_no_message_makes_reading_fail(message: dict[str, Any]) -> None:
    for kind in ("text", "image", "interactive", "reaction", "location", "order", "system", "contacts"):
        whole = change(value(messages=[{**WRITTEN, **message, "type": kind}], statuses=[{**status(), **message}]))
        assert len(META.events(Callback(body=json.dumps(whole).encode(), headers={}))) == 2


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_fail(body: bytes) -> None:
    assert META.events(Callback(body=body, headers={}))


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"1" * 10_000, b"\xff"])
def test_hostile_bodies_are_kept_as_unknown(body: bytes) -> None:
    (event,) = META.events(Callback(body=body, headers={}))
    assert isinstance(event, Unknown)


@given(body=st.binary(min_size=1, max_size=200), place=st.integers(min_value=0), other=st.integers(1, 255))
def test_a_changed_byte_breaks_the_signature(body: bytes, place: int, other: int) -> None:
    genuine = signed(body)
    META.authenticate(genuine)
    changed = bytearray(body)
    changed[place % len(body)] ^= other
    with pytest.raises(CallbackRefused):
        META.authenticate(Callback(body=bytes(changed), headers=genuine.headers))


def test_the_handshake_answers_the_challenge_to_those_who_know_the_token() -> None:
    genuine = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "the-verify-token"}
    assert META.challenge(genuine) == "1158201444"
    for name, wrong in {"hub.mode": "unsubscribe", "hub.challenge": "", "hub.verify_token": "é"}.items():
        for query in ({**genuine, name: wrong}, {key: item for key, item in genuine.items() if key != name}):
            with pytest.raises(CallbackRefused):
                META.challenge(query)
