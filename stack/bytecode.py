"""Compiled code goes to our cache, which alone is sure to be writable.

Compiling everything again would cost each start seconds, hence it is not left to what the person's shell says.
"""

from collections.abc import Mapping

from stack.home import cache_directory


def with_cache(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment in which Python keeps what it compiled."""
    inherited = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(cache_directory() / "bytecode"), **inherited}
