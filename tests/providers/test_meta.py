"""WhatsApp Cloud API: what its answers mean, and which configurations it takes."""

import json
from typing import Any

import httpx
import pytest

from domain.errors import (
    ContentRefused,
    DeliveryError,
    InvalidAddress,
    MediaRefused,
    Misconfigured,
    OutsideWindow,
    RecipientThrottled,
    Rejected,
    TemplateUnavailable,
    Throttled,
    Unavailable,
    Uncertain,
    Unsubscribed,
)
from providers import meta_errors
from providers.meta import Meta

from .cases import META_CONFIG, graph_error


@pytest.mark.parametrize("word", ["held_for_quality_assessment", "paused", "accepted"])
def test_an_acceptance_tells_whether_the_message_is_held(meta: Meta, word: str) -> None:
    answer = httpx.Response(200, json={"messages": [{"id": "wamid.X", "message_status": word}]})
    assert meta.accepted(answer).held is (word != "accepted")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, Misconfigured),
        (10, Misconfigured),
        (190, Misconfigured),
        (299, Misconfigured),
        (131031, Misconfigured),
        (131042, Misconfigured),
        (4, Throttled),
        (80007, Throttled),
        (130429, Throttled),
        (131048, Throttled),
        (131056, RecipientThrottled),
        (2, Unavailable),
        (131000, Unavailable),
        (131057, Unavailable),
        (131053, MediaRefused),
        (131047, OutsideWindow),
        (131026, InvalidAddress),
        (131050, Unsubscribed),
        (131030, Rejected),
        (131049, Rejected),
        (130497, Rejected),
        (132001, TemplateUnavailable),
        (132015, TemplateUnavailable),
        (132000, ContentRefused),
        (132012, ContentRefused),
        (100, ContentRefused),
        (131009, ContentRefused),
    ],
)
@pytest.mark.parametrize("http_status", [400, 401, 429, 500, 503])
def test_the_code_decides_whatever_the_http_status(
    meta: Meta, code: int, kind: type[DeliveryError], http_status: int
) -> None:
    with pytest.raises(DeliveryError) as error:
        meta.accepted(graph_error(http_status, code))
    assert type(error.value) is kind
    assert error.value.provider_code == str(code)


def test_no_code_stands_in_two_classes() -> None:
    listed = [
        code for entries in meta_errors.CODES.values() for e in entries for code in ([e] if isinstance(e, int) else e)
    ]
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (graph_error(400, 100, error_subcode=33), Misconfigured),
        (graph_error(400, 999999, error_data={"details": "(#131026) Undeliverable"}), InvalidAddress),
        (graph_error(400, 999999), Rejected),
        (graph_error(400, 999999, is_transient=True), Unavailable),
        (graph_error(429, 999999), Throttled),
        (graph_error(500, 999999), Unavailable),
        (httpx.Response(500, json={"error": {"message": "no code"}}), Unavailable),
        (httpx.Response(403, text="Forbidden"), Misconfigured),
        (httpx.Response(400, text="Bad Request"), Rejected),
        (httpx.Response(429, text=""), Throttled),
        (httpx.Response(302, headers={"location": "https://elsewhere.example"}), Misconfigured),
        (httpx.Response(504, text=""), Uncertain),
        (httpx.Response(500, json=["error"]), Uncertain),
        (httpx.Response(200, json={"messages": []}), Uncertain),
        (httpx.Response(200, json={"messages": [{"id": 7}]}), Uncertain),
        (httpx.Response(200, content=b"[" * 200_000), Uncertain),
    ],
    ids=lambda value: "" if isinstance(value, type) else f"{value.status_code} {value.text[:60]}",
)
def test_an_answer_that_is_not_in_the_table_means_no_more_than_it_says(
    meta: Meta, response: httpx.Response, kind: type[DeliveryError]
) -> None:
    with pytest.raises(DeliveryError) as error:
        meta.accepted(response)
    assert type(error.value) is kind


USAGE = json.dumps({"102290129340398": [{"type": "whatsapp", "estimated_time_to_regain_access": 3}]})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "Fri, 21 Nov 2025 09:01:00 GMT", "date": "Fri, 21 Nov 2025 09:00:00 GMT"}, 60.0),
        ({"retry-after": "Fri, 21 Nov 2025 08:00:00 GMT", "date": "Fri, 21 Nov 2025 09:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "999999999"}, 7 * 86400.0),
        ({"x-business-use-case-usage": USAGE}, 180.0),
        ({"x-business-use-case-usage": "{"}, None),
        ({"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": 0}]}'}, None),
        ({}, None),
    ],
)
def test_a_throttled_answer_tells_how_long_to_wait(meta: Meta, headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(Throttled) as error:
        meta.accepted(graph_error(400, 130429, headers=headers))
    assert error.value.retry_after == seconds


def test_a_detail_keeps_the_facts_and_hides_the_person(meta: Meta) -> None:
    details = "Message to +91 98765 43210 at https://files.example/a?token=1 failed for asha@example.org"
    with pytest.raises(InvalidAddress) as error:
        meta.accepted(graph_error(400, 131026, error_data={"details": details}))
    assert error.value.detail == "(#131026) Some words: Message to … at … failed for … [trace Az8or]"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone_number_id", "../me"),
        ("phone_number_id", 106540352242922),
        ("access_token", "two words"),
        ("access_token", "line\r\nbreak"),
        ("app_secret", ""),
        ("graph_version", "twenty"),
        ("base_url", "https://user:password@graph.facebook.com"),
        ("base_url", "ftp://graph.facebook.com"),
        ("base_url", "https://graph.facebook.com/?a=1"),
        ("base_url", "https://graph.facebook.com:port"),
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field) as error:
        Meta.configure({**META_CONFIG, field: value})
    assert not value or str(value) not in str(error.value)
