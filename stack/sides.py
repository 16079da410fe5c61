"""PostgreSQL and Temporal as commands reach them directly: those of the environment, else of the instance that runs."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stack.home import Home, open_home
from stack.postgres_roles import DATABASE, ROLE
from stack.problems import StackError
from stack.secret_file import load_or_make
from stack.state import InstanceState, read_state

if TYPE_CHECKING:
    from settings import Settings


def find_sides(environment: Mapping[str, str] = os.environ, home: Home | None = None) -> "Settings":
    """Returns settings that name both sides: those of the environment where it names a database, else the instance's.

    Raises:
        StackError: Neither names both.
    """
    from stack.entry import settings  # noqa: PLC0415 - a command must not wait for the libraries of the others

    given = settings()
    if "CARILLON_DATABASE_URL" in environment:
        if not given.key_ring.get_secret_value():
            raise StackError("CARILLON_KEY_RING is not set; what Temporal keeps cannot be read without it.")
        return given
    here = home or open_home()
    state = read_state(here)
    if state is None or not state.is_running():
        raise StackError(
            f"Carillon does not run in {here.path}; start it with 'carillon up --workers 0', "
            "or set CARILLON_DATABASE_URL, TEMPORAL_ADDRESS and CARILLON_KEY_RING."
        )
    secrets = load_or_make(here)
    database = f"postgresql://{ROLE}:{secrets.postgres_password}@{_address(state, 'postgres')}/{DATABASE}"
    found = {
        "database_url": database,
        "temporal_address": environment.get("TEMPORAL_ADDRESS") or _address(state, "temporal"),
        "key_ring": given.key_ring.get_secret_value() or secrets.key_ring,
    }
    return given.model_copy(update={name: _kept(given, name, value) for name, value in found.items()})


def _kept(given: "Settings", name: str, value: str) -> object:
    """Returns a value as the setting holds it: what is secret stays so."""
    return type(getattr(given, name))(value)


def _address(state: InstanceState, name: str) -> str:
    part = state.part(name)
    if part is None or not part.address:
        raise StackError(f"The part {name} of the running instance is not up; look with 'carillon status'.")
    return part.address
