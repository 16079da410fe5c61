"""Finds Temporal's test server, the one that skips time: in our cache, or fetched with Maven, once per machine."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from stack.home import cache_directory

VERSION = "1.31.0"
_FETCH_WITHIN = 300
_PROJECT = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>carillon</groupId>
  <artifactId>skipping-server</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.temporal</groupId><artifactId>temporal-test-server</artifactId><version>{}</version></dependency>
  </dependencies>
</project>
"""
# One thread for what is compiled and collected: a play lasts a second, and shares its cores with the worker.
_LAUNCHER = """#!/bin/sh
here=$(dirname "$0")
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -cp "$here/*" io.temporal.testserver.TestServer "$@"
"""


def locate(*, cache: Path | None = None) -> Path | None:
    """Returns the program that starts the server, None where there is no Java, or neither Maven nor a network.

    Args:
        cache: where what was fetched is kept; below the user's cache directory when left out.
    """
    if shutil.which("java") is None:
        return None
    kept = (cache or cache_directory()) / "temporal" / f"test-server-{VERSION}"
    launcher = kept / "test-server"
    if not os.access(launcher, os.X_OK) and not _fetch(kept):
        return None
    return launcher


def _fetch(kept: Path) -> bool:
    """Fetches the server with all that it needs, as Maven is set up on this machine, and adopts it at once."""
    maven = shutil.which("mvn")
    if maven is None:
        return False
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
        made = Path(directory) / "made"
        (Path(directory) / "pom.xml").write_text(_PROJECT.format(VERSION), encoding="utf-8")
        command = [maven, "--quiet", "--batch-mode", "dependency:copy-dependencies", f"-DoutputDirectory={made}"]
        try:
            subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=_FETCH_WITHIN)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return False
        launcher = made / "test-server"
        launcher.write_text(_LAUNCHER, encoding="utf-8")
        launcher.chmod(0o755)
        try:
            made.rename(kept)
        except OSError:  # another process was faster
            return os.access(kept / "test-server", os.X_OK)
    return True
