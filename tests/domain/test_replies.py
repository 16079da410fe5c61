"""What somebody's message means: every way to find its series, in the order in which they count."""

import pytest

from domain.replies import Answered, FoundBy, HeldFor, Meant, Seal, Unclear, heard_as, meaning

QUOTED = Answered(notification_id="n", series_id="q", by=FoundBy.QUOTED)
OF_NO_SERIES = Answered(notification_id="n", series_id=None, by=FoundBy.QUOTED)


@pytest.mark.parametrize(
    ("kind", "tap", "body", "expected"),
    [
        ("text", None, "Yes", "reply"),
        ("image", None, None, "reply"),
        ("nfm_reply", None, "Sent", "reply"),
        ("location", None, None, "reply"),
        ("button", Seal.VERIFIED, "Accept", "tap"),
        ("list_reply", Seal.VERIFIED, "Too far", "tap"),
        ("button", Seal.UNSIGNED, "Accept", "reply"),
        ("button_reply", Seal.FORGED, "Accept", "reply"),
        ("button", None, "Accept", "reply"),
        ("reaction", None, "👍", "reaction"),
        ("reaction", None, None, None),
        ("reaction", None, "", None),
        ("system", None, "changed number", None),
        ("unsupported", None, None, None),
    ],
    ids=[
        "a text", "an image", "a form", "a place", "a tap on our button", "a choice of our list",
        "a tap on another's button", "a forged tap", "a button that says nothing", "a reaction",
        "a reaction taken back", "a reaction of nothing", "what the network says", "what nobody can read",
    ],
)  # fmt: skip
def test_what_series_hear_of_a_message(kind: str, tap: Seal | None, body: str | None, expected: str | None) -> None:
    assert heard_as(kind, tap=tap, body=body) == expected


@pytest.mark.parametrize(
    ("answered", "waiting", "running", "expected"),
    [
        (QUOTED, ("w",), ("w", "r"), Meant(series_id="q", by=FoundBy.QUOTED)),
        (OF_NO_SERIES, ("w",), ("w",), Meant(series_id=None, by=FoundBy.QUOTED)),
        (None, ("w",), ("w", "r"), Meant(series_id="w", by=FoundBy.WAITING)),
        (None, (), ("r",), Meant(series_id="r", by=FoundBy.ONLY)),
        (None, ("v", "w"), ("v", "w"), Unclear(reason=HeldFor.SEVERAL, candidates=("v", "w"))),
        (None, (), ("q", "r"), Unclear(reason=HeldFor.SEVERAL, candidates=("q", "r"))),
        (None, (), (), None),
    ],
    ids=[
        "what it quotes", "what it quotes, which is of no series", "the only one that waits", "the only one that runs",
        "two that wait", "two that run", "nobody",
    ],
)  # fmt: skip
def test_what_a_message_means(
    answered: Answered | None, waiting: tuple[str, ...], running: tuple[str, ...], expected: Meant | Unclear | None
) -> None:
    assert meaning(tap=None, answered=answered, waiting=waiting, running=running) == expected


def test_a_reaction_to_what_is_none_of_ours_means_nobody() -> None:
    assert meaning(tap=None, answered=None, waiting=("w",), running=("w",), reacts=True) is None


def test_a_forged_tap_is_given_to_a_person_whatever_it_quotes() -> None:
    found = meaning(tap=Seal.FORGED, answered=QUOTED, waiting=("w",), running=("w",))
    assert found == Unclear(reason=HeldFor.FORGED, candidates=("w",))
