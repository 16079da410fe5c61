"""What a recipient chose to get, for the pages of what was, or will be, sent to them."""

from collections.abc import Sequence

from api.consent_models import Standing
from api.consents import get_consents
from api.problem_types import Kind
from api.problems import Problem
from api.scopes import Scope
from api.services import Services
from web.session import Session


async def choices_of(services: Services, session: Session, kind: str, name: str) -> Sequence[Standing]:
    """Returns what holds for each topic over each channel; nothing for an address, or for whom the key may not see."""
    if kind != "recipient" or not session.may(Scope.RECIPIENTS_READ):
        return []
    try:
        return (await get_consents(name, session.principal, services)).standing
    except Problem as problem:
        if problem.kind is not Kind.NOT_FOUND:
            raise
        return []  # a recipient may be removed while what was meant for them stays
