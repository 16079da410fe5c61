"""Downloads attachments from links that people give us, without letting a link reach into our own network."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

import httpx

from domain.errors import MediaRefused, Unavailable
from providers.public_links import LinkRefused, PublicLinks, bounded


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
        self._links = PublicLinks(allowed_hosts)

    async def fetch(self, link: str, *, largest: int) -> Downloaded:
        """Returns the file behind `link`, at most `largest` bytes.

        Raises:
            MediaRefused: The link must not be followed, does not exist, or is too large.
            Unavailable: Its server cannot be reached or is down for the moment.
        """
        try:
            response = await self._links.send("GET", link)
            try:
                return await _downloaded(response, link, largest)
            finally:
                await response.aclose()
        except LinkRefused as error:
            raise MediaRefused(f"an attachment's link {error}") from error
        except httpx.TransportError as error:
            raise Unavailable(f"an attachment's link cannot be fetched: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._links.aclose()


async def _downloaded(response: httpx.Response, link: str, largest: int) -> Downloaded:
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"an attachment's server answered {response.status_code}")
    if response.status_code != httpx.codes.OK:
        raise MediaRefused(f"an attachment's link answered {response.status_code}")
    body = await bounded(response, largest)
    if body is None:
        raise MediaRefused(f"an attachment is larger than {largest} bytes")
    content_type = response.headers.get("content-type", "application/octet-stream").partition(";")[0].strip()
    filename = PurePosixPath(httpx.URL(link).path).name or "attachment"
    return Downloaded(filename=filename, content_type=content_type, body=body)
