"""The launcher of Temporal's test server: with each Java that there is, and telling why it did not start."""

import os
import subprocess
from pathlib import Path

import pytest

from testing import skipping_server

_OLD = """for one in "$@"; do
    case $one in
    -Xlog*|-XX:SharedArchiveFile*|-XX:ArchiveClassesAtExit*) echo "Unrecognized option: $one" >&2; exit 1;; esac
done
echo "started"
"""


def launched(directory: Path, version: str, java: str) -> subprocess.CompletedProcess[str]:
    """Starts the launcher with a Java that is a script of the shell."""
    for name in ("jdk/bin", "kept"):
        (directory / name).mkdir(parents=True)
    (directory / "jdk" / "release").write_text(version, encoding="utf-8")
    program = directory / "jdk" / "bin" / "java"
    program.write_text(f"#!/bin/sh\n{java}", encoding="utf-8")
    program.chmod(0o755)
    launcher = directory / "kept" / "test-server"
    skipping_server._write(launcher)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    return subprocess.run([launcher, "0"], env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "version",
    ['JAVA_VERSION="1.8.0_392"\n', 'JAVA_VERSION="11.0.22"\nOS_NAME="Linux"\n', 'JAVA_VERSION="9"\n', ""],
    ids=["8", "11", "9", "unknown"],
)
def test_an_old_java_starts_without_what_it_does_not_know(tmp_path: Path, version: str) -> None:
    ended = launched(tmp_path, version, _OLD)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "started\n", "")


def test_what_java_says_is_told_where_the_server_does_not_come_up(tmp_path: Path) -> None:
    ended = launched(tmp_path, 'JAVA_VERSION="17.0.10"\n', 'echo "there is no memory" >&2; exit 3\n')
    assert (ended.returncode, ended.stderr) == (3, "there is no memory\n")
    assert not list((tmp_path / "kept").glob("*.log"))
