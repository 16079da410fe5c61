"""Liquid, locked down: no files, no surprises, a budget of work, and errors that say where."""

import re
from collections.abc import Callable
from functools import partial
from typing import ClassVar, TextIO

from liquid import Environment, FalsyStrictUndefined, Mode, RenderContext, Token, escape
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.exceptions import (
    BlockNestingError,
    FilterArgumentError,
    LiquidError,
    LocalNamespaceLimitError,
    OutputStreamLimitError,
    ResourceLimitError,
)
from liquid.template import BoundTemplate
from liquid.undefined import UNDEFINED, is_undefined
from liquid.utils import ReadOnlyChainMap

from channels.analysis import Uses, analyse
from channels.cache import Cache
from channels.delimiters import check_delimiters, place
from channels.errors import TemplateError, refused
from channels.filters import FILTERS, HEAVIEST, TEXT_FILTERS, text, weigh
from channels.scope import Budget, Scope

LONGEST_SOURCE = 256 * 1024
LARGEST_OUTPUT = 512 * 1024
LARGEST_LOCALS = 1024 * 1024
DEEPEST_BLOCKS = 20
_REMOVED_TAGS = ("include", "render", "tablerow", "ifchanged", "doc")
_LIMITS: dict[type[LiquidError], str] = {
    OutputStreamLimitError: f"the output is larger than {LARGEST_OUTPUT // 1024} KiB",
    LocalNamespaceLimitError: f"assigned variables hold more than {LARGEST_LOCALS // 1024} KiB",
    BlockNestingError: f"blocks are nested deeper than {DEEPEST_BLOCKS} levels",
}
_ABSENT = object()
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Control characters that no medium can carry; line ends and tabs stay."""


class Missing(FalsyStrictUndefined):
    """Stands for a variable that the data does not have: false in a condition, an error everywhere else."""


class Context(RenderContext):
    """A rendering under way: counts its work and watches over every filter."""

    carillon: Scope

    def __init__(self, template: BoundTemplate, scope: Scope) -> None:
        self._budget: Budget = scope.budget
        self._disabled: list[str] = []
        super().__init__(template, globals=scope.data)
        self.carillon = scope
        # Liquid's own scope also holds `now` and `today`; a rendering must not depend on when it happens
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)

    @property
    def disabled_tags(self) -> list[str]:
        """Counts a step: every node asks for this before it renders, which makes it the one place to count work."""
        self._budget.step()
        return self._disabled

    @disabled_tags.setter
    def disabled_tags(self, names: list[str]) -> None:
        self._disabled = names

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        """Returns the value at the path, or a `Missing` that knows the whole path."""
        found = super().get(path, token=token, default=_ABSENT)
        if found is not _ABSENT:
            return found
        if default is not UNDEFINED:
            return default
        return Missing(str(path[0]), token=token, hint=f"'{'.'.join(map(str, path))}' is missing")

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Takes the loop that is about to run out of the budget."""
        self._budget.loop(length)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """Returns the filter, guarded: its input exists, and input and output are of bearable size."""
        return partial(self._apply, name, super().filter(name, token))

    def _apply(
        self, name: str, function: Callable[..., object], value: object, *args: object, **named: object
    ) -> object:
        self._budget.look()
        if name != "default":
            if is_undefined(value):
                str(value)  # raises the error that knows the variable's name
            if value is None:
                raise FilterArgumentError(f"{name}: there is no value to work on", token=None)
        if weigh([value, *args, *named.values()]) > HEAVIEST:
            raise FilterArgumentError(f"{name}: more than {HEAVIEST:,} characters or items", token=None)
        if name in TEXT_FILTERS:
            value = text(value)
        result = self._call(name, partial(function, value, *(_written(arg) for arg in args), **named))
        if weigh(result) > HEAVIEST:
            raise FilterArgumentError(f"{name}: more than {HEAVIEST:,} characters or items", token=None)
        return result

    def _call(self, name: str, function: Callable[[], object]) -> object:
        try:
            return function()
        except TemplateError as error:
            raise FilterArgumentError(f"{name}: {error.faults[0].message}", token=None) from error
        except (ArithmeticError, AttributeError, LookupError, ValueError) as error:
            raise FilterArgumentError(f"{name}: the value does not fit", token=None) from error


