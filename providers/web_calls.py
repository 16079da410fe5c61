"""Asks a tenant's own services, signed as Standard Webhooks are: https://www.standardwebhooks.com."""

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpx
import orjson

from domain.errors import Rejected, Throttled, Unavailable
from providers.public_links import LinkRefused, PublicLinks, bounded

LARGEST_ANSWER = 64 * 1024
_TOO_MANY = httpx.codes.TOO_MANY_REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a service said: its status, and its body where that is JSON."""

    status: int
    body: Any = field(repr=False)


class WebCalls:
    """Posts documents to public https addresses."""

    def __init__(self, allowed_hosts: frozenset[str] = frozenset()) -> None:
        self._links = PublicLinks(allowed_hosts)

    async def post(self, url: str, body: bytes, *, call_id: str, at: int, secrets: Sequence[bytes]) -> Answer:
        """Returns what a service answers to a document; the same `call_id` is the same call.

        Args:
            url: The service's address.
            body: JSON.
            call_id: By which the service knows a repetition.
            at: Seconds since 1970 when it is signed.
            secrets: The keys that sign, all of them.

        Raises:
            Rejected: The address must not be asked, or the service refuses the call (4xx).
            Unavailable: It cannot be reached, or is down for the moment (5xx).
            Throttled: It asks for fewer calls (429).
        """
        headers = {
            "content-type": "application/json",
            "webhook-id": call_id,
            "webhook-timestamp": str(at),
            "webhook-signature": signatures(secrets, call_id, at, body),
        }
        try:
            response = await self._links.send("POST", url, content=body, headers=headers)
            try:
                return await _answer(response)
            finally:
                await response.aclose()
        except LinkRefused as error:
            raise Rejected(f"the address {error}") from error
        except httpx.TransportError as error:
            raise Unavailable(f"the service cannot be reached: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._links.aclose()


def signatures(secrets: Sequence[bytes], call_id: str, at: int, body: bytes) -> str:
    """Returns the signature of a call under each secret, separated by spaces."""
    signed = f"{call_id}.{at}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(one, signed, 'sha256')).decode()}" for one in secrets)


def shown_secret(secret: bytes) -> str:
    """Returns a secret as libraries of Standard Webhooks take it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


async def _answer(response: httpx.Response) -> Answer:
    status = response.status_code
    if status == _TOO_MANY:
        raise Throttled(f"the service answered {status}")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"the service answered {status}")
    if not httpx.codes.is_success(status):
        raise Rejected(f"the service answered {status}")
    body = await bounded(response, LARGEST_ANSWER)
    if body is None:
        raise Rejected(f"the service's answer is larger than {LARGEST_ANSWER} bytes")
    return Answer(status=status, body=_json(body))


def _json(body: bytes) -> Any:
    """Returns the value of a JSON body that can be stored, or None."""
    try:
        found = json.loads(body.decode(), parse_constant=_refuse) if body else None
        orjson.dumps(found)
    except (ValueError, TypeError, RecursionError):
        return None
    return None if "\\u0000" in orjson.dumps(found).decode() else found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
