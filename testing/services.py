"""Services that flows call in a play: they answer what the test says, and nothing leaves the machine."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import httpx

from domain.errors import Rejected, Throttled, Unavailable
from providers.web_calls import LARGEST_ANSWER, Answer, WebCalls

_TOO_MANY, _DOWN = 429, 500


class PlayServices(WebCalls):
    """What each address answers, and what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[str, Answer] = {}
        self._asked: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    def answers(self, url: str, status: int, body: Any) -> None:
        """Lets an address answer this from now on."""
        text = json.dumps(body)
        if len(text) > LARGEST_ANSWER:
            raise ValueError(f"a service's answer has at most {LARGEST_ANSWER} bytes")
        self._answers[url] = Answer(status=status, body=json.loads(text))

    def asked(self, url: str) -> list[dict[str, Any]]:
        """Returns the documents that an address was asked with, the first one first."""
        return list(self._asked[url])

    async def post(self, url: str, body: bytes, *, call_id: str, at: int, secrets: Sequence[bytes]) -> Answer:  # noqa: ARG002 - a play checks no signature
        """Returns what the play says that a service answers; it is asked without a network, and signed for nobody.

        Raises:
            Rejected: The play says nothing of this address, or lets it refuse the call or lead elsewhere (3xx, 4xx).
            Unavailable: The play lets it be down (5xx).
            Throttled: The play lets it ask for fewer calls (429).
        """
        self._asked[url].append(json.loads(body))
        answer = self._answers.get(url)
        if answer is None:
            raise Rejected(f"the play does not say what {url} answers; tell it with flows.service({url!r}, …)")
        told = f"the service answered {answer.status}"
        if answer.status == _TOO_MANY:
            raise Throttled(told)
        if answer.status >= _DOWN:
            raise Unavailable(told)
        if not httpx.codes.is_success(answer.status):
            raise Rejected(told)
        return answer
