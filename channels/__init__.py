"""What a medium can carry: render, measure, check; no input or output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from channels import email, sms, whatsapp, whatsapp_shape
from channels.analysis import Uses
from channels.errors import TemplateError, refused
from channels.liquid import compiled
from channels.rendered import Rendered
from channels.scope import Scope, scope
from channels.shapes import Source
from domain.faults import Fault
from domain.recipients import Channel

__all__ = ["Fault", "Rendered", "TemplateError", "Uses", "check", "render", "variables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Medium:
    """The functions of one channel's module; parts are as that module reads them."""

    read: Callable[[Mapping[str, Any]], Any]
    sources: Callable[[Any], tuple[Source, ...]]
    render: Callable[[Any, Scope, str], Rendered]
    faults: Callable[[Any], tuple[Fault, ...]] = lambda _: ()


_MEDIA = {
    Channel.EMAIL: _Medium(read=email.read, sources=email.sources, render=email.render, faults=email.faults),
    Channel.WHATSAPP: _Medium(read=whatsapp_shape.read, sources=whatsapp_shape.sources, render=whatsapp.render),
    Channel.SMS: _Medium(read=sms.read, sources=sms.sources, render=lambda part, scope, _: sms.render(part, scope)),
}


def check(channel: Channel, content: Mapping[str, Any]) -> tuple[Fault, ...]:
    """Returns everything that is wrong with a part's content; pointers start inside the content."""
    try:
        medium = _medium(channel)
        part = medium.read(content)
    except TemplateError as error:
        return error.faults
    found = [fault for source in medium.sources(part) for fault in _source_faults(source)]
    return tuple(found) or medium.faults(part)  # markup is judged only when its Liquid is sound


def _source_faults(source: Source) -> tuple[Fault, ...]:
    try:
        compiled(source.text, html=source.html)
    except TemplateError as error:
        return error.under(source.pointer).faults
    fixed = "{{" not in source.text and "{%" not in source.text
    if fixed and source.longest is not None and len(source.text) > source.longest:
        message = f"the text has {len(source.text):,} characters; {source.longest:,} are possible"
        return (Fault(pointer=source.pointer, message=message),)
    return ()


def variables(channel: Channel, content: Mapping[str, Any]) -> Uses:
    """Returns the variables that a part's content uses.

    Raises:
        TemplateError: The content is no part of this channel.
    """
    medium = _medium(channel)
    uses = Uses()
    for source in medium.sources(medium.read(content)):
        try:
            used = compiled(source.text, html=source.html).uses
        except TemplateError as error:
            raise error.under(source.pointer) from error
        uses |= Uses(optional=(*used.required, *used.optional)) if source.optional else used
    return uses


def render(
    channel: Channel,
    content: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    locale: str,
    zone: str,
    language: str | None = None,
) -> Rendered:
    """Returns what a part says for this data.

    Args:
        channel: The medium.
        content: The part's content.
        data: The notification's data.
        locale: How dates, numbers and money are written: the recipient's locale.
        zone: IANA time zone in which times are told.
        language: Locale of the part, when it differs from `locale`.

    Raises:
        TemplateError: The content is no part of this channel, a variable is missing, or the result cannot be carried.
    """
    medium = _medium(channel)
    part = medium.read(content)
    return medium.render(part, scope(data, locale=locale, zone=zone), language or locale)


def _medium(channel: Channel) -> _Medium:
    if channel not in _MEDIA:
        raise refused(f"templates have no parts for the channel {channel}")
    return _MEDIA[channel]
