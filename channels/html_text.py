"""Derives the text of a mail from its HTML: every visible word, links with their addresses, lists, tables."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905 - reads better
_UNSEEN = frozenset({"head", "noscript", "object", "script", "style", "svg", "template", "title"})
_PARAGRAPHS = frozenset({"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"})
_LINES = frozenset(
    {"address", "article", "aside", "caption", "center", "dd", "div", "dl", "dt", "figcaption", "figure", "footer"}
    | {"form", "header", "legend", "li", "main", "nav", "section", "tbody", "tfoot", "thead", "tr"}
)
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_SCHEME = re.compile(r"(?:https?|mailto|tel|sms|whatsapp):", re.IGNORECASE)
_DANGEROUS = re.compile(r"(?:javascript|vbscript|data):", re.IGNORECASE)
_LINKING = ("href", "src", "action", "background", "formaction")
_CELL_GAP = " | "


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a reader of a document sees, and the schemes of links that no mail should hold."""

    text: str
    dangerous: tuple[str, ...]


@dataclass(slots=True)
class _Table:
    layout: bool
    cells: int = 0


def read_html(document: str) -> Reading:
    """Returns the text of a balanced HTML document (as an HTML serialiser writes it), and dangerous links."""
    reader = _Reader()
    reader.feed(document)
    reader.close()
    return Reading(text=reader.result(), dangerous=tuple(sorted(reader.dangerous)))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.dangerous: set[str] = set()
        self._out: list[str] = []
        self._breaks = 0  # line ends owed before the next word
        self._space = False  # a space owed before the next word
        self._hidden = 0  # depth inside an element that is not shown
        self._preformatted = 0
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []  # the next number, or None for bullets
        self._tables: list[_Table] = []

    def result(self) -> str:
        """Returns the text so far."""
        lines = (line.rstrip() for line in "".join(self._out).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens an element."""
        given = {name: value or "" for name, value in attrs}
        self._note_links(given)
        void = tag in _VOID
        if self._hidden or tag in _UNSEEN or "hidden" in given or _HIDDEN.search(given.get("style", "")):
            self._hidden += 0 if void else 1
        elif void:
            self._void(tag, given)
        else:
            self._open(tag, given)

    def handle_endtag(self, tag: str) -> None:
        """Closes an element."""
        if tag in _VOID:
            return
        if self._hidden:
            self._hidden -= 1
        else:
            self._close(tag)

    def handle_data(self, data: str) -> None:
        """Takes text."""
        if self._hidden:
            return
        if self._preformatted:
            self._write_lines(data)
            return
        words = _SPACE.sub(" ", data)
        if words.strip(" "):
            self._space = self._space or words.startswith(" ")
            self._word(words.strip(" "))
            self._space = words.endswith(" ")
        else:
            self._space = self._space or bool(words)

    def _note_links(self, given: dict[str, str]) -> None:
        for name in _LINKING:
            # browsers ignore white space and control characters inside a scheme, and so does this check
            value = "".join(character for character in given.get(name, "") if character > " ")
            found = _DANGEROUS.match(value)
            if found and not (name == "src" and value.lower().startswith("data:image/")):
                self.dangerous.add(found.group().lower())

    def _void(self, tag: str, given: dict[str, str]) -> None:
        if tag == "br":
            self._breaks += 1
        elif tag == "hr":
            self._break(2)
            self._word("---")
            self._break(2)
        elif tag == "img" and (alt := given.get("alt", "").strip()):
            self._word(_SPACE.sub(" ", alt))

    def _open(self, tag: str, given: dict[str, str]) -> None:
        if tag == "a":
            self._links.append((given.get("href", "").strip(), len(self._out)))
        elif tag in ("td", "th"):
            self._cell()
        else:
            self._break(_margin(tag, nested=bool(self._lists)))
        if tag == "table":
            self._tables.append(_Table(layout=given.get("role", "").lower() in ("presentation", "none")))
        elif tag == "tr" and self._tables:
            self._tables[-1].cells = 0
        elif tag in ("ul", "ol"):
            start = given.get("start", "1")
            self._lists.append(None if tag == "ul" else int(start) if start.isdecimal() and len(start) < 9 else 1)  # noqa: PLR2004 - no list is longer
        elif tag == "li":
            self._bullet()
        elif tag == "pre":
            self._preformatted += 1

    def _close(self, tag: str) -> None:
        if tag == "a":
            self._end_link()
        elif tag in ("td", "th"):
            if not self._tables or self._tables[-1].layout:
                self._break(2)
        else:
            self._break(_margin(tag, nested=len(self._lists) > 1))
        if tag == "table" and self._tables:
            self._tables.pop()
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag == "pre" and self._preformatted:
            self._preformatted -= 1

    def _cell(self) -> None:
        table = self._tables[-1] if self._tables else _Table(layout=True)
        table.cells += 1
        if table.layout:
            self._break(2)
        elif table.cells > 1:
            self._out.append(_CELL_GAP)
            self._space = False
            self._breaks = 0

    def _bullet(self) -> None:
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self._word("  " * max(len(self._lists) - 1, 0) + ("- " if number is None else f"{number}. "))

    def _end_link(self) -> None:
        if not self._links:
            return
        href, start = self._links.pop()
        shown = "".join(self._out[start:]).strip()
        if not _SCHEME.match(href) or shown in (href, href.partition(":")[2], href.rstrip("/")):
            return
        space, self._space = self._space, bool(shown)
        self._word(f"({href})" if shown else href)
        self._space = space

    def _break(self, lines: int) -> None:
        self._breaks = max(self._breaks, lines)

    def _word(self, text: str) -> None:
        if self._breaks:
            self._out.append("\n" * min(self._breaks, 2))
        elif self._space and self._out and not self._out[-1].endswith((" ", "\n")):
            self._out.append(" ")
        self._out.append(text)
        self._breaks, self._space = 0, False

    def _write_lines(self, data: str) -> None:
        for index, line in enumerate(data.split("\n")):
            self._breaks += 1 if index else 0
            if line:
                self._word(line)


def _margin(tag: str, *, nested: bool) -> int:
    if tag in ("ul", "ol") and nested:
        return 1
    if tag in _PARAGRAPHS:
        return 2
    return 1 if tag in _LINES else 0
