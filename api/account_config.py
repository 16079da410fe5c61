"""Configuration of accounts: checked by the provider, kept to hosts we may call, sealed, shown without secrets."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from activities.accounts import config_place
from api.problems import invalid
from api.services import Services
from db.accounts import Account
from db.json import decode
from domain.faults import Fault, escape_pointer
from providers import PROVIDERS
from providers.base import Provider

HIDDEN = "********"
_MAIL_PORTS = frozenset({25, 465, 587, 2525})
_LOCAL_SUFFIXES = ("localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet")


def configure(services: Services, provider: str, config: Mapping[str, Any], *, pointer: str = "/config") -> Provider:
    """Returns the provider for a configuration, or raises the problem that names what is wrong with it."""
    if faults := [*_unusable(provider, config, pointer)]:
        raise invalid(*faults)
    try:
        configured = PROVIDERS[provider].configure(config)
    except ValueError as error:
        raise invalid(Fault(pointer=pointer + _named(provider, str(error)), message=str(error))) from error
    _check_hosts(services.settings.allowed_provider_hosts, configured, pointer)
    return configured


def public(provider: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a configuration as callers see it: secrets that are set are there, their values are not."""
    secret = PROVIDERS[provider].secret_fields
    return {name: HIDDEN if name in secret else value for name, value in config.items() if value is not None}


def seal(services: Services, tenant_id: UUID, account_id: UUID, config: Mapping[str, Any]) -> bytes:
    """Returns a configuration sealed for its row."""
    return services.key_ring.seal(orjson.dumps(dict(config)), place=config_place(tenant_id, account_id))


def opened(services: Services, tenant_id: UUID, account: Account) -> dict[str, Any]:
    """Returns the whole configuration of an account."""
    plain = services.key_ring.open(account.sealed_config, place=config_place(tenant_id, account.id))
    config: dict[str, Any] = decode(plain)
    return config


def _unusable(provider: str, config: Mapping[str, Any], pointer: str) -> Iterator[Fault]:
    """Yields a fault for each field that the provider does not have: a misspelt secret must not count as public."""
    known = PROVIDERS[provider].config_schema()["properties"]
    for name, value in config.items():
        place = f"{pointer}/{escape_pointer(name)}"
        if name not in known:
            yield Fault(pointer=place, message=f"There is no such field; {provider} has {', '.join(sorted(known))}.")
        elif value == HIDDEN:
            yield Fault(pointer=place, message="This is the placeholder of a secret; send the secret or leave it out.")


def _named(provider: str, message: str) -> str:
    """Returns the step to the field that a message begins with, as those of `configure` do."""
    first = message.partition(" ")[0]
    return f"/{first}" if first in PROVIDERS[provider].config_schema()["properties"] else ""


def _check_hosts(allowed: frozenset[str], provider: Provider, pointer: str) -> None:
    """Refuses what would make us call our own network: hosts are the provider's, public, or allowed by the operator."""
    url, host = getattr(provider, "base_url", None), getattr(provider, "host", None)
    if isinstance(url, str) and (fault := _url_fault(allowed, provider.name, url)):
        raise invalid(Fault(pointer=f"{pointer}/base_url", message=fault))
    if isinstance(host, str) and (fault := _host_fault(allowed, host, getattr(provider, "port", None))):
        raise invalid(Fault(pointer=f"{pointer}/host", message=fault))


def _url_fault(allowed: frozenset[str], provider: str, url: str) -> str | None:
    parts = urlsplit(url)
    try:
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "The port of the URL is no number; correct it."
    if host in allowed or f"{host}:{port}" in allowed:
        return None if parts.scheme in {"http", "https"} else "The URL must start with https://."
    default = PROVIDERS[provider].config_schema().get("properties", {}).get("base_url", {}).get("default", "")
    if parts.scheme != "https":
        return "The URL must start with https://."
    if parts.username or host != urlsplit(default).hostname or port not in {None, 443}:
        return "This host is not the provider's; leave the field out, or ask the operator to allow the host."
    return None


def _host_fault(allowed: frozenset[str], host: str, port: Any) -> str | None:
    host = host.lower().rstrip(".")
    if host in allowed or f"{host}:{port}" in allowed:
        return None
    if port is not None and port not in _MAIL_PORTS:
        return f"Port {port} is no mail port; use 25, 465, 587 or 2525, or ask the operator to allow the host."
    if _is_inner(host):
        return "This host is not on the public Internet; ask the operator to allow it."
    return None


def _is_inner(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        # A number at the end of what is no address: 127.1 or 0x7f.1, which resolvers read as addresses all the same.
        return "." not in host or host.endswith(_LOCAL_SUFFIXES) or host.rsplit(".", 1)[-1][:1].isdigit()
