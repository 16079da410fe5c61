"""Runs Temporal's development server on a database file, with its web pages and fair task queues."""

import asyncio
import os
import time
from pathlib import Path

from stack import ports, probes, temporal_binary
from stack.child import Child, Program
from stack.logs import PartLog, say
from stack.problems import NotReadyError, StackError
from stack.search_attributes import SEARCH_ATTRIBUTES

DEFAULT_PORT = 7233
DEFAULT_UI_PORT = 8233
_START_WITHIN = 60.0
_STOP_WITHIN = 5.0
_POLL = 0.05
# Version 1.29 knows no `matching.enableMigration`; fairness on a fresh database needs none.
_DYNAMIC_CONFIGURATION = ("matching.useNewMatcher=true", "matching.enableFairness=true")


class TemporalServer:
    """One Temporal server over a database file, as a child of this process; it survives SIGKILL with its workflows.

    Args:
        home: the directory that holds the database file and the log.
        port: where it serves; any free one when left out. It stays the same as long as this object lives.
        ui_port: where its web pages are; None runs it without.
        namespace: made at the first start.
        codec: address of the endpoint with which its pages decode payloads.
        program: the `temporal` program; located (and if need be fetched) when left out.
        log: where its lines go; `temporal.log` in `home` when left out.
    """

    name = "temporal"

    def __init__(
        self,
        home: Path,
        *,
        port: int | None = None,
        ui_port: int | None = None,
        namespace: str = "default",
        codec: str | None = None,
        program: Path | None = None,
        log: PartLog | None = None,
    ) -> None:
        self._home = home
        self._port = port or ports.any_free()
        self._ui_port = ui_port
        self._namespace = namespace
        self._codec = codec
        self._program = program
        self.log = log or PartLog(home / "temporal.log")
        self.version = ""
        self.child: Child | None = None

    @property
    def address(self) -> str:
        """Returns `host:port` of the service."""
        return f"{ports.LOOPBACK}:{self._port}"

    @property
    def ui_url(self) -> str | None:
        """Returns the address of the web pages."""
        return None if self._ui_port is None else f"http://{ports.LOOPBACK}:{self._ui_port}"

    @property
    def probe(self) -> str | None:
        """Returns a page that answers 200 only while the service behind it does, None without web pages."""
        return None if self.ui_url is None else f"{self.ui_url}/api/v1/system-info"

    async def start(self) -> str:
        """Starts the server and returns its address once it answers and knows our search attributes.

        Raises:
            StackError: there is no program; the message says how to get it.
            NotReadyError: the server does not come up.
        """
        self._program = self._program or await temporal_binary.locate(say)
        self.version = self.version or await asyncio.to_thread(temporal_binary.version_of, self._program)
        self.log.muted = False
        self.child = await Child.start(self._as_program(self._program), self.log.write)
        try:
            await self._until_ready(self._program, self.child)
        except BaseException:
            await self.stop()
            raise
        return self.address

    async def stop(self, within: float = _STOP_WITHIN) -> None:
        """Stops the server, by force after `within` seconds."""
        if self.child is not None:
            self.log.muted = True  # it complains at length about its own end
            await self.child.stop(within)
            self.log.close()

    def _as_program(self, program: Path) -> Program:
        command = [str(program), "server", "start-dev", "--ip", ports.LOOPBACK, "--port", str(self._port)]
        command += ["--db-filename", str(self._home / "temporal.db"), "--namespace", self._namespace]
        command += ["--log-level", "warn", "--log-format", "text"]
        for setting in _DYNAMIC_CONFIGURATION:
            command += ["--dynamic-config-value", setting]
        command += ["--headless"] if self._ui_port is None else ["--ui-port", str(self._ui_port)]
        if self._codec is not None and self._ui_port is not None:
            command += ["--ui-codec-endpoint", self._codec]
        return Program(command=command, environment=self._environment(), directory=self._home)

    async def _until_ready(self, program: Path, child: Child) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while not (await self._takes_search_attributes(program) and await self._shows_pages()):
            if child.ended is not None:
                await child.wait()
                reason = next((line for line in reversed(self.log.last) if "rror" in line), "no reason given")
                raise NotReadyError(f"Temporal ended at once ({reason}); {self.log.file} says more.")
            if time.monotonic() > deadline:
                raise NotReadyError(f"Temporal was not ready after {_START_WITHIN:.0f} s; {self.log.file} says more.")
            await asyncio.sleep(_POLL)

    async def _takes_search_attributes(self, program: Path) -> bool:
        """Registers our search attributes with the program itself, ten times faster than loading the SDK for it."""
        command = [str(program), "operator", "search-attribute", "create", "--address", self.address]
        command += ["--namespace", self._namespace, "--command-timeout", "5s"]
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--name", name, "--type", kind]
        process = await asyncio.create_subprocess_exec(
            *command,
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, complaint = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if b"different type" in complaint:
            reason = complaint.decode(errors="replace").strip()
            raise StackError(f"Temporal refuses a search attribute ({reason}); move {self._home} away and start again.")
        return process.returncode == 0

    async def _shows_pages(self) -> bool:
        return self.probe is None or await probes.is_ok(self.probe)

    def _environment(self) -> dict[str, str]:
        """Returns an environment in which the program finds no configuration of its user's."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "XDG_"))}
        return {**ours, "HOME": str(self._home)}
