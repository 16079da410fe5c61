"""Asks a provider whether an account's credentials work, without sending anything to anybody."""

import asyncio
import ipaddress
import socket
from typing import Any

import aiosmtplib
import httpx

from domain.errors import DeliveryError
from providers import trust
from providers.base import Provider
from providers.meta import Meta
from providers.redaction import facts
from providers.smtp import Smtp

_SECONDS = 15.0
_SOCKET_SECONDS = 8.0
_LARGEST_ANSWER = 64 * 1024


class VerificationError(Exception):
    """The provider does not confirm the account, or could not be asked.

    Args:
        detail: What it said, for operators: facts, never secrets.
        code: A code of `domain.errors`, or `unavailable` when nobody answered.
        retryable: Whether the same configuration may be confirmed later.
    """

    def __init__(self, detail: str, *, code: str, retryable: bool) -> None:
        super().__init__(detail)
        self.code = code
        self.retryable = retryable


async def verify(provider: Provider, *, allowed_hosts: frozenset[str]) -> None:
    """Returns when the provider confirms the credentials.

    Meta is asked for the phone number, an SMTP server to let us in; whoever has no such question is taken at its word.

    Args:
        provider: The account's provider.
        allowed_hosts: Hosts (`host` or `host:port`) that may lie in our own network.

    Raises:
        VerificationError: It does not, or nobody answered in time.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            match provider:
                case Meta():
                    await _ask_meta(provider)
                case Smtp():
                    await _refuse_inner(provider.host, provider.port, allowed_hosts)
                    await _ask_smtp(provider)
                case _:
                    return
    except TimeoutError as error:
        raise _unreachable("it did not answer in time") from error


async def _ask_meta(provider: Meta) -> None:
    url = f"{provider.base_url}/{provider.graph_version}/{provider.phone_number_id}"
    timeout = httpx.Timeout(_SOCKET_SECONDS)
    headers = {"Authorization": f"Bearer {provider.access_token}"}
    async with httpx.AsyncClient(
        timeout=timeout, follow_redirects=False, trust_env=False, verify=trust.of_browsers()
    ) as client:
        try:
            response = await client.get(url, params={"fields": "id,display_phone_number"}, headers=headers)
        except httpx.HTTPError as error:
            raise _unreachable(type(error).__name__) from error
    if response.is_success and _field(response, "id") == provider.phone_number_id:
        return
    try:
        provider.accepted(response)
    except DeliveryError as error:
        raise VerificationError(f"Meta says: {error.detail}", code=error.code, retryable=error.retryable) from error
    raise VerificationError(
        "Meta answered for another object; check phone_number_id", code="misconfigured", retryable=False
    )


def _field(response: httpx.Response, name: str) -> Any:
    if len(response.content) > _LARGEST_ANSWER:
        return None
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer.get(name) if isinstance(answer, dict) else None


async def _ask_smtp(provider: Smtp) -> None:
    client = aiosmtplib.SMTP(
        hostname=provider.host,
        port=provider.port,
        timeout=_SOCKET_SECONDS,
        use_tls=provider.security == "tls",
        start_tls=provider.security == "starttls",
    )
    secrets = filter(None, (provider.username, provider.password))
    try:
        await client.connect()
        if provider.username is not None and provider.password is not None:
            await client.login(provider.username, provider.password)
        await client.noop()
        await client.quit()
    except aiosmtplib.SMTPAuthenticationError as error:
        said = facts(error.message, secrets=secrets)
        raise VerificationError(
            f"the server refuses the log-in: {error.code} {said}", code="misconfigured", retryable=False
        ) from error
    except aiosmtplib.SMTPResponseException as error:
        retryable = error.code < 500  # noqa: PLR2004 - 4xx of SMTP are for now, 5xx for good
        raise VerificationError(
            f"the server says: {error.code} {facts(error.message, secrets=secrets)}",
            code="unavailable" if retryable else "misconfigured",
            retryable=retryable,
        ) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _unreachable(type(error).__name__) from error
    finally:
        client.close()


async def _refuse_inner(host: str, port: int, allowed: frozenset[str]) -> None:
    """Refuses a name that leads into our own network, whatever it looks like."""
    if host.lower() in allowed or f"{host.lower()}:{port}" in allowed:
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise _unreachable("there is no such host") from error
    if any(not ipaddress.ip_address(place[4][0]).is_global for place in found):
        raise VerificationError("the host leads into a private network", code="misconfigured", retryable=False)


def _unreachable(why: str) -> VerificationError:
    return VerificationError(f"the provider could not be asked: {why}", code="unavailable", retryable=True)
