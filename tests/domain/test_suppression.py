"""Which refusals say something about an address for good, as a table."""

import pytest

from domain.recipients import Channel
from domain.suppression import Cause, cause_of


@pytest.mark.parametrize(
    ("channel", "error_code", "provider_code", "cause"),
    [
        pytest.param(Channel.EMAIL, "invalid_address", "5.1.1", Cause.HARD_BOUNCE, id="no such mailbox"),
        pytest.param(Channel.EMAIL, "invalid_address", "5.1.10", Cause.HARD_BOUNCE, id="the domain takes no mail"),
        pytest.param(Channel.EMAIL, "invalid_address", "5.2.1", Cause.HARD_BOUNCE, id="the mailbox is disabled"),
        pytest.param(Channel.EMAIL, "invalid_address", "5.4.4", None, id="no route at the moment"),
        pytest.param(Channel.EMAIL, "invalid_address", "550", None, id="a refusal that says nothing more"),
        pytest.param(Channel.EMAIL, "invalid_address", None, None, id="no code at all"),
        pytest.param(Channel.EMAIL, "rejected", "5.1.1", None, id="refused for another reason"),
        pytest.param(Channel.WHATSAPP, "invalid_address", "131026", None, id="not on WhatsApp"),
        pytest.param(Channel.WHATSAPP, "unsubscribed", "131050", Cause.PROVIDER_OPT_OUT, id="opted out there"),
        pytest.param(Channel.EMAIL, None, None, None, id="no failure"),
    ],
)
def test_what_a_refusal_means_for_the_address(
    channel: Channel, error_code: str | None, provider_code: str | None, cause: Cause | None
) -> None:
    assert cause_of(channel, error_code, provider_code) is cause


def test_only_a_bounce_makes_an_address_invalid() -> None:
    assert {cause for cause in Cause if cause.status == "invalid"} == {Cause.HARD_BOUNCE}
