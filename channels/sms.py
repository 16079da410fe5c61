"""Text messages."""

from collections.abc import Mapping
from typing import Any

from channels.errors import refused
from channels.gsm7 import measure
from channels.liquid import fill
from channels.reading import Reader
from channels.rendered import Rendered, rendered
from channels.scope import Scope
from channels.shapes import SmsPart, Source
from domain.content import SmsContent

LONGEST_BODY = 1600
"""Characters; what the large carriers' gateways take as one message."""
MANY_SEGMENTS = 3
"""From here on, a message costs more than most people expect."""
_PLAIN_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2007\u2009"), " ")
"""Spaces that number and date formats use; each alone would more than halve the size of a segment."""


def read(content: Mapping[str, Any]) -> SmsPart:
    """Returns the part.

    Raises:
        TemplateError: The content has another shape.
    """
    reader = Reader(content)
    part = SmsPart(body=reader.text("body", required=True))
    reader.end()
    return part


def sources(part: SmsPart) -> tuple[Source, ...]:
    """Returns the Liquid texts of the part."""
    return (Source(pointer="/body", text=part.body, longest=LONGEST_BODY),)


def render(part: SmsPart, scope: Scope) -> Rendered:
    """Returns what the part says.

    Raises:
        TemplateError: A variable is missing, or the text is blank or too long.
    """
    body = fill(part.body, scope, pointer="/body").translate(_PLAIN_SPACES).replace("\r\n", "\n").strip()
    if not body:
        raise refused("the text is blank with this data", "/body")
    if len(body) > LONGEST_BODY:
        raise refused(f"the text has {len(body):,} characters with this data; {LONGEST_BODY:,} are possible", "/body")
    warnings = ("sms_many_segments",) if measure(body).segments > MANY_SEGMENTS else ()
    return rendered(SmsContent(body=body), warnings=warnings)
