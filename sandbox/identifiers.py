"""Identifiers as the WhatsApp platform coins them: message ids, user ids, normalised phone numbers."""

import base64
import hashlib
import re
import secrets

_COUNTRIES = {"1": "US", "7": "RU", "20": "EG", "27": "ZA", "31": "NL", "33": "FR", "34": "ES", "39": "IT", "44": "GB"}
_COUNTRIES |= {"49": "DE", "52": "MX", "55": "BR", "62": "ID", "81": "JP", "91": "IN", "234": "NG", "254": "KE"}
_BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
_PHONE = re.compile(r"\d{5,15}")
_LOOSE = re.compile(r"[\s().\-]")


def wamid(user: str) -> str:
    """Returns a new message id, which encodes the user's number and random digits as the real ones do."""
    number = user.encode()[:120]
    random = secrets.token_hex(9).upper().encode()
    head = b"\x1c\x18" + bytes([len(number)]) + number
    return (
        "wamid." + base64.b64encode(head + b"\x15\x02\x00\x11\x18" + bytes([len(random)]) + random + b"\x00").decode()
    )


def bsuid(user: str) -> str:
    """Returns the business-scoped user id of a phone number, always the same one."""
    if is_bsuid(user):
        return user
    country = next((name for code, name in _COUNTRIES.items() if user.startswith(code)), "US")
    return f"{country}.{int.from_bytes(hashlib.sha256(user.encode()).digest()[:8]) % 10**16:016d}"


def is_bsuid(value: str) -> bool:
    """Tells whether a value has the form of a business-scoped user id."""
    return _BSUID.fullmatch(value) is not None


def phone(value: str) -> str | None:
    """Returns the digits of a phone number written with or without `+` and separators, None if it is none."""
    digits = _LOOSE.sub("", value.strip()).removeprefix("+")
    return digits if _PHONE.fullmatch(digits) else None


def numeric_id() -> str:
    """Returns a new id of an object of the Graph API, digits only."""
    return str(10**14 + secrets.randbelow(9 * 10**14))
