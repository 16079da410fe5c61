"""Serves the API and the console over HTTP until told to stop."""

import uvicorn

from garbage import collect_less_often
from stack.entry import settings
from telemetry import configure_logging

_FINISH_WITHIN = 2  # seconds; open streams would hold the process for ever


def serve_api() -> None:
    """Serves the API and the console of this machine's settings until SIGTERM."""
    chosen = settings()
    configure_logging(log_format=chosen.log_format, level=chosen.log_level)
    collect_less_often()
    uvicorn.run(
        "web.site:create_app",
        factory=True,
        host=chosen.api_host,
        port=chosen.api_port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_FINISH_WITHIN,
    )
