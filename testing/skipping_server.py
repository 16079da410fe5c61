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
# One thread for what is compiled and collected: a play lasts a second, and shares its cores with the worker. Half of
# what the server does in it is to load its classes, so the first play on a machine leaves them as Java wants them
# (class data sharing). The SDK kills the server, which then writes nothing: hence one that is to write is watched. Such
# an archive can be written from Java 13 on; an older one, or one that does not say what it is, starts without. What the
# watched server prints goes to a file, for it may outlive whoever reads; it is told where the server ends by itself.
_LAUNCHER = """#!/bin/sh
here=$(dirname "$0")
home=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
shared="$here/classes-$({ echo "$home"; cat "$home/release"; } 2>/dev/null | cksum | cut -d' ' -f1).jsa"
major=$(sed -n 's/^JAVA_VERSION="\\([0-9]*\\).*/\\1/p' "$home/release" 2>/dev/null)
set -- -cp "$here/*" io.temporal.testserver.TestServer "$@"
set -- -XX:+IgnoreUnrecognizedVMOptions -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "$@"
if [ "${major:-0}" -lt 13 ]; then
    exec java "$@"
fi
set -- -Xshare:auto -Xlog:disable "$@"
if [ -f "$shared" ] || [ ! -w "$here" ]; then
    exec java -XX:SharedArchiveFile="$shared" "$@"
fi
new="$shared.$$"
java -XX:ArchiveClassesAtExit="$new" "$@" >"$new.log" 2>&1 &
server=$!
(
    while kill -0 $$ && kill -0 $server; do sleep 0.2; done
    kill $server
    tries=0
    while kill -0 $server && [ $((tries += 1)) -lt 150 ]; do sleep 0.2; done
    mv -f "$new" "$shared"
    kill -0 $$ || rm -f "$new.log"
) >/dev/null 2>&1 &
wait $server
status=$?
cat "$new.log" >&2
rm -f "$new.log"
exit $status
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
    if not os.access(launcher, os.X_OK):
        return launcher if _fetch(kept) else None
    if launcher.read_text("utf-8") != _LAUNCHER and os.access(kept, os.W_OK):
        _write(launcher)
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
        _write(made / "test-server")
        try:
            made.rename(kept)
        except OSError:  # another process was faster
            return os.access(kept / "test-server", os.X_OK)
    return True


def _write(launcher: Path) -> None:
    """Writes the launcher at once: another process may be starting the server."""
    with tempfile.NamedTemporaryFile("w", dir=launcher.parent, delete=False, encoding="utf-8") as file:
        file.write(_LAUNCHER)
    Path(file.name).chmod(0o755)
    Path(file.name).replace(launcher)
