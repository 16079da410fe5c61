"""Pages: the first attempts of many notifications in one workflow, when a line grows."""

from dataclasses import dataclass

from domain.notifications import AttemptRecord

SMALLEST_PAGE = 8
"""Below this a page saves nothing: each notification gets a workflow of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInput:
    """What the workflow of a page starts with: ids, nothing personal."""

    tenant_id: str
    page_id: str
    notification_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOutcome:
    """What came of a page.

    Attributes:
        closed: How many notifications ended with it.
        handed_over: How many go on in workflows of their own.
        unrecorded: Outcomes that the database did not take; the workflow records them.
    """

    closed: int
    handed_over: int
    unrecorded: tuple[AttemptRecord, ...] = ()
