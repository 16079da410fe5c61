"""How large a body may be, by path."""

_MEBIBYTE = 1024 * 1024
DEFAULT = _MEBIBYTE

# The longest matching prefix wins: files come whole, and providers batch their events.
_BY_PREFIX = {
    "/v1/uploads": 16 * _MEBIBYTE + 64 * 1024,
    "/api/webhooks/": 4 * _MEBIBYTE,
}


def body_limit(path: str) -> int:
    """Returns how many bytes a body sent to `path` may have."""
    matching = [prefix for prefix in _BY_PREFIX if path.startswith(prefix)]
    return _BY_PREFIX[max(matching, key=len)] if matching else DEFAULT
