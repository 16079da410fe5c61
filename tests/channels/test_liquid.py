"""Liquid: what is filled in, in which spelling, and what is refused."""

from collections.abc import Callable

import pytest

from channels.errors import TemplateError

Filled = Callable[..., str]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("Hi {{ name }}", "Hi Asha", id="variable"),
        pytest.param("{{ order.count | plus: 1 }}", "4", id="path and filter"),
        pytest.param("{{ price | times: 3 }}", "0.3", id="decimals are exact"),
        pytest.param("{{ items[0].p }}", "1.10", id="decimals keep their zeros"),
        pytest.param("{{ 7 | divided_by: 2 }} {{ 7 | divided_by: 2.0 }}", "3 3.5", id="whole and exact division"),
        pytest.param("{{ 2.5 | round }} {{ 2.345 | round: 1 }} {{ '4' | minus: 1 }}", "2 2.3 3", id="rounding"),
        pytest.param("{{ items | map: 'p' | sum }}", "3.10", id="sum"),
        pytest.param("{{ yes }}", "true", id="boolean"),
        pytest.param("{% if ghost %}a{% else %}b{% endif %}", "b", id="missing is false"),
        pytest.param("{% if ghost.deep == 'x' %}a{% endif %}{% if ghost == nil %}b{% endif %}", "b", id="comparing"),
        pytest.param("{% unless ghost %}a{% endunless %}{% if ghost > 1 %}b{% endif %}", "a", id="unless, greater"),
        pytest.param("{{ ghost | default: name }}{{ nothing | default: '-' }}", "Asha-", id="defaults"),
        pytest.param("{{ blank }}", "", id="an empty text is a value"),
        pytest.param(
            "{% for i in items %}{{ i.n }}{% unless forloop.last %}, {% endunless %}{% endfor %}", "A, B", id="loop"
        ),
        pytest.param(
            "{% assign n = name | upcase %}{{ n }}{% capture c %}{{ n }}!{% endcapture %}{{ c }}",
            "ASHAASHA!",
            id="local",
        ),
        pytest.param("{% liquid\n assign x = 2\n echo x\n%}", "2", id="liquid tag"),
        pytest.param("{% raw %}{{ name }}{% endraw %}", "{{ name }}", id="raw"),
        pytest.param("{{ 'b,a,b' | split: ',' | uniq | sort | join: '+' }}", "a+b", id="lists"),
        pytest.param("{{ '<b>x</b> &amp; y' | strip_html }}", "x & y", id="html to text"),
        pytest.param("{{ 'a\x01b' }}", "ab", id="control characters vanish"),
    ],
)
def test_a_template_is_filled_in(filled: Filled, source: str, expected: str) -> None:
    assert filled(source) == expected


