"""Which members expressions name, held against the variables that the compiled program tells."""

import cel
import pytest

from domain.conditions import check
from domain.expression_members import members

KNOWN = ("event", "recipient", "series", "data", "outcomes", "heard")


def written(expression: str) -> list[str]:
    """Returns the paths that an expression names, as far as they say more than a variable."""
    check(expression, KNOWN)
    named = members(expression)
    assert {one.variable for one in named} - {""} <= {*cel.compile(expression).variables()}
    found = (one for one in named if one.path)
    return [".".join([one.variable, *("*" if step is None else step for step in one.path)]) for one in found]


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("event.data.amount > 1.5 && data.total == 0x1F", ["event.data.amount", "data.total"]),
        ("has(event.data.note)", ["event.data.note"]),
        ("event.data['a c'].c", ["event.data.a c.c"]),
        (r"event.data['a\'c'].c", ["event.data.*.c"]),
        ("event.data.items[0].price", ["event.data.items.*.price"]),
        ("event.data.prices[data.currency]", ["event.data.prices.*", "data.currency"]),
        ("event.data.name.startsWith('event.data.x')", ["event.data.name"]),
        ("size(event.data.items) > 0 ? data.a : data.b", ["event.data.items", "data.a", "data.b"]),
        ("'x' in event.data.tags", ["event.data.tags"]),
        ("{'a': data.b}.a == [data.c][0]", ["data.b", "data.c"]),
        ("event.data.items.exists(i, i.price > data.most)",
         ["event.data.items", "event.data.items.*", "event.data.items.*.price", "data.most"]),
        ("event.data.items.filter(i, i.is_new)[0].name",
         ["event.data.items.*.name", "event.data.items.*", "event.data.items.*.is_new"]),
        ("event.data.items.map(i, i.price)[0] > data.a",
         ["event.data.items", "event.data.items.*", "event.data.items.*.price", "data.a"]),
        ("[1, 2].all(data, data.x > 1)", [".x"]),
        ("[data.a].exists(event, event.data.b > 1) && event.data.c", ["data.a", ".data.b", "event.data.c"]),
        ("data.filter.all == 1 && data.map[0] == 2", ["data.filter.all", "data.map.*"]),
    ],
)  # fmt: skip
def test_members_are_named_as_far_as_they_go(expression: str, named: list[str]) -> None:
    assert written(expression) == named


@pytest.mark.parametrize("expression", ["data.a(", "data.a[", "data.", "data.all(x", "data.all(x,"])
def test_words_that_break_off_are_read_to_their_end(expression: str) -> None:
    assert members(expression)[0].variable == "data"
