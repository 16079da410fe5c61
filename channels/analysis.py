"""Which variables and filters a parsed template uses, found without rendering it."""

from dataclasses import dataclass, field
from typing import Any

from liquid import RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import Filter, FilteredExpression, LoopExpression, Path
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.case_tag import CaseNode
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.builtin.tags.for_tag import ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import LiquidTypeError, UnknownFilterError
from liquid.expression import Expression
from liquid.template import BoundTemplate

LONGEST_RANGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """The variables that a template reads, as paths; items of lists read `items[].name`.

    Attributes:
        required: Without these a rendering fails, whatever the other data is (for items: as soon as there is one).
        optional: These are only tested, have a default, or stand in a branch.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def __or__(self, other: "Uses") -> "Uses":
        required = {*self.required, *other.required}
        optional = {*self.optional, *other.optional} - required
        return Uses(required=tuple(sorted(required)), optional=tuple(sorted(optional)))


class _BoundedStop(Expression):
    """The end of a range, refused where it is too far from the start, so that nothing ever walks a huge range."""

    __slots__ = ("_start", "_stop")

    def __init__(self, start: Expression, stop: Expression) -> None:
        super().__init__(stop.token)
        self._start, self._stop = start, stop

    def __str__(self) -> str:
        return str(self._stop)

    def evaluate(self, context: RenderContext) -> object:
        start, stop = self._start.evaluate(context), self._stop.evaluate(context)
        if not _is_whole(start) or not _is_whole(stop):
            raise LiquidTypeError("the ends of a range must be whole numbers", token=self.token)
        if int(str(stop)) - int(str(start)) > LONGEST_RANGE:
            raise LiquidTypeError(f"a range spans at most {LONGEST_RANGE:,} numbers", token=self.token)
        return stop

    def children(self) -> list[Expression]:
        return [self._stop]


def _is_whole(value: object) -> bool:
    digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return len(digits) <= 20 and digits.removeprefix("-").isdecimal()  # noqa: PLR2004 - far more than any range may span


def analyse(template: BoundTemplate, known_filters: frozenset[str]) -> Uses:
    """Returns what the template uses; on the way, it bounds the template's ranges.

    Raises:
        UnknownFilterError: The template uses a filter that does not exist.
    """
    walk = _Walk(context=RenderContext(template), known_filters=known_filters)
    for node in template.nodes:
        walk.node(node, certain=True)
    return Uses(required=tuple(walk.required)) | Uses(required=(), optional=tuple(walk.optional))


@dataclass(slots=True, kw_only=True)
class _Walk:
    context: RenderContext
    known_filters: frozenset[str]
    required: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)
    names: dict[str, str | None] = field(default_factory=dict)
    """Local names: the path they stand for, or None for a value computed here."""

    def node(self, node: Node, *, certain: bool) -> None:
        if isinstance(node, ForNode):
            return self._loop(node, certain=certain)
        if isinstance(node, AssignNode):
            return self._assign(node, certain=certain)
        written = isinstance(node, OutputNode | CycleNode)  # other tags test their expressions, which may be missing
        for expression in node.expressions():
            self.expression(expression, certain=certain and written)
        inner = certain and not isinstance(node, IfNode | UnlessNode | CaseNode)
        for child in node.children(self.context, include_partials=False):
            self.node(child, certain=inner)
        for name in node.template_scope():
            self.names[str(name)] = None
        return None

    def _loop(self, node: ForNode, *, certain: bool) -> None:
        loop: LoopExpression = node.expression
        self.expression(loop, certain=certain)
        former = dict(self.names)
        source = self._resolve(loop.iterable) if isinstance(loop.iterable, Path) else None
        self.names |= {loop.identifier: f"{source}[]" if source else None, "forloop": None}
        self._items(node.block, loop.identifier, certain=certain)
        self.names = former
        if node.default:
            self.node(node.default, certain=False)

    def _items(self, block: Node, item: str, *, certain: bool) -> None:
        """Walks through a loop's body: what it needs of its items stays needed, what it needs beside them does not."""
        path = self.names[item]
        before = set(self.required)
        self.node(block, certain=certain)
        if path is None:
            path = "\0"
        outside = {name for name in self.required - before if not name.startswith(path)}
        self.required -= outside
        self.optional |= outside

    def _assign(self, node: AssignNode, *, certain: bool) -> None:
        expression = node.expression
        alias = None
        if isinstance(expression, FilteredExpression) and not expression.filters:
            # copying a variable does not need it; whoever writes the copy does
            alias = self._resolve(expression.left) if isinstance(expression.left, Path) else None
            certain = False
        self.expression(expression, certain=certain)
        self.names[str(node.name)] = alias

    def expression(self, expression: Expression, *, certain: bool) -> None:
        if isinstance(expression, RangeLiteral):
            expression.stop = _BoundedStop(expression.start, expression.stop)
        if isinstance(expression, Path):
            self._use(expression, certain=certain)
        filters: list[Filter] = getattr(expression, "filters", None) or []
        for used in filters:
            if used.name not in self.known_filters:
                raise UnknownFilterError(f"there is no filter '{used.name}'", token=used.token)
        defaulted = bool(filters) and filters[0].name == "default"
        for child in expression.children():
            self.expression(child, certain=certain and not defaulted)

    def _use(self, path: Path, *, certain: bool) -> None:
        name = self._resolve(path)
        if name is not None:
            (self.required if certain else self.optional).add(name)

    def _resolve(self, path: Path) -> str | None:
        head, *rest = path.path
        root = self.names.get(str(head), str(head))
        if root is None or isinstance(head, Path):
            return None
        return root + _steps(rest)


def _steps(segments: list[Any]) -> str:
    written = ""
    for index, segment in enumerate(segments):
        if isinstance(segment, Path):
            return written  # which field it is depends on the data
        if segment == "size" and index == len(segments) - 1:
            return written
        written += "[]" if isinstance(segment, int) else f".{segment}"
    return written