class _Output(OutputNode):
    """Writes a value; holes, lists and objects are refused instead of being written as something odd."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        if value is None and isinstance(self.expression, FilteredExpression) and isinstance(self.expression.left, Path):
            raise FilterArgumentError(f"'{self.expression.left}' is empty (null)", token=self.token)
        written = text(value)
        return buffer.write(str(escape(written)) if context.autoescape else written)


class _Echo(_Output, EchoNode):
    """The same as a tag."""


class _OutputTag(Output):
    node_class = _Output


class _EchoTag(EchoTag):
    node_class = _Echo


class _Environment(Environment):
    block_nesting_limit = DEEPEST_BLOCKS
    context_depth_limit = DEEPEST_BLOCKS + 10
    local_namespace_limit: ClassVar[int | None] = LARGEST_LOCALS
    output_stream_limit: ClassVar[int | None] = LARGEST_OUTPUT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in _REMOVED_TAGS:
            del self.tags[name]
        self.add_tag(_OutputTag)
        self.add_tag(_EchoTag)
        self.filters = dict(FILTERS)


def _environment(*, html: bool) -> _Environment:
    return _Environment(tolerance=Mode.STRICT, undefined=Missing, strict_filters=True, autoescape=html)


_ENVIRONMENTS = {True: _environment(html=True), False: _environment(html=False)}


class Compiled:
    """A source that has been parsed, with the variables it uses."""

    __slots__ = ("_template", "uses")

    def __init__(self, template: BoundTemplate, uses: Uses) -> None:
        self._template = template
        self.uses = uses

    def render(self, scope: Scope) -> str:
        """Returns the text.

        Raises:
            TemplateError: A variable is missing or does not fit its filter, or the budget is used up.
        """
        try:
            buffer = self._template._get_buffer()  # noqa: SLF001 - the only way to a buffer that knows its limit
            self._template.render_with_context(Context(self._template, scope), buffer)
        except _RAISED as error:
            raise _explained(error) from error
        return buffer.getvalue()


_RAISED = (LiquidError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What python-liquid and its filters raise; all of it is the template's fault or its data's."""

_CACHE: Cache[tuple[bool, str], Compiled] = Cache(heaviest=8 * 1024 * 1024)


def compiled(source: str, *, html: bool = False) -> Compiled:
    """Returns the parsed source, from the cache where it has been seen lately.

    Args:
        source: Liquid.
        html: Whether values are escaped for HTML.

    Raises:
        TemplateError: The source is no valid template; the message gives line and column.
    """
    found = _CACHE.get((html, source))
    if found is None:
        found = _compile(source, html=html)
        _CACHE.put((html, source), found, len(source) + 1024)
    return found


def _compile(source: str, *, html: bool) -> Compiled:
    if len(source) > LONGEST_SOURCE:
        raise refused(f"the template is longer than {LONGEST_SOURCE // 1024} KiB")
    check_delimiters(source)
    try:
        template = _ENVIRONMENTS[html].parse(source)
        return Compiled(template, analyse(template, frozenset(FILTERS)))
    except _RAISED as error:
        raise _explained(error) from error


def _explained(error: BaseException) -> TemplateError:
    """Returns the error in words, without anything from the data."""
    if isinstance(error, TemplateError):
        return error
    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        return refused("expressions are nested too deeply")
    if not isinstance(error, LiquidError):
        return refused(f"a filter does not fit its value ({type(error).__name__})")
    message = _LIMITS.get(type(error)) or str(error.message)
    if isinstance(error, ResourceLimitError) or error.token is None:
        return refused(message)
    return refused(f"{place(error.token.source, error.token.start_index)}: {message}")


def _written(value: object) -> object:
    return text(value) if isinstance(value, bool | float) else value


def fill(source: str, scope: Scope, *, pointer: str, html: bool = False) -> str:
    """Returns the source with its variables filled in.

    Raises:
        TemplateError: It cannot be parsed or rendered; the faults point at `pointer`.
    """
    if "{{" not in source and "{%" not in source:
        return source
    try:
        return _CONTROL.sub("", compiled(source, html=html).render(scope))
    except TemplateError as error:
        raise error.under(pointer) from error
