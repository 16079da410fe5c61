"""The key ring: seals secrets with AES-256-GCM, and derives a key of its own for every purpose.

A sealed value is `version byte | length of key id | key id | nonce (12) | ciphertext and tag`. What it belongs to
(tenant, table, column, row) is authenticated with it, so that a value copied to another row does not open.
"""

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = 1
_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID_BYTES = 32
_HEAD_BYTES = 2


class SealError(Exception):
    """A sealed value does not open: another key, another place, or damage."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by id; the first one seals, all of them open, so that keys rotate without a moment of darkness."""

    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the ring for `id:base64,id:base64`; 32 bytes each.

        Raises:
            ValueError: Says which part is wrong, without showing the key.
        """
        keys: dict[str, bytes] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            key_id, _, encoded = part.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error as problem:
                raise ValueError(f"key {key_id!r} of the key ring is not base64") from problem
            if not key_id or len(key_id.encode()) > _KEY_ID_BYTES or len(key) != _KEY_BYTES:
                raise ValueError(f"key {key_id!r} of the key ring needs an id of 1 to 32 bytes and 32 bytes of key")
            keys[key_id] = key
        if not keys:
            raise ValueError("the key ring is empty; set CARILLON_KEY_RING to id:base64 of 32 random bytes")
        return cls(keys)

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """Returns `plain` sealed by the newest key for `place`, for example `tenant|account|config|id`."""
        key_id = next(iter(self.keys))
        nonce = os.urandom(_NONCE_BYTES)
        head = bytes([_VERSION, len(key_id.encode())]) + key_id.encode()
        sealer = AESGCM(_derive(self.keys[key_id], b"seal"))
        return head + nonce + sealer.encrypt(nonce, plain, head + place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Returns what was sealed for `place`.

        Raises:
            SealError: The key is not on the ring, the place differs, or the value is damaged.
        """
        if len(sealed) < _HEAD_BYTES or sealed[0] != _VERSION:
            raise SealError("the value was not sealed by this version")
        end = _HEAD_BYTES + sealed[1]
        head, nonce, body = sealed[:end], sealed[end : end + _NONCE_BYTES], sealed[end + _NONCE_BYTES :]
        key_id = head[_HEAD_BYTES:].decode("utf-8", "replace")
        if key_id not in self.keys:
            raise SealError(f"key {key_id!r} is not on the key ring")
        try:
            return AESGCM(_derive(self.keys[key_id], b"seal")).decrypt(nonce, body, head + place.encode())
        except (InvalidTag, ValueError) as problem:
            raise SealError("the value is damaged or belongs to another place") from problem

    def digests(self, secret: str, *, purpose: str) -> tuple[bytes, ...]:
        """Returns HMAC-SHA256 of `secret` under every key of the ring, the newest first."""
        return tuple(
            hmac.digest(_derive(key, purpose.encode()), secret.encode(), "sha256") for key in self.keys.values()
        )

    def derived(self, purpose: str) -> bytes:
        """Returns 32 bytes that only this ring's newest key and `purpose` give."""
        return _derive(next(iter(self.keys.values())), purpose.encode())


_derived: dict[tuple[bytes, bytes], bytes] = {}


def _derive(key: bytes, purpose: bytes) -> bytes:
    cached = _derived.get(slot := (hashlib.sha256(key).digest(), purpose))
    if cached is None:
        cached = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"carillon " + purpose).derive(key)
        _derived[slot] = cached
    return cached
