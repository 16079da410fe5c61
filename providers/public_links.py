"""Requests to addresses that people give us, without letting one reach into our own network."""

import asyncio
import ipaddress
import socket
from typing import Any

import httpx

from domain.errors import Unavailable

_TIMEOUT = httpx.Timeout(5.0, read=10.0)


class LinkRefused(Exception):  # noqa: N818 - the words that follow "the link" say what is wrong
    """An address must not be followed; the message says why, to stand behind what it is the link of."""


class PublicLinks:
    """Asks public addresses: https only, no redirects, no private networks.

    `allowed_hosts` names `host:port` values that may be private and unencrypted, such as a stand-in on this machine.
    """

    def __init__(self, allowed_hosts: frozenset[str] = frozenset()) -> None:
        self._allowed_hosts = allowed_hosts
        self._client = httpx.AsyncClient(follow_redirects=False, timeout=_TIMEOUT, trust_env=False)

    async def send(self, method: str, link: str, **options: Any) -> httpx.Response:
        """Returns the answer with its body still to be read; close it afterwards.

        Raises:
            LinkRefused: The address must not be followed.
            Unavailable: Its host does not resolve.
        """
        url = self._checked(link)
        # Connecting to the address that was checked, under the name that was asked for, leaves no room for a name that
        # resolves differently the second time.
        address = url.host if self._is_allowed(url) else await _public_address(url.host, url.port or 443)
        headers = {**options.pop("headers", {}), "host": url.netloc.decode()}
        request = self._client.build_request(method, url.copy_with(host=address), headers=headers, **options)
        request.extensions["sni_hostname"] = url.host
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def _checked(self, link: str) -> httpx.URL:
        try:
            url = httpx.URL(link)
        except httpx.InvalidURL as error:
            raise LinkRefused("is not a URL") from error
        if not url.host or (url.scheme != "https" and not self._is_allowed(url)):
            raise LinkRefused("must be an https URL")
        return url

    def _is_allowed(self, url: httpx.URL) -> bool:
        return url.netloc.decode().lower() in self._allowed_hosts


async def bounded(response: httpx.Response, largest: int) -> bytes | None:
    """Returns the body of an answer, or None where it is larger than `largest` bytes."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > largest:
            return None
    return bytes(body)


async def _public_address(host: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Unavailable("the host does not resolve") from error
    addresses = [str(item[4][0]) for item in found]
    if not all(ipaddress.ip_address(address).is_global for address in addresses):
        raise LinkRefused("leads into a private network")
    return addresses[0]
