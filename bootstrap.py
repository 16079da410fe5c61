"""Prepares the virtual environment: `python3 bootstrap.py`, safe to run again, done at once when nothing changed.

Standard library only, and old syntax only, so that an old Python can still say what is wrong.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

OLDEST_PYTHON = (3, 11)
UV = "uv==0.13.8"
ROOT = Path(__file__).resolve().parent
BOOT = ROOT / ".boot"
VENV = ROOT / ".venv"
STAMP = VENV / "carillon-environment"
MADE_FOR = VENV / "carillon-made-for"


def main() -> int:
    """Creates or refreshes `.venv` and returns the process exit status."""
    if sys.version_info < OLDEST_PYTHON:
        return _complain("Carillon needs Python 3.11 or newer; name one with 'make PYTHON=python3.13 …'.")
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == _fingerprint():
        return 0
    try:
        _prepare()
    except _SetUpError as problem:
        return _complain(str(problem))
    return 0


class _SetUpError(Exception):
    """A set-up step failed; the message is one sentence that says how to mend it."""


def _prepare() -> None:
    _say("preparing the Python environment (first time: about a minute)")
    if not (BOOT / "bin" / "uv").exists():
        _make_boot_environment()
        pip = [BOOT / "bin" / "python", "-m", "pip", "install", "--quiet", UV]
        _run(pip, "'pip install uv' failed; is a package index reachable?")
    uv = BOOT / "bin" / "uv"
    if not MADE_FOR.is_file() or MADE_FOR.read_text(encoding="utf-8") != _place():
        make = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV]
        _run(make, "'uv venv' failed; remove .venv and try again.")
        MADE_FOR.write_text(_place(), encoding="utf-8")
    target = ["--quiet", "--python", VENV / "bin" / "python"]
    sync = [uv, "pip", "sync", *target, "--require-hashes", ROOT / "requirements.lock"]
    _run(sync, "installing requirements.lock failed; is a package index reachable?")
    install = [uv, "pip", "install", *target, "--no-deps", "--no-build-isolation", "--editable", ROOT]
    _run(install, "installing Carillon itself failed; the lines above say why.")
    STAMP.write_text(_fingerprint(), encoding="utf-8")


def _make_boot_environment() -> None:
    try:
        venv.create(BOOT, with_pip=True, clear=True)
    except (subprocess.CalledProcessError, ImportError) as problem:
        version = "{}.{}".format(*sys.version_info[:2])
        mend = f"on Debian and Ubuntu run 'apt-get install python{version}-venv'."
        raise _SetUpError(f"Python's venv module is incomplete; {mend}") from problem


def _run(command: "list[object]", otherwise: str) -> None:
    environment = {**_index_of_pip(), **os.environ}
    environment.pop("VIRTUAL_ENV", None)
    if subprocess.run([str(part) for part in command], check=False, env=environment, cwd=str(ROOT)).returncode:
        raise _SetUpError(otherwise)


def _index_of_pip() -> "dict[str, str]":
    """Returns pip's private index, where one is configured, for uv, which does not read it."""
    pip = [str(BOOT / "bin" / "python"), "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(pip, check=False, capture_output=True, text=True).stdout.strip()
    index, certificates = os.environ.get("PIP_INDEX_URL") or configured, os.environ.get("PIP_CERT")
    found = {"UV_DEFAULT_INDEX": index, "SSL_CERT_FILE": certificates or ""}
    return {name: value for name, value in found.items() if value}


def _fingerprint() -> str:
    parts = [(ROOT / name).read_bytes() for name in ("requirements.lock", "pyproject.toml", "bootstrap.py")]
    return hashlib.sha256(b"\0".join([*parts, _place().encode()])).hexdigest()


def _place() -> str:
    """Returns what an environment is made for: this Python, in this directory."""
    return f"{sys.executable} {sys.version} {ROOT}"


def _say(sentence: str) -> None:
    sys.stderr.write(f"set-up: {sentence}\n")


def _complain(sentence: str) -> int:
    _say(sentence)
    return 1


if __name__ == "__main__":
    sys.exit(main())
