"""Templates: immutable versions of parts, one part for each channel and locale."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from domain.faults import Fault
from domain.locales import normalise
from domain.recipients import Channel
from domain.variables import Variable, check_schema

_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_LONGEST_NAME = 128


class VersionState(StrEnum):
    """Where a version stands; at most one version of a template is published."""

    DRAFT = "draft"
    PUBLISHED = "published"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a version says over one channel in one locale; `content` has the channel's shape."""

    channel: Channel
    locale: str
    content: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> str:
        """Returns `channel/locale`, which is unique within a version."""
        return f"{self.channel}/{self.locale}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """One immutable version of a template: all its parts go live together."""

    name: str
    number: int
    parts: tuple[Part, ...]
    variables: tuple[Variable, ...] = ()
    state: VersionState = VersionState.DRAFT


def name_fault(name: str) -> str | None:
    """Returns what is wrong with a template's name, or None."""
    if len(name) > _LONGEST_NAME:
        return f"a template's name has at most {_LONGEST_NAME} characters, this one has {len(name)}"
    if not _NAME.fullmatch(name):
        return "a template's name is made of a-z and 0-9, with single '.', '_' or '-' between them: 'order.shipped'"
    return None


def check_version(version: TemplateVersion) -> tuple[Fault, ...]:
    """Returns what is wrong with a version apart from the contents of its parts (those, the channels judge)."""
    wrong_name = name_fault(version.name)
    faults = [Fault(pointer="/name", message=wrong_name)] if wrong_name else []
    if not version.parts:
        faults.append(Fault(pointer="/parts", message="a version needs at least one part"))
    seen: set[tuple[Channel, str]] = set()
    for index, part in enumerate(version.parts):
        try:
            locale = normalise(part.locale)
        except ValueError as error:
            faults.append(Fault(pointer=f"/parts/{index}/locale", message=str(error)))
            continue
        if (part.channel, locale) in seen:
            message = f"there is already a part for {part.channel} in {locale}"
            faults.append(Fault(pointer=f"/parts/{index}", message=message))
        seen.add((part.channel, locale))
    return (*faults, *(fault.under("/variables") for fault in check_schema(version.variables)))


def choose_part(parts: Sequence[Part], channel: Channel, locale_chain: Sequence[str]) -> Part | None:
    """Returns the part for the channel in the first locale of the chain that has one, or None."""
    offered = {part.locale.lower().replace("_", "-"): part for part in parts if part.channel is channel}
    return next((offered[locale.lower()] for locale in locale_chain if locale.lower() in offered), None)


def publish(versions: Sequence[TemplateVersion], number: int) -> tuple[TemplateVersion, ...]:
    """Returns the versions with `number` published, the former superseded; old versions come back the same way.

    Raises:
        LookupError: There is no version of that number.
    """
    if all(version.number != number for version in versions):
        raise LookupError(f"there is no version {number}")
    return tuple(replace(version, state=_after_publishing(version, number)) for version in versions)


def _after_publishing(version: TemplateVersion, number: int) -> VersionState:
    if version.number == number:
        return VersionState.PUBLISHED
    return VersionState.SUPERSEDED if version.state is VersionState.PUBLISHED else version.state
