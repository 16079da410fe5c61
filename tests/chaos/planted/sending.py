"""Bugs around the request itself: repeating it, and believing an answer that cannot be read."""

from typing import Any

import httpx

from domain.errors import Uncertain
from providers.base import Accepted, Request, Response
from providers.meta import Meta
from providers.transport import Transport
from tests.chaos.planted.registry import WORKER, bug, swap
from tests.chaos.report import Kind

_TRIES = 3


@bug(WORKER, finds={Kind.DUPLICATED})
def transport_retries() -> None:
    """The HTTP client's retries are on, as many clients have them by default."""

    def retrying(send: Any) -> Any:
        async def sent(self: Transport, request: Request) -> Response:
            for _ in range(_TRIES - 1):
                try:
                    response: Response = await send(self, request)
                except Uncertain:
                    continue
                return response
            last: Response = await send(self, request)
            return last

        return sent

    swap(Transport, "send", retrying)


@bug(WORKER, finds={Kind.LOST})
def unreadable_answer_is_acceptance() -> None:
    """An answer with status 200 counts as acceptance, whatever its body says."""

    def lenient(accepted: Any) -> Any:
        def read(self: Meta, response: Response) -> Accepted:
            if isinstance(response, httpx.Response) and response.is_success:
                try:
                    found: Accepted = accepted(self, response)
                except Uncertain:
                    return Accepted(provider_message_id="")
                return found
            refused: Accepted = accepted(self, response)
            return refused

        return read

    swap(Meta, "accepted", lenient)
