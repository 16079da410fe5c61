"""Liquid: hostile templates and data end with a clear refusal."""

import itertools
from collections.abc import Callable

import pytest

from channels.errors import TemplateError
from channels.liquid import fill
from channels.scope import Budget, scope

Filled = Callable[..., str]

NESTED_LOOPS = "{% for i in (1..100) %}" * 3 + "x" + "{% endfor %}" * 3
REPEATED_WHEN = "{% case 1 %}{% when " + ", ".join(["1"] * 400) + " %}"
SIXTY_TIMES = "{%% for i in (1..60) %%}%s{%% endfor %%}"
DOUBLING_TEXT = "{% assign s = long %}" + SIXTY_TIMES % "{% assign s = s | append: s %}"
DOUBLING_LIST = "{% assign l = 'a,b' | split: ',' %}" + SIXTY_TIMES % "{% assign l = l | concat: l %}"
TOWER = "{% assign n = 10 %}" + SIXTY_TIMES % "{% assign n = n | times: n %}"
GROWING = "{% assign c = '' %}" + "{% for i in (1..900) %}{% capture c %}{{ c }}{{ long }}{% endcapture %}{% endfor %}"

HOSTILE = {
    "a billion turns": ("{% for i in (1..1000000000) %}x{% endfor %}", "a range spans"),
    "a range from data": ("{% for i in (1..far) reversed %}x{% endfor %}", "a range spans"),
    "far offset": ("{% for i in (1..far) offset: 999999990 limit: 1 %}x{% endfor %}", "a range spans"),
    "search in a range": ("{% if (1..far) contains 'x' %}{% endif %}", "a range spans"),
    "join of a range": ("{{ (1..far) | join }}", "a range spans"),
    "assigned range": ("{% assign r = (1..far) %}{{ r | size }}", "a range spans"),
    "nested loops": (NESTED_LOOPS, "loops more than"),
    "one loop after another": ("{% for i in (1..5000) %}{% endfor %}" * 5, "loops more than"),
    "cases that match many times": (REPEATED_WHEN * 5 + "x" + "{% endcase %}" * 5, "pieces"),
    "doubling text": (DOUBLING_TEXT, "append: more"),
    "text put into itself": ("{{ long | replace: 'x', long | replace: 'x', long }}", "replace: more"),
    "huge separator": ("{{ (1..5000) | join: long }}", "join: more"),
    "doubling list": (DOUBLING_LIST, "concat: more"),
    "tower of products": (TOWER, "40 digits"),
    "exponent": ("{{ '1e999999999' | floor }}", "40 digits"),
    "decimals": ("{{ 1 | round: 999999999 }}", "0 to 20"),
    "long output": ("{% for i in (1..9000) %}{{ long }}{% endfor %}", "larger than"),
    "growing capture": (GROWING, "larger than"),
    "nested blocks": ("{% if 1 %}" * 30 + "{% endif %}" * 30, "nested deeper"),
    "nested brackets": ("{{ a" + "[a" * 900 + "]" * 900 + " }}", "nested too deeply"),
    "gaps inside a tag": ("{% liquid\n assign x =" + " " * 20_000 + "1 2\n %}", "200 spaces in a row"),
    "nested markup in data": ("{{ tags | strip_html }}{{ tags | sanitize_html }}", "more than 5,000 tags"),
    "open delimiters": ("{{" * 25_000, "never closed"),
    "open raws": ("{% raw %}" * 7_000, "never closed"),
    "open docs": ("{% doc %}" * 7_000, "not available"),
    "many outputs": ("{{ 1 }}" * 6_000, "more than 5,000"),
    "long expression": ("{{ '" + "x" * 5_000 + "' }}", "longer than 4,096"),
    "long source": ("x" * 300_000 + "{{ 1 }}", "longer than 256 KiB"),
}


@pytest.mark.parametrize(("source", "message"), HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_template_ends_with_a_clear_refusal(filled: Filled, source: str, message: str) -> None:
    # On a slow machine the budget of processor time may run out before the limit is reached; that is as clear.
    with pytest.raises(TemplateError, match=f"{message}|processor time"):
        filled(source)


def test_a_long_condition_within_the_limits_still_works(filled: Filled) -> None:
    assert filled("{% if " + "name and " * 50 + "name %}x{% endif %}") == "x"


def test_a_rendering_that_uses_up_its_processor_time_is_stopped(filled: Filled) -> None:
    ticks = itertools.count(step=0.4)
    with pytest.raises(TemplateError, match="processor time"):
        filled("{{ name | upcase | downcase | upcase | downcase }}", budget=Budget(clock=lambda: next(ticks)))


def test_loops_without_filters_look_at_the_clock_too(filled: Filled) -> None:
    ticks = itertools.count(step=0.4)
    with pytest.raises(TemplateError, match="processor time"):
        filled("{% for i in (1..5000) %}x{% endfor %}", budget=Budget(clock=lambda: next(ticks)))


def test_all_fields_of_a_part_share_one_budget() -> None:
    rendering = scope({}, locale="en", zone="UTC", budget=Budget(loops=150))
    source = "{% for i in (1..100) %}x{% endfor %}"
    assert fill(source, rendering, pointer="/a") == "x" * 100
    with pytest.raises(TemplateError, match="/b: the template loops"):
        fill(source, rendering, pointer="/b")
