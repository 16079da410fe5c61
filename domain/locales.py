"""Language tags (BCP 47): how they are written, and in which order a text is looked for."""

import re
from dataclasses import dataclass

DEFAULT = "default"
"""The locale of parts that serve everybody for whom nothing closer exists."""

_LANGUAGE = re.compile(r"[a-z]{2,3}|[a-z]{5,8}")
_SCRIPT = re.compile(r"[a-z]{4}")
_REGION = re.compile(r"[a-z]{2}|[0-9]{3}")
_VARIANT = re.compile(r"[a-z0-9]{5,8}|[0-9][a-z0-9]{3}")
_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
_LONGEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """A language tag in its parts, each in the case in which it is usually written."""

    language: str
    script: str | None = None
    region: str | None = None
    variants: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = (self.language, self.script, self.region, *self.variants, *self.extensions)
        return "-".join(part for part in parts if part)


def parse(text: str) -> Locale:
    """Returns the parts of a language tag; case and `_` do not matter.

    Raises:
        ValueError: The text is no language tag; the message says what one looks like.
    """
    subtags = text.strip().replace("_", "-").lower().split("-")
    if len(text) > _LONGEST or not _LANGUAGE.fullmatch(subtags[0]):
        raise ValueError(_refusal(text))
    rest = subtags[1:]
    script = rest.pop(0).title() if rest and _SCRIPT.fullmatch(rest[0]) else None
    region = rest.pop(0).upper() if rest and _REGION.fullmatch(rest[0]) else None
    variants = []
    while rest and _VARIANT.fullmatch(rest[0]):
        variants.append(rest.pop(0))
    if rest and (len(rest) == 1 or len(rest[0]) != 1 or not all(_EXTENSION.fullmatch(part) for part in rest)):
        raise ValueError(_refusal(text))
    return Locale(language=subtags[0], script=script, region=region, variants=tuple(variants), extensions=tuple(rest))


def normalise(text: str) -> str:
    """Returns the tag as it is usually written (`hi_in` becomes `hi-IN`); `default` stays as it is.

    Raises:
        ValueError: The text is no language tag.
    """
    return DEFAULT if text.strip().lower() == DEFAULT else str(parse(text))


def chain(locale: str | None, *, default: str | None = None) -> tuple[str, ...]:
    """Returns the locales in which a text is looked for, the closest first.

    The tag is shortened from its end (`zh-Hant-TW`, `zh-Hant`, `zh`), then comes the tenant's language in the same way,
    then `default`.

    Args:
        locale: The recipient's locale, where it is known.
        default: The tenant's language, where it has one.

    Raises:
        ValueError: One of both is no language tag.
    """
    found: dict[str, None] = {}
    for tag in (locale, default):
        if tag is not None and normalise(tag) != DEFAULT:
            found.update(dict.fromkeys(_shortened(parse(tag))))
    found[DEFAULT] = None
    return tuple(found)


def _shortened(locale: Locale) -> list[str]:
    subtags = [part for part in (locale.language, locale.script, locale.region, *locale.variants) if part]
    whole = [str(locale)] if locale.extensions else []
    return whole + ["-".join(subtags[:length]) for length in range(len(subtags), 0, -1)]


def _refusal(text: str) -> str:
    return f"{text[:_LONGEST]!r} is no language tag; write it like 'hi', 'hi-IN' or 'zh-Hant-TW'"
