"""Whom this process trusts on the other side of TLS, read once: to read it takes longer than most requests."""

import ssl
from functools import cache

import httpx


@cache
def of_machine() -> ssl.SSLContext:
    """Returns a context with the authorities that the machine trusts, shared by all who ask."""
    return ssl.create_default_context()


@cache
def of_browsers() -> ssl.SSLContext:
    """Returns a context with the authorities that browsers trust, as httpx brings them, shared by all who ask."""
    return httpx.create_ssl_context(trust_env=False)
