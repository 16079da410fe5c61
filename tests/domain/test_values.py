"""The shared values: every error is reported by a reason, and nothing personal shows in a repr."""

import pytest

from domain import errors
from domain.content import EmailContent, SmsContent, WhatsAppText
from domain.errors import DeliveryError, NotSent, Rejected, Uncertain
from domain.reasons import SENTENCES, Reason
from domain.recipients import CARRIES, Address, AddressKind, Channel

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DeliveryError)]


@pytest.mark.parametrize("kind", [kind for kind in TREE if kind is not DeliveryError])
def test_every_error_is_reported_by_a_reason(kind: type[DeliveryError]) -> None:
    expected = Reason.OUTCOME_UNKNOWN if kind is Uncertain else Reason(kind.code)
    assert SENTENCES[expected]


@pytest.mark.parametrize("kind", [kind for kind in TREE if kind is not DeliveryError])
def test_every_error_is_unsent_refused_or_doubtful_and_only_one_of_them(kind: type[DeliveryError]) -> None:
    assert sum(issubclass(kind, family) for family in (NotSent, Rejected, Uncertain)) == 1
    assert kind.retryable is issubclass(kind, NotSent)


def test_an_error_carries_the_facts_of_the_provider() -> None:
    error = errors.Throttled("slower", provider_code="130429", retry_after=7)
    assert (str(error), error.detail, error.provider_code, error.retry_after) == ("slower", "slower", "130429", 7)


@pytest.mark.parametrize(
    "value",
    [
        Address(AddressKind.PHONE, "+15550100"),
        EmailContent(subject="about +15550100", text="call +15550100"),
        SmsContent(body="call +15550100"),
        WhatsAppText(body="call +15550100"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_personal_never_shows(value: object) -> None:
    assert "5550100" not in repr(value)


def test_every_channel_says_what_it_can_reach() -> None:
    assert set(CARRIES) == set(Channel)
