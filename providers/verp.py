"""Return paths that tell which attempt bounced: `bounces+<reference>.<signature>@domain`, signed against forgery.

Source: https://cr.yp.to/proto/verp.txt
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

_SIGNATURE_LENGTH = 8
_PATH = re.compile(r"bounces\+([0-9a-z]{1,45})\.([0-9a-f]{8})@([a-z0-9.-]{1,253})")


def return_path(reference: str, *, domain: str, key: str) -> str:
    """Returns the envelope sender of the attempt with this reference."""
    return f"bounces+{reference}.{_signature(reference, key)}@{domain}"


def reference_in(texts: Iterable[str], *, domain: str, key: str) -> str | None:
    """Returns the reference of the first return path among the texts that we signed."""
    for text in texts:
        # Servers on the way may change the case of the local part.
        for reference, signature, found in _PATH.findall(text.lower()):
            if found.rstrip(".") == domain.lower() and hmac.compare_digest(signature, _signature(reference, key)):
                return str(reference)
    return None


def _signature(reference: str, key: str) -> str:
    return hmac.new(key.encode(), reference.encode(), hashlib.sha256).hexdigest()[:_SIGNATURE_LENGTH]
