"""Variables of templates: schema, types, defaults."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.variables import (
    ABSENT,
    Variable,
    VariableType,
    check_data,
    check_schema,
    fits,
    missing_variables,
    with_defaults,
)

SCHEMA = (
    Variable(name="name"),
    Variable(name="order.total", type=VariableType.MONEY),
    Variable(name="note", required=False),
    Variable(name="greeting", default="Hello"),
)
MOMENT = datetime(2026, 1, 31, 9, tzinfo=UTC)
TOTAL = {"amount": "12.50", "currency": "INR"}


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        pytest.param({"name": "Asha", "order": {"total": TOTAL}}, (), id="complete"),
        pytest.param({"order": {"total": TOTAL}}, ("name",), id="absent"),
        pytest.param({"name": None, "order": {"total": TOTAL}}, ("name",), id="null counts as missing"),
        pytest.param({"name": "Asha", "order": 3}, ("order.total",), id="path through a number"),
        pytest.param({}, ("name", "order.total"), id="everything"),
        pytest.param({"name": "", "order": {"total": TOTAL}}, (), id="an empty text is a value"),
    ],
)
def test_required_variables_without_value_or_default_are_missing(
    data: dict[str, Any], missing: tuple[str, ...]
) -> None:
    assert missing_variables(SCHEMA, data) == missing


def test_faults_point_at_the_variable_and_never_show_its_value() -> None:
    faults = check_data(SCHEMA, {"name": 77123, "order": {"total": "secret"}})
    assert [fault.pointer for fault in faults] == ["/name", "/order/total"]
    assert faults[0].message == "'name' must be a string, not a number"
    assert "77123" not in str(faults)
    assert "secret" not in str(faults)


def test_defaults_fill_gaps_without_touching_the_given_data() -> None:
    schema = (*SCHEMA, Variable(name="a.b", default=1), Variable(name="name.x", default=2))
    data = {"name": "Asha", "a": {"c": 3}}
    assert with_defaults(schema, data) == {"name": "Asha", "a": {"c": 3, "b": 1}, "greeting": "Hello"}
    assert data == {"name": "Asha", "a": {"c": 3}}


YES_AND_NO: dict[VariableType, tuple[list[Any], list[Any]]] = {
    VariableType.STRING: (["", "x"], [1, None, ["x"]]),
    VariableType.NUMBER: ([1, 1.5, Decimal("1.5")], [True, "1", float("nan"), Decimal("Infinity")]),
    VariableType.INTEGER: ([0, -5], [True, 1.0, "1"]),
    VariableType.BOOLEAN: ([True, False], [0, "true"]),
    VariableType.MONEY: (
        [TOTAL, {"amount": 5, "currency": "USD"}],
        [
            {"amount": 5},
            {"amount": True, "currency": "USD"},
            {"amount": "1e9", "currency": "USD"},
            {"amount": "5", "currency": "usd"},
            {"amount": "5", "currency": "USD", "x": 1},
            "5 USD",
        ],
    ),
    VariableType.DATE: (["2026-01-31", date(2026, 1, 31)], ["2026-02-31", "tomorrow", 5, MOMENT]),
    VariableType.DATETIME: (
        ["2026-01-31T09:00:00+05:30", "2026-01-31T09:00:00Z", MOMENT],
        ["2026-01-31", "T", 5],
    ),
    VariableType.URL: (
        ["https://a.example/x?y=1", "http://a.example"],
        ["javascript:alert(1)", "//a.example", "https://", "https://a b", 5, "https://[x"],
    ),
    VariableType.LIST: ([[], [1]], ["x", {}]),
    VariableType.OBJECT: ([{}, {"a": 1}], [[], "x"]),
}
CASES = [
    pytest.param(kind, value, fitting, id=f"{kind}-{value!r}-{fitting}")
    for kind, both in YES_AND_NO.items()
    for values, fitting in zip(both, (True, False), strict=True)
    for value in values
]


@pytest.mark.parametrize(("kind", "value", "fitting"), CASES)
def test_a_value_fits_its_type_or_not(kind: VariableType, value: object, *, fitting: bool) -> None:
    assert fits(kind, value) is fitting


def test_what_was_not_given_shows_itself_as_absent() -> None:
    assert repr(Variable(name="a")).count("=ABSENT") == 2
    assert Variable(name="a", default=None).default is not ABSENT


def test_every_type_has_examples() -> None:
    assert set(YES_AND_NO) == set(VariableType)


def test_a_schema_is_checked_itself() -> None:
    schema = (
        Variable(name="1st"),
        Variable(name="a"),
        Variable(name="a"),
        Variable(name="b", type=VariableType.INTEGER, default="x", example=object()),
        Variable(name="c", default=None),
        Variable(name="d", default=[1]),
    )
    assert [fault.pointer for fault in check_schema(schema)] == [
        "/0/name",
        "/2/name",
        "/3/default",
        "/3/example",
        "/4/default",
        "/5/default",
    ]


_SCALARS = st.none() | st.booleans() | st.floats() | st.text(max_size=20)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


@given(st.dictionaries(st.text(max_size=10), _VALUES, max_size=8))
def test_any_json_is_judged_without_an_exception(data: dict[str, Any]) -> None:
    everything = [Variable(name=f"v{index}", type=kind) for index, kind in enumerate(VariableType)]
    filled = {f"v{index}": value for index, value in enumerate(data.values())}
    check_data(everything, filled)
    for value in data.values():
        assert all(isinstance(fits(kind, value), bool) for kind in VariableType)
