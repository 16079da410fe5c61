"""Reads callbacks, with our provider and with the other client."""

from typing import Any

from pywa.client import WhatsApp

from providers.base import Event
from providers.meta import Meta

from .cases import META_CONFIG, signed

META = Meta.configure(META_CONFIG)


def events(document: Any) -> tuple[Event, ...]:
    callback = signed(document)
    META.authenticate(callback)
    return META.events(callback)


def only(document: Any) -> Any:
    (event,) = events(document)
    return event


def read_by(theirs: tuple[WhatsApp, list[Any]], document: Any) -> Any:
    client, seen = theirs
    callback = signed(document)
    assert client.webhook_update_validator(callback.body, callback.headers["x-hub-signature-256"]) is None
    client.webhook_update_handler(callback.body)
    return seen.pop()
