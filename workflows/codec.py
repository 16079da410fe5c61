"""Seals every payload that leaves for Temporal, so that its database and its UI hold nothing readable."""

from collections.abc import Iterable

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from sealing import KeyRing

ENCODING = b"binary/carillon-aes256gcm"
_PLACE = "temporal|payload"


class SealingCodec(PayloadCodec):
    """Seals and opens payloads with the key ring; what was not sealed passes through unchanged."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Returns the payloads sealed."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        """Returns the payloads opened.

        Raises:
            SealError: A payload's key is not on the ring, or it is damaged.
        """
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        sealed = self._key_ring.seal(payload.SerializeToString(), place=_PLACE)
        return Payload(metadata={"encoding": ENCODING}, data=sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        return Payload.FromString(self._key_ring.open(payload.data, place=_PLACE))
