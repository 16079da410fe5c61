"""Liquid: variables found without rendering, HTML escaped, and one kind of error whatever comes in."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.errors import TemplateError
from channels.filters import FILTERS
from channels.liquid import compiled
from channels.scope import scope

Filled = Callable[..., str]

USES: dict[str, tuple[str, set[str], set[str]]] = {
    "outputs": ("{{ a }}{{ b.c }}", {"a", "b.c"}, set()),
    "branch": ("{% if a %}{{ b }}{% endif %}", set(), {"a", "b"}),
    "default": ("{{ a | default: b }}", set(), {"a", "b"}),
    "default too late": ("{{ a | upcase | default: 1 }}", {"a"}, set()),
    "filters and arguments": ("{{ a | upcase }}{{ c | append: d }}", {"a", "c", "d"}, set()),
    "loop": ("{% for i in l %}{{ i.n }}{{ h }}{{ forloop.index }}{% endfor %}", {"l", "l[].n"}, {"h"}),
    "nested loop": (
        "{% for i in l %}{% for j in i.m %}{{ j }}{% endfor %}{% endfor %}",
        {"l", "l[].m", "l[].m[]"},
        set(),
    ),
    "loop over a range": ("{% for i in (1..n) %}{{ i }}{{ i.x }}{% else %}{{ o }}{% endfor %}", {"n"}, {"o"}),
    "alias": ("{% assign x = a %}{% if x %}{{ x.b }}{% endif %}", set(), {"a", "a.b"}),
    "computed local": ("{% assign x = a | upcase %}{{ x }}", {"a"}, set()),
    "capture": ("{% capture x %}{{ a }}{% endcapture %}{{ x }}", {"a"}, set()),
    "indexes": ("{{ a[b.c].d }}{{ l[0].n }}{{ l.size }}", {"a", "b.c", "l", "l[].n"}, set()),
    "case and cycle": ("{% case a %}{% when b %}{{ c }}{% endcase %}{% cycle d %}", {"d"}, {"a", "b", "c"}),
    "required wins": ("{{ a }}{% if a %}{% endif %}", {"a"}, set()),
    "none": ("plain", set(), set()),
}


@pytest.mark.parametrize(("source", "required", "optional"), USES.values(), ids=list(USES))
def test_used_variables_are_found_without_rendering(source: str, required: set[str], optional: set[str]) -> None:
    uses = compiled(source).uses
    assert (set(uses.required), set(uses.optional)) == (required, optional)


@pytest.mark.parametrize(
    "source",
    [
        "{{ evil }}",
        "{{ evil | append: evil }}",
        "{{ 'a' | replace: 'a', evil }}",
        "{{ 'a,b' | split: ',' | join: evil }}",
        "{{ evil | url_encode | url_decode }}",
        "{{ evil | base64_encode | base64_decode }}",
        "{{ evil | escape | escape_once }}",
        "{{ evil | newline_to_br }}",
        "{{ evil | truncate: 20 }}",
        "{{ evil | slice: 0, 50 }}",
        "{{ evil | strip_newlines | squish }}",
        "{{ evil | sanitize_html }}",
        "{{ evil | strip_html }}",
        "{% capture c %}{{ evil }}{% endcapture %}{{ c }}",
        "{% echo evil %}{% cycle evil %}",
        "{{ ghost | default: evil }}",
        "{% assign e = evil %}{{ e }}",
        "{{ evil | prepend: '<b>' }}",
    ],
)
def test_no_way_through_the_filters_gets_markup_of_data_into_html(filled: Filled, source: str) -> None:
    written = filled(source, html=True)
    assert "<script" not in written
    assert filled("{{ '<b>' }}", html=True) == "<b>"


def test_sanitized_html_keeps_harmless_elements_only(filled: Filled) -> None:
    data = {"note": "<p>Hi <b>you</b><img src=x onerror=alert(1)><a href='javascript:x'>y</a></p>"}
    written = filled("{{ note | sanitize_html }}", html=True, **data)
    assert written.startswith("<p>Hi <b>you</b>")
    assert "onerror" not in written
    assert "javascript" not in written
    assert filled("{{ note | sanitize_html }}", **data) == "Hi youy"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param({"a": float("nan")}, "/data/a: the number is not finite", id="nan"),
        pytest.param(
            {"a": {"b": Decimal("1e999999999")}}, "/data/a/b: the number has more than 40 digits", id="exponent"
        ),
        pytest.param({"a": 10**50}, "40 digits", id="large number"),
        pytest.param({"a": ["\ud800"]}, "/data/a/0: the text holds half", id="half a character"),
        pytest.param({"a": object()}, "/data/a: object is no JSON value", id="no JSON"),
        pytest.param({"a": {1: 2}}, "/data/a: the names", id="field without a text name"),
    ],
)
def test_data_that_is_no_bearable_json_is_refused_with_its_place(data: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        scope(data, locale="en", zone="UTC")


def test_deep_data_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"a": deep}
    with pytest.raises(TemplateError, match="nested deeper than 32"):
        scope(deep, locale="en", zone="UTC")


@pytest.mark.parametrize(("locale", "zone"), [("not a tag", "UTC"), ("en", "Mars/Base"), ("en", "../etc/passwd")])
def test_an_unknown_locale_or_zone_is_refused(locale: str, zone: str) -> None:
    with pytest.raises(TemplateError, match="there is no such"):
        scope({}, locale=locale, zone=zone)


PIECES = st.sampled_from(
    [
        *(
            "{{ name }}",
            "{{ ghost }}",
            "{% if name %}",
            "{% endif %}",
            "{% for i in items %}",
            "{% endfor %}",
            "{{ i.p }}",
        ),
        *("{{ items | ", "sort", " | uniq", " }}", "{{", "%}", "{% assign x = ", "name", "| date: ", "{{ x | money }}"),
        *(
            "{% raw %}",
            "{% endraw %}",
            "{% comment %}",
            "{{ order.total | ",
            "join: ",
            "(1..5)",
            "(1..x)",
            "[",
            "]",
            "'",
        ),
    ]
)


@settings(max_examples=300)
@given(st.lists(PIECES | st.text(max_size=5), max_size=12), st.booleans())
def test_any_source_is_filled_in_or_refused_with_the_one_error(filled: Filled, pieces: list[str], html: bool) -> None:  # noqa: FBT001 - drawn
    try:
        assert isinstance(filled("".join(pieces), html=html), str)
    except TemplateError as error:
        assert error.faults  # noqa: PT017 - both ways are fine, only the kind of error matters


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
ARGUMENTS = st.sampled_from(["", ": x", ": x, x"])
FILTER_CALLS = st.builds(lambda name, arguments: name + arguments, st.sampled_from(sorted(FILTERS)), ARGUMENTS)


@settings(max_examples=500)
@given(VALUES, VALUES, st.lists(FILTER_CALLS, min_size=1, max_size=3), st.booleans())
def test_any_value_in_any_filter_is_written_or_refused_with_the_one_error(
    filled: Filled,
    v: Any,
    x: Any,
    calls: list[str],
    html: bool,  # noqa: FBT001 - drawn
) -> None:
    try:
        written = filled("{{ v | " + " | ".join(calls) + " }}", html=html, v=v, x=x)
    except TemplateError as error:
        assert error.faults  # noqa: PT017 - both ways are fine, only the kind of error matters
    else:
        assert isinstance(written, str)


@given(st.text())
def test_html_escapes_every_text(filled: Filled, text: str) -> None:
    written = filled("{{ text }}", html=True, text=f"<{text}'")
    assert "<" not in written
    assert "'" not in written
