"""A look at a template's `{{ }}` and `{% %}` before it is parsed.

The parser's patterns take quadratic time over delimiters that are never closed, and its message for them says little.
"""

import re

from channels.errors import refused

_OPENING = re.compile(r"\{\{|\{%")
_TAG_NAME = re.compile(r"\{%-?\s*(\w*)")
_END_RAW = re.compile(r"\{%-?\s*endraw\s*-?%\}")
_GAP = re.compile(r"[ \t\r]{200}")
_CLOSING = {"{{": "}}", "{%": "%}"}
_UNAVAILABLE = frozenset({"include", "render", "tablerow", "doc", "ifchanged", "layout", "extends", "block", "import"})
_LONGEST_EXPRESSION = 4096
_MOST = 5_000


def check_delimiters(source: str) -> None:
    """Refuses delimiters that are never closed, tags that are not available here, and too many of them.

    Raises:
        TemplateError: With line and column.
    """
    position, count = 0, 0
    while found := _OPENING.search(source, position):
        count += 1
        start, closing = found.start(), _CLOSING[found.group()]
        end = source.find(closing, found.end())
        if end < 0:
            raise refused(f"{place(source, start)}: '{found.group()}' is never closed with '{closing}'")
        name = tag.group(1) if (tag := _TAG_NAME.match(source, start)) else ""
        position = end + len(closing)
        _check_tag(source, start, name, end)
        if name == "raw":
            position = _after_raw(source, start, position)
        if count > _MOST:
            raise refused(f"the template has more than {_MOST:,} outputs and tags")


def _check_tag(source: str, start: int, name: str, end: int) -> None:
    if name in _UNAVAILABLE:
        raise refused(f"{place(source, start)}: the tag '{name}' is not available; a part stands alone")
    if _GAP.search(source, start, end):
        raise refused(f"{place(source, start)}: a tag has more than 200 spaces in a row")
    if end - start > _LONGEST_EXPRESSION and name != "liquid":
        raise refused(f"{place(source, start)}: the expression is longer than {_LONGEST_EXPRESSION:,} characters")


def _after_raw(source: str, start: int, position: int) -> int:
    end = _END_RAW.search(source, position)
    if end is None:
        raise refused(f"{place(source, start)}: 'raw' is never closed with 'endraw'")
    return end.end()


def place(source: str, index: int) -> str:
    """Returns `line L, column C` for an index into a source, both counted from 1."""
    index = max(0, min(index, len(source)))
    line = source.count("\n", 0, index) + 1
    return f"line {line}, column {index - source.rfind(chr(10), 0, index)}"
