"""API keys as callers hold them: `car_<prefix>_<secret>`; only the prefix and a digest are ever stored."""

import hmac
import re
import secrets
from dataclasses import dataclass, field

from sealing import KeyRing

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX_LENGTH = 12
_SECRET_LENGTH = 43  # 43 of 62 characters hold 256 bits
_SHAPE = re.compile(rf"car_([0-9A-Za-z]{{{_PREFIX_LENGTH}}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})")
_PURPOSE = "api key"


@dataclass(frozen=True, slots=True)
class Credential:
    """The two parts of an API key."""

    prefix: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"car_{self.prefix}_{self.secret}"

    def digest(self, key_ring: KeyRing) -> bytes:
        """Returns what is stored of the secret."""
        return key_ring.digests(self.secret, purpose=_PURPOSE)[0]

    def matches(self, stored: bytes, key_ring: KeyRing) -> bool:
        """Tells in constant time whether `stored` is this secret's digest under any key of the ring."""
        digests = key_ring.digests(self.secret, purpose=_PURPOSE)
        return any(hmac.compare_digest(stored, digest) for digest in digests)


def generate() -> Credential:
    """Returns a new key with 256 random bits."""
    return Credential(_random(_PREFIX_LENGTH), _random(_SECRET_LENGTH))


def parse(text: str) -> Credential | None:
    """Returns the parts of a key, or nothing when the text has not the shape of one."""
    match = _SHAPE.fullmatch(text)
    return Credential(match[1], match[2]) if match else None


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
