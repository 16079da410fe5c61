"""The API as commands use it: which one is meant, by which key, and its refusals as one sentence.

`CARILLON_URL` and `CARILLON_KEY` name another instance. Without them a command asks the one that runs in the data
directory of this machine, as its demo tenant.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from stack.home import Home, open_home
from stack.problems import StackError
from stack.state import read_state

_SECONDS = 30.0
_MOST_ROWS = 200
_EVENT = "application/cloudevents+json"
_OURS = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which API a command asks, with which key, and where the key is from."""

    url: str
    key: str = field(repr=False)
    key_from: str


def find_target(environment: Mapping[str, str] = os.environ, home: Home | None = None) -> Target:
    """Returns the API that is meant: the one that the environment names, else the one that runs here.

    The key of the demo tenant is only ever given to the instance that it belongs to.

    Raises:
        StackError: Nothing runs here, or no key is known.
    """
    url, key = environment.get("CARILLON_URL", ""), environment.get("CARILLON_KEY", "")
    if url and not key:
        raise StackError("CARILLON_URL names an API but CARILLON_KEY no key; set it to a key of your tenant.")
    if url:
        return Target(url=_checked(url), key=key, key_from="CARILLON_KEY")
    here = home or open_home()
    found = _running(here)
    if key:
        return Target(url=found, key=key, key_from="CARILLON_KEY")
    return Target(url=found, key=_demo_key(here), key_from=str(here.path / "demo.json"))


class ApiClient:
    """One command's conversation with the API; what is refused is raised as the sentence that the problem holds."""

    def __init__(self, target: Target, *, transport: httpx.BaseTransport | None = None) -> None:
        self._target = target
        self._http = httpx.Client(
            base_url=target.url,
            headers={"Authorization": f"Bearer {target.key}"},
            timeout=_SECONDS,
            # Proxies of the environment lead away from this machine.
            trust_env=urlsplit(target.url).hostname not in _OURS,
            transport=transport,
        )

    def __enter__(self) -> Self:
        """Returns the client."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Closes its connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Returns what stands at a path; parts of the query that are None are left out."""
        return self._ask("GET", path, params=_given(query))

    def post(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        """Returns the answer to a request that changes something; members that are None are left out."""
        return self._ask("POST", path, params=_given(query), json=None if body is None else _given(body))

    def post_once(self, path: str, key: str | None) -> dict[str, Any]:
        """Returns the answer to an order; with a key it is carried out once, however often it is repeated."""
        return self._ask("POST", path, headers=_given({"Idempotency-Key": key}))

    def delete(self, path: str) -> None:
        """Removes what stands at a path."""
        self._answer("DELETE", path)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to a request that puts something at a path."""
        return self._ask("PUT", path, json=dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to a request that changes a part of what stands at a path."""
        return self._ask("PATCH", path, json=dict(body))

    def post_event(self, path: str, event: str) -> dict[str, Any]:
        """Returns the answer to a CloudEvent in JSON, which is sent as it was written."""
        return self._ask("POST", path, content=event.encode(), headers={"Content-Type": _EVENT})

    def rows(self, path: str, *, most: int | None = None, **query: Any) -> Iterator[dict[str, Any]]:
        """Yields the rows of a list, page by page, up to `most` of them."""
        cursor, left = None, most
        while left is None or left > 0:
            limit = _MOST_ROWS if left is None else min(left, _MOST_ROWS)
            page = self.get(path, limit=limit, cursor=cursor, **query)
            yield from page["data"]
            cursor, left = page["next_cursor"], None if left is None else left - len(page["data"])
            if cursor is None:
                return

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        found = _document(self._answer(method, path, **options))
        if found is None:
            raise StackError(f"What answers at {self._target.url} is not Carillon's API; check CARILLON_URL.")
        return found

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise StackError(f"The API at {self._target.url} does not answer ({reason}); is it running?") from error
        if answer.is_error:
            raise StackError(_refusal(self._target, answer))
        return answer


def connect() -> ApiClient:
    """Returns the client of the API that the environment or the data directory names."""
    return ApiClient(find_target())


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise StackError(f"CARILLON_URL is {url!r}, which is no address; write it like https://carillon.example.com.")
    return url.rstrip("/")


def _running(home: Home) -> str:
    state = read_state(home)
    if state is None or not state.is_running() or "API" not in state.urls:
        raise StackError(
            f"Carillon does not run in {home.path}; start it with 'carillon up', or set CARILLON_URL and CARILLON_KEY."
        )
    return state.urls["API"]


def _demo_key(home: Home) -> str:
    try:
        return str(json.loads((home.path / "demo.json").read_text("utf-8"))["key"])
    except (OSError, ValueError, KeyError) as error:
        raise StackError(f"No key is known in {home.path}; set CARILLON_KEY to a key of your tenant.") from error


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _document(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        found = answer.json() if answer.content else {}
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _refusal(target: Target, answer: httpx.Response) -> str:
    """Returns the sentence of a problem document, with what is wrong in the body."""
    problem = _document(answer) or {}
    said = str(problem.get("detail") or f"The API at {target.url} answered {answer.status_code}.")
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        said += f" The key is from {target.key_from}."
    errors = [one for one in problem.get("errors", []) if isinstance(one, dict)]
    if len(errors) > 1:
        said += "".join(f"\n  {one.get('pointer') or one.get('parameter') or '-'}: {one['detail']}" for one in errors)
    if retry_after := answer.headers.get("Retry-After"):
        said += f" Repeat it in {retry_after} seconds."
    return said
