"""Errors of the Graph API and of WhatsApp: which code means what to us.

Sources: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes and
https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

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
from providers.redaction import facts

CODES: dict[type[DeliveryError], tuple[int | range, ...]] = {
    # Credentials, permissions, registration; then integrity and payment of the account.
    Misconfigured: (
        *(0, 3, 10, 33, 190, range(200, 300), 131005, 131037, 131045, 131063, 133010),
        *(368, 131031, 131042, 131064),
    ),
    # Of the app or business account; of the number.
    Throttled: (4, 17, 32, 613, 80007, 80008, 130429, 131048, 133016),
    RecipientThrottled: (131056,),
    Unavailable: (1, 2, 131000, 131016, 131057, 133004),
    MediaRefused: (131052, 131053),
    OutsideWindow: (131047,),
    InvalidAddress: (131021, 131026),
    Unsubscribed: (131050,),
    TemplateUnavailable: (132001, 132015, 132016, 132068, 132069),
    ContentRefused: (100, 131008, 131009, 131051, 132000, 132005, 132007, 132008, 132012, 135000),
    # Refused for this recipient although the address is good: not on a test number's list, addressed by an id that this
    # kind of message does not take, another identity key, spared by a policy for marketing, or in a country that this
    # account must not write to, while all others may be written to.
    Rejected: (131030, 131062, 137000, 130472, 131049, 130497),
}
SUBCODES: dict[tuple[int, int], type[DeliveryError]] = {
    (100, 33): Misconfigured,  # the phone number id does not exist, or this token must not see it
}
_BY_CODE = {
    code: kind
    for kind, entries in CODES.items()
    for entry in entries
    for code in (entry if isinstance(entry, range) else (entry,))
}
_BY_STATUS: dict[int, type[DeliveryError]] = {401: Misconfigured, 403: Misconfigured, 404: Misconfigured}
_QUOTED_CODE = re.compile(r"\(#(\d{1,7})\)")
_MOST_SECONDS = 7 * 86400.0
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")


def refusal(response: httpx.Response, error: Mapping[str, Any], secrets: Iterable[str]) -> DeliveryError:
    """Returns what an answer with an error envelope means: by code, then by its words, by HTTP status at last."""
    kind = kind_of(error)
    if kind is None:
        kind = _by_status(response.status_code, transient=error.get("is_transient") is True)
    wait = retry_after(response) if issubclass(kind, Throttled | Unavailable) else None
    return kind(detail_of(error, secrets), provider_code=code_of(error), retry_after=wait)


def refusal_without_envelope(response: httpx.Response) -> DeliveryError:
    """Returns what an answer that neither accepts nor explains means; doubt wherever a gateway may have made it."""
    status = response.status_code
    detail = f"the provider answered {status} without saying why"
    if status < httpx.codes.MULTIPLE_CHOICES or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Uncertain(detail, provider_code=str(status))
    if status < httpx.codes.BAD_REQUEST:
        return Misconfigured(f"the provider redirects ({status}); correct the base URL", provider_code=str(status))
    kind = _by_status(status, transient=False)
    wait = retry_after(response) if kind is Throttled else None
    return kind(detail, provider_code=str(status), retry_after=wait)


def kind_of(error: Mapping[str, Any]) -> type[DeliveryError] | None:
    """Returns the class of an error object, synchronous or in a callback, or None for a code nobody knows yet."""
    code, subcode = _whole(error.get("code")), _whole(error.get("error_subcode"))
    if code is None:
        return None
    if subcode is not None and (code, subcode) in SUBCODES:
        return SUBCODES[code, subcode]
    return _BY_CODE.get(code) or _quoted_kind(error)


def code_of(error: Mapping[str, Any]) -> str | None:
    """Returns the provider's code as text, with its subcode where there is one."""
    code, subcode = _whole(error.get("code")), _whole(error.get("error_subcode"))
    if code is None:
        return None
    return str(code) if subcode is None else f"{code}/{subcode}"


def detail_of(error: Mapping[str, Any], secrets: Iterable[str]) -> str:
    """Returns the provider's words, without addresses and secrets, and the trace id that its support asks for."""
    words: list[str] = []
    for text in (error.get("message"), error.get("title"), _details(error)):
        if isinstance(text, str) and text and not any(text in known for known in words):
            words.append(text)
    trace = error.get("fbtrace_id")
    traced = f" [trace {trace}]" if isinstance(trace, str) and trace.isascii() and trace.isprintable() else ""
    return facts(": ".join(words) or "no explanation was given", secrets=secrets) + traced[:60]


def retry_after(response: httpx.Response) -> float | None:
    """Returns the seconds that the provider asks to wait, from its standard header or its usage report."""
    given = response.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(given):
        return min(float(given), _MOST_SECONDS)
    if given:
        return _until(given, response.headers.get("date", ""))
    return _usage_wait(response.headers.get("x-business-use-case-usage", ""))


def _until(moment: str, now: str) -> float | None:
    try:
        start = parsedate_to_datetime(now) if now else datetime.now(UTC)
        seconds = (parsedate_to_datetime(moment) - start).total_seconds()
    except (ValueError, TypeError, OverflowError):  # not a date, or only one of them has a zone
        return None
    return min(max(seconds, 0.0), _MOST_SECONDS)


def _usage_wait(report: str) -> float | None:
    """Returns the longest `estimated_time_to_regain_access`, which is in minutes."""
    try:
        usage = json.loads(report) if report else {}
    except (ValueError, RecursionError):
        return None
    entries = [entry for listed in _values(usage) for entry in _values(listed) if isinstance(entry, dict)]
    found = [entry.get("estimated_time_to_regain_access") for entry in entries]
    minutes = [float(x) for x in found if isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)]
    longest = max(minutes, default=0.0)
    return min(longest * 60, _MOST_SECONDS) if longest > 0 else None


def _values(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _by_status(status: int, *, transient: bool) -> type[DeliveryError]:
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Throttled
    if transient or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Unavailable
    if status == httpx.codes.REQUEST_TIMEOUT:
        return Uncertain
    return _BY_STATUS.get(status, Rejected)


def _quoted_kind(error: Mapping[str, Any]) -> type[DeliveryError] | None:
    """Returns the class of a known code that the words of an unknown one cite, as in "(#131026) Undeliverable"."""
    for text in (_details(error), error.get("message")):
        for cited in _QUOTED_CODE.findall(text) if isinstance(text, str) else ():
            if kind := _BY_CODE.get(int(cited)):
                return kind
    return None


def _details(error: Mapping[str, Any]) -> Any:
    more = error.get("error_data")
    return more.get("details") if isinstance(more, dict) else None


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len("1000000"):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
