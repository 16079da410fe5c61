"""Where Temporal's own pages show the run of something."""

from urllib.parse import quote

from api.services import Services


def run_url(services: Services, workflow_id: str) -> str:
    """Returns the address of a workflow in the Temporal UI."""
    chosen = services.settings
    workflow = quote(workflow_id, safe="")
    return f"{chosen.temporal_ui_url.rstrip('/')}/namespaces/{quote(chosen.temporal_namespace)}/workflows/{workflow}"


def schedule_url(services: Services, clock_id: str) -> str:
    """Returns the address of a Temporal Schedule in the Temporal UI."""
    chosen = services.settings
    clock = quote(clock_id, safe="")
    return f"{chosen.temporal_ui_url.rstrip('/')}/namespaces/{quote(chosen.temporal_namespace)}/schedules/{clock}"
