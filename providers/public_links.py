"""Requests to addresses that people give us, without letting one reach into our own network."""

import asyncio
import ipaddress
import socket
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from domain.errors import Unavailable
from providers import trust

# IPv6 addresses that stand for IPv4 ones: RFC 6052 and RFC 4291, section 2.5.5.1.
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_TIMEOUT = httpx.Timeout(5.0, read=10.0)


class LinkRefused(Exception):  # noqa: N818 - the words that follow "the link" say what is wrong
    """An address must not be followed; the message says why, to stand behind what it is the link of."""


class PublicLinks:
    """Asks public addresses: https only, no redirects, no private networks.

    `allowed_hosts` names `host:port` values that may be private and unencrypted, such as a stand-in on this machine.
    """

    def __init__(self, allowed_hosts: frozenset[str] = frozenset()) -> None:
        self._allowed_hosts = allowed_hosts
        nothing = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # what one service sets is nobody else's
        self._client = httpx.AsyncClient(
            follow_redirects=False, timeout=_TIMEOUT, trust_env=False, cookies=nothing, verify=trust.of_browsers()
        )

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
    if not all(is_public(address) for address in addresses):
        raise LinkRefused("leads into a private network")
    return addresses[0]


def is_public(address: str) -> bool:
    """Tells whether an address is one of the Internet; so must be the IPv4 address that an IPv6 one may carry."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return found.is_global
    inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
    if found in _TRANSLATED or found in _COMPATIBLE:
        inner.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
    return found.is_global and not found.is_site_local and all(one is None or one.is_global for one in inner)
