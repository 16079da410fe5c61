"""Where each part of an instance serves, and what its processes are told through their environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from stack.bytecode import with_cache
from stack.home import Home, write_private
from stack.ports import LOOPBACK, Ports
from stack.secret_file import Secrets
from stack.temporal import DEFAULT_PORT as TEMPORAL_PORT
from stack.temporal import DEFAULT_UI_PORT as TEMPORAL_UI_PORT

API_PORT = 8080
METRICS_PORT = 9464
SANDBOX_PORT = 8025
SMTP_PORT = 2525
SERVICE_PORT = 8026
_OURS = ("CARILLON_", "TEMPORAL_")
_ITS_OWN = "CARILLON_SANDBOX_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The ports of one instance.

    Attributes:
        service: Where a service of the user may answer the calls of flows; nothing of ours listens there.
        moved: The usual and the present port of parts that had to move.
    """

    api: int
    sandbox: int
    smtp: int
    temporal: int
    temporal_ui: int
    workers: tuple[int, ...]
    service: int = SERVICE_PORT
    moved: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        """Returns where the API answers on this machine."""
        return _url(self.api)

    @property
    def sandbox_url(self) -> str:
        """Returns where the sandbox answers."""
        return _url(self.sandbox)

    @property
    def temporal_ui_url(self) -> str:
        """Returns where Temporal's web pages are."""
        return os.environ.get("CARILLON_TEMPORAL_UI_URL") or _url(self.temporal_ui)

    @property
    def public_url(self) -> str:
        """Returns where providers reach the API."""
        return os.environ.get("CARILLON_PUBLIC_URL") or self.api_url


def lay_out(home: Home, workers: int) -> Layout:
    """Returns free ports for all parts, those of last time where possible, and remembers them."""
    ports = Ports(_remembered(home))
    first_worker = _wanted("CARILLON_WORKER_METRICS_PORT", METRICS_PORT)
    layout = Layout(
        api=ports.claim("api", _wanted("CARILLON_API_PORT", API_PORT)),
        sandbox=ports.claim("sandbox", _wanted("CARILLON_SANDBOX_PORT", SANDBOX_PORT)),
        smtp=ports.claim("sandbox mail", _wanted("CARILLON_SANDBOX_SMTP_PORT", SMTP_PORT)),
        temporal=ports.claim("temporal", TEMPORAL_PORT),
        temporal_ui=ports.claim("temporal pages", TEMPORAL_UI_PORT),
        service=ports.claim("your service", _wanted("CARILLON_SERVICE_PORT", SERVICE_PORT)),
        workers=tuple(ports.claim(f"worker-{n + 1}", first_worker + n) for n in range(workers)),
        moved=ports.moved,
    )
    write_private(home.ports, json.dumps(ports.given, indent=2) + "\n")
    return layout


def environment(home: Home, layout: Layout, secrets: Secrets, *, database: str, temporal: str) -> dict[str, str]:
    """Returns the environment of the API, the workers and the migrations."""
    stand_ins = ",".join(f"{LOOPBACK}:{port}" for port in (layout.sandbox, layout.smtp, layout.service))
    hosts = os.environ.get("CARILLON_PROVIDER_HOSTS")
    return {
        **_common(home),
        "CARILLON_DATABASE_URL": database,
        "TEMPORAL_ADDRESS": temporal,
        "CARILLON_TEMPORAL_UI_URL": layout.temporal_ui_url,
        "CARILLON_KEY_RING": os.environ.get("CARILLON_KEY_RING") or secrets.key_ring,
        "CARILLON_OPERATOR_KEY": operator_key(secrets),
        "CARILLON_API_PORT": str(layout.api),
        "CARILLON_PUBLIC_URL": layout.public_url,
        "CARILLON_PROVIDER_HOSTS": f"{hosts},{stand_ins}" if hosts else stand_ins,
    }


def sandbox_environment(home: Home, layout: Layout) -> dict[str, str]:
    """Returns the environment of the sandbox, which knows none of our secrets."""
    inherited = _common(home).items()
    return {
        **{name: value for name, value in inherited if name.startswith(_ITS_OWN) or not name.startswith(_OURS)},
        "CARILLON_SANDBOX_PORT": str(layout.sandbox),
        "CARILLON_SANDBOX_SMTP_PORT": str(layout.smtp),
        "CARILLON_SANDBOX_JOURNAL": os.environ.get("CARILLON_SANDBOX_JOURNAL") or str(home.journal),
    }


def operator_key(secrets: Secrets) -> str:
    """Returns the key of the operator, the configured one first."""
    return os.environ.get("CARILLON_OPERATOR_KEY") or secrets.operator_key


def _common(home: Home) -> dict[str, str]:
    """Returns what every part is told."""
    return {
        "CARILLON_LOG_FORMAT": "console",
        **with_cache(os.environ),
        "CARILLON_HOME": str(home.path),
        "PYTHONUNBUFFERED": "1",
        "PYTHONTZPATH": "",  # zones come from the pinned package alone, the same on every machine
    }


def _remembered(home: Home) -> dict[str, int]:
    try:
        return {str(name): int(port) for name, port in json.loads(home.ports.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _wanted(variable: str, usual: int) -> int:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else usual


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
