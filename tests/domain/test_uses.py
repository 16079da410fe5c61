"""What templates use against what they declare, and against the data they get."""

from typing import Any

import pytest

from domain.uses import check_paths, check_uses
from domain.variables import Variable, VariableType

NAME = Variable(name="name")
NOTE = Variable(name="note", required=False)
GREETING = Variable(name="greeting", required=False, default="Hello")
ORDER = Variable(name="order", type=VariableType.OBJECT)
TOTAL = Variable(name="order.total", type=VariableType.MONEY)
ITEMS = Variable(name="items", type=VariableType.LIST)
MAYBE = Variable(name="maybe", type=VariableType.OBJECT, required=False)
MAYBE_DEEP = Variable(name="customer.vat", required=False)


@pytest.mark.parametrize(
    ("schema", "required", "optional", "said"),
    [
        pytest.param([NAME], ["name"], [], [], id="declared"),
        pytest.param([NAME], ["nmae"], [], ["'nmae' is used but not declared"], id="misspelt"),
        pytest.param([NAME], [], ["nmae"], ["'nmae' is used but not declared"], id="misspelt in a condition"),
        pytest.param([ORDER], ["order.total"], [], [], id="field of a declared object"),
        pytest.param([TOTAL], [], ["order"], [], id="object of a declared field"),
        pytest.param([ITEMS], ["items", "items[].name"], [], [], id="items of a declared list"),
        pytest.param([NOTE], [], ["note"], [], id="optional and guarded"),
        pytest.param([NOTE], ["note"], [], ["'note' is optional but written"], id="optional and written"),
        pytest.param([MAYBE], ["maybe.x"], [], ["'maybe.x' is optional"], id="field of an optional object"),
        pytest.param([MAYBE_DEEP], ["customer"], [], [], id="object that holds an optional field"),
        pytest.param([GREETING], ["greeting"], [], [], id="optional with a default"),
        pytest.param([], ["attachments[].url"], [], [], id="what every notification has"),
    ],
)
def test_a_part_uses_only_what_its_version_declares(
    schema: list[Variable], required: list[str], optional: list[str], said: list[str]
) -> None:
    faults = check_uses(schema, required, optional)
    assert len(faults) == len(said)
    assert all(text in fault.message for fault, text in zip(faults, said, strict=True))


@pytest.mark.parametrize(
    ("path", "data", "pointers"),
    [
        pytest.param("order.total", {"order": {"total": 1}}, [], id="there"),
        pytest.param("order.total", {"order": {}}, ["/order/total"], id="field missing"),
        pytest.param("order.total", {}, ["/order/total"], id="object missing"),
        pytest.param("order.total", {"order": None}, ["/order"], id="object null"),
        pytest.param("order.total", {"order": "x"}, ["/order/total"], id="no object"),
        pytest.param("order.total", {"order": {"total": None}}, ["/order/total"], id="field null"),
        pytest.param("items[].name", {"items": [{"name": "a"}, {}]}, ["/items/1/name"], id="item without it"),
        pytest.param("items[].name", {"items": []}, [], id="no items"),
        pytest.param("items[].name", {"items": "x"}, [], id="no list"),
        pytest.param("items[].name", {}, ["/items"], id="list missing"),
        pytest.param("matrix[][]", {"matrix": [[1], [None]]}, ["/matrix/1/0"], id="list of lists"),
        pytest.param("m.k.k", {"m": {"k.k": 1}}, [], id="key with a dot"),
        pytest.param("a/b", {}, ["/a~1b"], id="key with a slash"),
    ],
)
def test_a_gap_is_told_where_it_is(path: str, data: dict[str, Any], pointers: list[str]) -> None:
    assert [fault.pointer for fault in check_paths([path], data)] == pointers
