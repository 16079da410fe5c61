"""What entry points do before the real work begins: read the settings, start the HTTP server."""

import uvicorn
from pydantic import ValidationError

from settings import Settings
from stack.problems import StackError

_FINISH_WITHIN = 2  # seconds; open streams would hold the process for ever


def settings() -> Settings:
    """Returns the settings of this process.

    Raises:
        StackError: a variable has a value that cannot be; it is named, its value is not.
    """
    try:
        return Settings()
    except ValidationError as problem:
        first = problem.errors(include_input=False)[0]
        variable = "_".join(str(part) for part in first["loc"]).upper()
        raise StackError(f"The setting {variable} is wrong ({first['msg']}); see .env.example.") from None


def serve_api() -> None:
    """Serves the API until SIGTERM."""
    chosen = settings()
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=chosen.api_host,
        port=chosen.api_port,
        loop="uvloop",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_FINISH_WITHIN,
    )
