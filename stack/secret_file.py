"""The secrets of one instance: made at its first start, kept in one private file."""

import base64
import json
import secrets
import uuid
from dataclasses import asdict, dataclass, field

from stack.home import Home, write_private
from stack.problems import StackError


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Everything of an instance that must not be printed; `instance` alone is public."""

    instance: str
    key_ring: str = field(repr=False)
    operator_key: str = field(repr=False)
    postgres_superuser_password: str = field(repr=False)
    postgres_password: str = field(repr=False)


def load_or_make(home: Home) -> Secrets:
    """Returns the secrets of this data directory; the first call makes them.

    Raises:
        StackError: the file is there but damaged; it is never replaced, since it alone opens what is sealed.
    """
    if not home.secrets.exists():
        write_private(home.secrets, json.dumps(asdict(make()), indent=2) + "\n")
    try:
        return Secrets(**json.loads(home.secrets.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as problem:
        message = f"{home.secrets} is damaged; restore it from a backup, or set CARILLON_HOME to start with new data."
        raise StackError(message) from problem


def make() -> Secrets:
    """Returns fresh secrets."""
    return Secrets(
        instance=uuid.uuid4().hex[:12],
        key_ring=f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        operator_key=f"cop_{secrets.token_urlsafe(32)}",
        postgres_superuser_password=secrets.token_urlsafe(24),
        postgres_password=secrets.token_urlsafe(24),
    )
