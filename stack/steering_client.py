"""The API as the commands of flows and series use it: they also replace, change, and send an event as it stands."""

from collections.abc import Mapping
from typing import Any

from stack.api_client import ApiClient, find_target

_EVENT = "application/cloudevents+json"


class SteeringClient(ApiClient):
    """One command's conversation with the API, with the requests that flows and series need besides."""

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to a request that puts something at a path."""
        return self._ask("PUT", path, json=dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to a request that changes a part of what stands at a path."""
        return self._ask("PATCH", path, json=dict(body))

    def post_event(self, path: str, event: str) -> dict[str, Any]:
        """Returns the answer to a CloudEvent in JSON, which is sent as it was written."""
        return self._ask("POST", path, content=event.encode(), headers={"Content-Type": _EVENT})


def connect() -> SteeringClient:
    """Returns the client of the API that the environment or the data directory names."""
    return SteeringClient(find_target())
