"""Everything that was not sent, skipped, delayed or doubted is explained by its code: one test for each."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat
from temporalio.client import Client

from db.session import Database
from domain.notifications import Outcome
from domain.reasons import Reason
from domain.remedies import REMEDIES
from sandbox.serve import Sandbox
from sealing import KeyRing
from tests.api import consent_ways, sending, ways
from tests.api.stories import EMAIL, Story, Way
from workflows.client import connect

# What happened, and the way on which a notification meets the code.
WAYS: dict[Reason, tuple[str, Way]] = {
    Reason.NO_ADDRESS: ("skipped", ways.no_address),
    Reason.ADDRESS_SUPPRESSED: ("skipped", ways.address_suppressed),
    Reason.ADDRESS_INVALID: ("skipped", ways.address_invalid),
    Reason.OPTED_OUT: ("skipped", consent_ways.opted_out),
    Reason.NO_CONSENT: ("skipped", consent_ways.no_consent),
    Reason.CHANNEL_NOT_IN_TOPIC: ("skipped", consent_ways.channel_not_in_topic),
    Reason.FREQUENCY_CAP: ("ended", consent_ways.frequency_cap),
    Reason.NO_ACCOUNT: ("skipped", ways.no_account),
    Reason.ACCOUNT_SUSPENDED: ("parked", ways.account_suspended),
    Reason.NO_TEMPLATE_PART: ("skipped", ways.no_template_part),
    Reason.OUTSIDE_WINDOW: ("skipped", ways.outside_window),
    Reason.NO_IMAGE: ("not_sent", ways.no_image),
    Reason.COUNTRY_NOT_ALLOWED: ("skipped", ways.country_not_allowed),
    Reason.CONTENT_REFUSED: ("not_sent", ways.by_whatsapp(132000)),
    Reason.INVALID_ADDRESS: ("not_sent", ways.by_whatsapp(131026)),
    Reason.UNSUBSCRIBED: ("not_sent", ways.by_whatsapp(131050)),
    Reason.TEMPLATE_UNAVAILABLE: ("parked", ways.by_whatsapp(132015)),
    Reason.MEDIA_REFUSED: ("not_sent", ways.by_whatsapp(131053)),
    Reason.MISCONFIGURED: ("parked", ways.by_whatsapp(131005, 403)),
    Reason.REJECTED: ("not_sent", ways.by_whatsapp(130472)),
    Reason.UNAVAILABLE: ("not_sent", ways.by_whatsapp(131016, 503)),
    Reason.THROTTLED: ("not_sent", ways.by_whatsapp(130429, 429)),
    Reason.NOT_SENT: ("not_sent", ways.not_sent),
    Reason.ATTEMPTS_EXHAUSTED: ("ended", ways.attempts_exhausted),
    Reason.PROVIDER_UNAVAILABLE: ("parked", ways.provider_unavailable),
    Reason.FAILED_OVER: ("fallback", ways.failed_over),
    Reason.RATE_LIMITED: ("delayed", ways.limited(rate=0.5, burst=1)),
    Reason.RECIPIENT_RATE_LIMITED: ("delayed", ways.limited(pair_seconds=2, pair_burst=1)),
    Reason.DAILY_CAP: ("parked", ways.limited(per_day=1)),
    Reason.NOT_CONFIRMED_IN_TIME: ("fallback", ways.not_confirmed_in_time),
    Reason.DELIVERY_FAILED: ("not_delivered", ways.delivery_failed),
    Reason.OUTCOME_UNKNOWN: ("doubted", ways.outcome_unknown),
    Reason.POSSIBLE_DUPLICATE: ("duplicate", ways.possible_duplicate),
    Reason.DUPLICATE_CONFIRMED: ("duplicate", ways.duplicate_confirmed),
    Reason.SETTLED_SENT: ("settled", ways.settled("sent")),
    Reason.SETTLED_NOT_SENT: ("settled", ways.settled("not_sent")),
    Reason.CANCELLED: ("cancelled", ways.cancelled),
    Reason.EXPIRED: ("ended", ways.expired),
    Reason.RESUMED: ("resumed", ways.resumed),
    Reason.DROPPED: ("ended", ways.dropped),
}
# What is told only while it lasts, as what the notification waits for.
WAITS: dict[Reason, tuple[str, Way]] = {
    Reason.SCHEDULED: ("its_time", ways.scheduled),
    Reason.RETRY_LATER: ("a_retry", ways.not_sent),
    Reason.QUIET_HOURS: ("its_time", consent_ways.left_alone),
}
# No request and no worker leads to these within a test: an unknown recipient is refused before anything is stored, and
# a place is missing only beside a hundred others. They are written as a workflow would write them.
WRITTEN: dict[Reason, tuple[str, Way]] = {
    Reason.UNKNOWN_RECIPIENT: ("skipped", ways.written("skipped", Reason.UNKNOWN_RECIPIENT)),
    Reason.ACCOUNT_BUSY: ("delayed", ways.written("delayed", Reason.ACCOUNT_BUSY)),
}


@pytest.fixture(scope="session")
async def temporal_client(temporal: str, key_ring: KeyRing) -> Client:
    """A Temporal client that seals its payloads as the product does."""
    return await connect(temporal, namespace="default", key_ring=key_ring, identity="test")


@pytest.fixture
async def story(
    client: httpx.AsyncClient,
    database: Database,
    tenant_id: UUID,
    key_ring: KeyRing,
    sandbox: Sandbox,
    temporal_client: Client,
) -> AsyncIterator[Story]:
    """A tenant whose notifications meet reasons."""
    async with AsyncExitStack() as stack:
        yield Story(client, database, tenant_id, key_ring, sandbox, temporal_client, stack)
    async with httpx.AsyncClient(base_url=sandbox.url) as control:
        (await control.delete("/_sandbox/behaviour")).raise_for_status()


def test_every_code_has_its_test() -> None:
    assert sorted([*WAYS, *WAITS, *WRITTEN]) == sorted(Reason)


@pytest.mark.slow
@pytest.mark.parametrize("code", [*WAYS, *WRITTEN])
async def test_a_code_is_explained(story: Story, code: Reason) -> None:
    what, way = (WAYS | WRITTEN)[code]
    name = await way(story)

    def met(found: dict[str, Any]) -> Any:
        return next((one for one in found["entries"] if (one["code"], one["what"]) == (code, what)), None)

    entry = await story.until(name, met)
    assert entry["next"] == REMEDIES[code]
    assert len(entry["sentence"]) > len(code)
    timeline = (await story.client.get(f"/v1/notifications/{name}/timeline")).json()["entries"]
    assert entry["sentence"] in {one["summary"] for one in timeline}


@pytest.mark.parametrize("code", WAITS)
async def test_a_code_is_told_while_it_lasts(story: Story, code: Reason) -> None:
    awaits, way = WAITS[code]
    waits_for = await story.until(await way(story), lambda found: found["waits_for"])
    assert (waits_for["awaits"], waits_for["code"]) == (awaits, code)
    assert datetime.fromisoformat(waits_for["until"]) > datetime.now(UTC)


async def test_what_a_cap_delays_is_told_until_when_it_waits(story: Story) -> None:
    name = await consent_ways.delayed(story, "2d")
    waits_for = await story.until(name, lambda found: found["waits_for"] if found["waits_for"]["code"] else None)
    assert (waits_for["awaits"], waits_for["code"]) == ("its_turn", "frequency_cap")
    left = datetime.fromisoformat(waits_for["until"]) - datetime.now(UTC)
    assert timedelta(days=1) < left <= timedelta(days=2)


@pytest.mark.slow
async def test_what_a_cap_delays_can_be_cancelled_meanwhile(story: Story) -> None:
    name = await consent_ways.delayed(story, "2d")
    await story.until(name, lambda found: found["waits_for"]["code"])
    await story.ask(name, "cancel")
    await story.until(name, lambda found: found["status"] == "cancelled")


@pytest.mark.slow
async def test_what_a_cap_delays_beyond_its_expiry_expires(story: Story) -> None:
    lasts = timedelta(seconds=6)
    name = await consent_ways.delayed(story, "2d", lasts=lasts)
    waits_for = await story.until(name, lambda found: found["waits_for"] if found["waits_for"]["code"] else None)
    assert waits_for["code"] == "frequency_cap"
    assert datetime.fromisoformat(waits_for["until"]) < datetime.now(UTC) + lasts
    await story.until(name, lambda found: found["status"] == "expired")


@pytest.mark.slow
async def test_what_a_cap_delays_goes_out_once_there_is_room(story: Story) -> None:
    name = await consent_ways.delayed(story, "4s")
    found = await story.until(name, lambda found: found if found["status"] == "accepted" else None)
    assert ("delayed", "frequency_cap") in [(one["what"], one["code"]) for one in found["entries"]]


async def test_who_waits_for_the_end_of_quiet_hours_is_told_so(story: Story) -> None:
    waits_for = await story.until(await consent_ways.left_alone(story), lambda found: found["waits_for"])
    assert waits_for["sentence"].startswith("It waits for the end of the recipient's quiet hours, until ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "code"),
    [({"rate": 0.05, "burst": 1}, "rate_limited"), ({"pair_seconds": 20, "pair_burst": 1}, "recipient_rate_limited")],
)
async def test_a_turn_is_told_to_its_instant_while_it_waits(story: Story, limits: dict[str, Any], code: str) -> None:
    name = await ways.limited(**limits)(story)
    waits_for = await story.until(
        name, lambda found: found["waits_for"] if found["waits_for"]["awaits"] == "its_turn" else None
    )
    left = datetime.fromisoformat(waits_for["until"]) - datetime.now(UTC)
    assert (waits_for["code"], timedelta(0) < left <= timedelta(seconds=20)) == (code, True)
    assert waits_for["sentence"].startswith("It waits for its turn, until ")


async def test_an_attempt_is_explained_with_all_that_is_known_of_it(story: Story) -> None:
    await sending.publish(story.client)
    await story.account("sms", name="Texts")
    name = await story.send(work=False, channels=["sms"])
    facts: dict[str, Any] = {"provider_code": "130429", "detail": "slow down", "retry_after": 40.0}
    claimed = await story.attempt(name, Outcome.NOT_SENT, error_code="throttled", **facts)
    found = await story.explain(name)
    (entry,) = found["entries"]
    shown = {key: entry[key] for key in ("what", "code", "hop", "channel", "provider", "account", "attempt")}
    assert shown == {
        "what": "not_sent", "code": "throttled", "hop": 0, "channel": "sms", "provider": "sandbox", "account": "Texts",
        "attempt": 1,
    }  # fmt: skip
    assert (entry["provider_code"], entry["detail"]) == ("130429", "slow down")
    assert (entry["reference"], entry["attempt_id"]) == (claimed.reference, str(claimed.attempt_id))
    wait = found["waits_for"]
    pause = datetime.fromisoformat(wait["until"]) - datetime.fromisoformat(entry["at"])
    assert timedelta(seconds=40) <= pause <= timedelta(seconds=50)
    assert wait["sentence"].startswith("It waits before it tries again over sms, until ")


async def test_what_waits_for_a_worker_says_so(story: Story) -> None:
    await sending.publish(story.client)
    found = await story.explain(await story.send(work=False))
    assert (found["status"], found["sentence"], found["next"]) == ("queued", "No provider has taken it yet.", None)
    assert found["waits_for"]["sentence"] == "It waits in line for a worker."
    assert found["entries"] == []


async def test_what_is_parked_says_what_to_mend(story: Story) -> None:
    name = await ways.account_suspended(story)
    await story.parked(name)
    found = await story.explain(name)
    assert (found["code"], found["next"]) == ("account_suspended", REMEDIES[Reason.ACCOUNT_SUSPENDED])
    assert found["sentence"].startswith("It is parked. ")
    assert found["waits_for"]["until"] is None


async def test_what_went_well_has_nothing_to_explain(story: Story) -> None:
    await sending.publish(story.client, sending.EMAIL)
    await story.account("email")
    name = await story.send(to=EMAIL)
    found = await story.until(name, lambda found: found if found["waits_for"] is None else None)
    assert (found["status"], found["code"], found["next"], found["entries"]) == ("accepted", None, None, [])
    assert found["sentence"] == "A provider took it over email; that it went out was not reported."


async def test_there_is_no_explanation_of_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/notifications/{uuid_utils.compat.uuid7()}/explain")).status_code == 404
