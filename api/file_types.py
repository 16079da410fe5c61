"""Which files may be uploaded, and whether one is what it says: active content and programs are not among them."""

from collections.abc import Callable


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda body: body.startswith(beginnings)


def _is_webp(body: bytes) -> bool:
    return body[:4] == b"RIFF" and body[8:12] == b"WEBP"


def _is_mp4(body: bytes) -> bool:
    return body[4:8] == b"ftyp"


def _is_text(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\x00" not in body


_ZIP = _starts(b"PK\x03\x04")
_OFFICE = "application/vnd.openxmlformats-officedocument"
_ALLOWED: dict[str, Callable[[bytes], bool]] = {
    "application/pdf": _starts(b"%PDF-"),
    "image/png": _starts(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": _starts(b"\xff\xd8\xff"),
    "image/gif": _starts(b"GIF87a", b"GIF89a"),
    "image/webp": _is_webp,
    "video/mp4": _is_mp4,
    "audio/mpeg": _starts(b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "audio/ogg": _starts(b"OggS"),
    "text/plain": _is_text,
    "text/csv": _is_text,
    "text/calendar": lambda body: _is_text(body) and body.lstrip().upper().startswith(b"BEGIN:VCALENDAR"),
    "application/json": _is_text,
    "application/zip": _ZIP,
    f"{_OFFICE}.wordprocessingml.document": _ZIP,
    f"{_OFFICE}.spreadsheetml.sheet": _ZIP,
    f"{_OFFICE}.presentationml.presentation": _ZIP,
}

ALLOWED = tuple(_ALLOWED)


def type_fault(content_type: str, body: bytes) -> str | None:
    """Returns what is wrong with a file of a declared type, or None."""
    if content_type not in _ALLOWED:
        return f"files of the type {content_type!r} are not taken; possible are {', '.join(ALLOWED)}"
    if not _ALLOWED[content_type](body):
        return f"the file does not look like {content_type}; declare the type that it has"
    return None
