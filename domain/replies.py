"""What somebody's message means: which series hears it, or who may be meant by what a person has to settle."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Seal(StrEnum):
    """What the payload of a button says of itself."""

    VERIFIED = "verified"  # a button of ours, of the message that it names
    UNSIGNED = "unsigned"  # a button of somebody else's message to the same person
    FORGED = "forged"  # it says that it is ours, and is not


class FoundBy(StrEnum):
    """How a message found what it answers."""

    BUTTON = "button"
    QUOTED = "quoted"
    WAITING = "waiting"
    ONLY = "only"
    PERSON = "person"


class HeldFor(StrEnum):
    """Why a message waits for a person to say what it means."""

    SEVERAL = "several"
    FORGED = "forged"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a message says that it answers: a message of ours, and the series which that was of."""

    notification_id: str
    series_id: str | None
    by: FoundBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Which series hears a message, None where none does."""

    series_id: str | None
    by: FoundBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """A person decides among the candidates."""

    reason: HeldFor
    candidates: tuple[str, ...]


TAPPED = frozenset({"button", "button_reply", "list_reply"})
_SAID: Mapping[str, str] = {
    **dict.fromkeys(TAPPED, "reply"),  # of somebody else's button; ours are taps
    **dict.fromkeys(("text", "nfm_reply", "location", "contacts", "order"), "reply"),
    **dict.fromkeys(("image", "audio", "video", "document", "sticker"), "reply"),
    "reaction": "reaction",
}


def heard_as(kind: str, *, tap: Seal | None, body: str | None) -> str | None:
    """Returns what series hear of a message, or None for one that says nothing to anybody.

    A reaction that was taken back is none, and what a network says of itself (`system`) is no reply.
    """
    if tap is Seal.VERIFIED:
        return "tap"
    if kind == "reaction" and not body:
        return None
    return _SAID.get(kind)


def meaning(
    *, tap: Seal | None, answered: Answered | None, waiting: tuple[str, ...], running: tuple[str, ...],
    reacts: bool = False,
) -> Meant | Unclear | None:  # fmt: skip
    """Returns what a message means: what it answers, else the only series that waits, else the only one that runs.

    None says that nobody waits for anything from this person; or that it `reacts` to what is none of ours.
    """
    if tap is Seal.FORGED:
        return Unclear(reason=HeldFor.FORGED, candidates=waiting or running)
    if answered is not None:
        return Meant(series_id=answered.series_id, by=answered.by)
    candidates = () if reacts else waiting or running
    if len(candidates) > 1:
        return Unclear(reason=HeldFor.SEVERAL, candidates=candidates)
    return Meant(series_id=candidates[0], by=FoundBy.WAITING if waiting else FoundBy.ONLY) if candidates else None
