"""Downloads attachments from links that people give us, without letting a link reach into our own network."""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import httpx

from domain.errors import MediaRefused, Unavailable

_TIMEOUT = httpx.Timeout(5.0, read=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A file as its server gave it."""

    filename: str
    content_type: str
    body: bytes = field(repr=False)


class Downloads:
    """Fetches public links: https only, no redirects, no private addresses, a bounded size.

    `allowed_hosts` names `host:port` values that may be private and unencrypted, such as a stand-in on this machine.
    """

    def __init__(self, allowed_hosts: frozenset[str] = frozenset()) -> None:
        self._allowed_hosts = allowed_hosts
        self._client = httpx.AsyncClient(follow_redirects=False, timeout=_TIMEOUT, trust_env=False)

    async def fetch(self, link: str, *, largest: int) -> Downloaded:
        """Returns the file behind `link`, at most `largest` bytes.

        Raises:
            MediaRefused: The link must not be followed, does not exist, or is too large.
            Unavailable: Its server cannot be reached or is down for the moment.
        """
        url = self._checked(link)
        try:
            return await self._download(url, largest)
        except httpx.TransportError as error:
            raise Unavailable(f"an attachment's link cannot be fetched: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def _checked(self, link: str) -> httpx.URL:
        try:
            url = httpx.URL(link)
        except httpx.InvalidURL as error:
            raise MediaRefused("an attachment's link is not a URL") from error
        if not url.host or (url.scheme != "https" and not self._is_allowed(url)):
            raise MediaRefused("an attachment's link must be an https URL")
        return url

    async def _download(self, url: httpx.URL, largest: int) -> Downloaded:
        # Connecting to the address that was checked, under the name that was asked for, leaves no room for a name that
        # resolves differently the second time.
        address = url.host if self._is_allowed(url) else await _public_address(url.host, url.port or 443)
        request = self._client.build_request("GET", url.copy_with(host=address), headers={"host": url.netloc.decode()})
        request.extensions["sni_hostname"] = url.host
        response = await self._client.send(request, stream=True)
        try:
            if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise Unavailable(f"an attachment's server answered {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise MediaRefused(f"an attachment's link answered {response.status_code}")
            body = await _bounded(response, largest)
        finally:
            await response.aclose()
        content_type = response.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
        return Downloaded(filename=PurePosixPath(url.path).name or "attachment", content_type=content_type, body=body)

    def _is_allowed(self, url: httpx.URL) -> bool:
        return url.netloc.decode().lower() in self._allowed_hosts


async def _bounded(response: httpx.Response, largest: int) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > largest:
            raise MediaRefused(f"an attachment is larger than {largest} bytes")
    return bytes(body)


async def _public_address(host: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Unavailable("an attachment's host does not resolve") from error
    addresses = [str(item[4][0]) for item in found]
    if not all(ipaddress.ip_address(address).is_global for address in addresses):
        raise MediaRefused("an attachment's link leads into a private network")
    return addresses[0]