@pytest.mark.parametrize(
    ("source", "locale", "expected"),
    [
        pytest.param("{{ order.total | money }}", "en-IN", "₹12,34,567.50", id="lakhs"),
        pytest.param("{{ 1234.5 | money: 'EUR' }}", "de", "1.234,50\xa0€", id="currency after the amount"),
        pytest.param("{{ 1234 | money: 'JPY' }}", "en", "¥1,234", id="currency without decimals"),
        pytest.param("{{ 1234567.891 | number }}", "hi", "12,34,567.891", id="number"),
        pytest.param("{{ 1.5 | number: 2 }}", "fr", "1,50", id="number with decimals"),
        pytest.param("{{ '2026-01-31' | date: 'long' }}", "hi", "31 जनवरी 2026", id="long date in Hindi"),
        pytest.param(
            "{{ '2026-01-31' | date: '%A, %-d %B %Y' }}", "hi", "शनिवार, 31 जनवरी 2026", id="strftime in Hindi"
        ),
        pytest.param("{{ '2026-01-31' | date: 'd MMM y' }}", "en", "31 Jan 2026", id="pattern"),
        pytest.param("{{ '2026-01-31' | date: 'yMMMd' }}", "en-US", "Jan 31, 2026", id="skeleton"),
        pytest.param("{{ '2026-01-31T20:00:00Z' | date: '%d %H:%M' }}", "en", "01 01:30", id="zone shifts the day"),
        pytest.param("{{ '2026-01-31T20:00:00Z' | time: '%H:%M', zone: 'UTC' }}", "en", "20:00", id="zone named"),
        pytest.param("{{ '2026-01-31T09:00:00' | datetime: '%H:%M' }}", "en", "09:00", id="naive means the zone"),
        pytest.param("{{ '2026-01-31' | date: '100%% %d' }}", "en", "100% 31", id="literal text in formats"),
        pytest.param("{{ 1.5 | number: locale: 'de' }}", "en", "1,5", id="locale named"),
        pytest.param("{{ '2026-01-31' | date: 'long' }}", "default", "January 31, 2026", id="no locale known"),
        pytest.param("{{ '2026-01-31' | date: 'long' }}", "xx-YY", "January 31, 2026", id="unknown language"),
    ],
)
def test_formats_follow_locale_and_zone(filled: Filled, source: str, locale: str, expected: str) -> None:
    assert filled(source, locale=locale) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param("{{ ghost }}", "'ghost' is missing", id="missing variable"),
        pytest.param("a\n {{ order.sum.x }}", "line 2, column 5: 'order.sum.x' is missing", id="missing path"),
        pytest.param("{{ ghost | upcase }}", "'ghost' is missing", id="missing before a filter"),
        pytest.param("{{ name | append: ghost }}", "'ghost' is missing", id="missing argument"),
        pytest.param("{% for i in ghost %}{% endfor %}", "'ghost' is missing", id="missing list"),
        pytest.param("{{ now }}", "'now' is missing", id="no clock inside"),
        pytest.param("{{ 'now' | date }}", "the value is no date", id="no clock in a filter"),
        pytest.param("{{ nothing }}", "'nothing' is empty (null)", id="null"),
        pytest.param("{{ nothing | upcase }}", "no value to work on", id="null before a filter"),
        pytest.param("{{ order }}", "an object cannot be written", id="object"),
        pytest.param("{{ items }}", "a list cannot be written", id="list"),
        pytest.param("{{ items | upcase }}", "a list cannot be written", id="list before a text filter"),
        pytest.param("x {{ name", "line 1, column 3: '{{' is never closed", id="open output"),
        pytest.param("x\n\n{% if name", "line 3, column 1: '{%' is never closed", id="open tag"),
        pytest.param("{% raw %}x", "'raw' is never closed", id="open raw"),
        pytest.param("{% if name %}", "line 1, column", id="open block"),
        pytest.param("a\n {{ name..x }}", "line 2, column 9", id="syntax"),
        pytest.param("{% include '/etc/passwd' %}", "'include' is not available", id="include"),
        pytest.param("{%- render 'x' %}", "'render' is not available", id="render"),
        pytest.param("{% liquid\n include 'x' %}", "unexpected tag 'include'", id="include inside liquid"),
        pytest.param("{{ name | shout }}", "there is no filter 'shout'", id="unknown filter"),
        pytest.param("{% if ghost %}{{ name | shout }}{% endif %}", "there is no filter 'shout'", id="in a branch"),
        pytest.param("{{ name | safe }}", "there is no filter 'safe'", id="no way around escaping"),
        pytest.param("{{ 1 | money: 'ABC' }}", "give the currency", id="currency"),
        pytest.param("{{ name | money: 'INR' }}", "no number", id="money of a word"),
        pytest.param("{{ name | plus: 1 }}", "plus needs a number", id="sum of a word"),
        pytest.param("{{ 1 | divided_by: 0 }}", "the result is no number", id="division by zero"),
        pytest.param("{{ '2026-01-31' | date: 'lng' }}", "the format is unknown", id="format"),
        pytest.param("{{ '2026-01-31' | time }}", "a date without a time", id="time of a date"),
        pytest.param("{{ 99999999999999 | date }}", "the value does not fit", id="year beyond all calendars"),
        pytest.param("{{ '2026-01-31' | date: 'long', zone: 'Mars/Base' }}", "no such time zone", id="zone"),
        pytest.param("{{ '/w==' | base64_decode }}", "the value does not fit", id="base64"),
        pytest.param("{% break %}", "unexpected 'break'", id="break outside"),
    ],
)
def test_what_cannot_be_filled_in_says_where_and_why(filled: Filled, source: str, message: str) -> None:
    with pytest.raises(TemplateError) as raised:
        filled(source)
    assert raised.value.faults[0].pointer == "/body"
    assert message in raised.value.faults[0].message
