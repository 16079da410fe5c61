"""MJML and HTML of mails: what is allowed, how it becomes what mail programs understand."""

import re
from html import escape

import css_inline
import mjml

from channels.delimiters import place
from channels.errors import refused

_TAG = re.compile(r"</?(mj[a-zA-Z0-9_-]*)")
_ALLOWED = frozenset(
    {"mjml", "mj-head", "mj-body", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint", "mj-font", "mj-preview"}
    | {"mj-style", "mj-title", "mj-section", "mj-column", "mj-group", "mj-wrapper", "mj-hero", "mj-text", "mj-button"}
    | {"mj-image", "mj-divider", "mj-spacer", "mj-table", "mj-raw", "mj-navbar", "mj-navbar-link", "mj-social"}
    | {"mj-social-element", "mj-carousel", "mj-carousel-image"}
    | {"mj-accordion", "mj-accordion-element", "mj-accordion-title", "mj-accordion-text"}
)
_ACTIVE = re.compile(
    r"<(script|iframe|object|embed|applet|frame|frameset|base|noembed|noframes|plaintext|xmp)\b", re.IGNORECASE
)
_ANY = re.compile(r"<[a-zA-Z]")
_FORMATTING = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)\b", re.IGNORECASE)
_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_LIQUID_IN_TAG = re.compile(r"<[a-zA-Z][^<>]*\{%")
_MJML = re.compile(r"<mjml\b([^>]*)>")
_BODY = re.compile(r"<body(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_POSITION = re.compile(r"at position (\d+):\d+")
MOST_ELEMENTS = 6_000
"""The parsers below are native and recursive: a document of more than about 10,000 nested elements ends the process."""
MOST_COMPONENTS = 1_000
"""The same for MJML, whose components take more of the stack."""
MOST_FORMATTING = 1_000
"""Each paragraph repeats all formatting elements left open before it, so their number counts twice."""
MOST_COMPARISONS = 10_000_000
_HIDE = "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden"


def check_tags(source: str, *, is_mjml: bool) -> str | None:
    """Returns what is wrong with the elements of a source, or None."""
    if crowd := _crowd(source):
        return crowd
    bare = _without_comments(source)
    if active := _ACTIVE.search(bare):
        return f"{place(source, active.start())}: <{active.group(1)}> has no place in a mail"
    if not is_mjml:
        return None
    for found in _TAG.finditer(bare):
        if found.group(1) not in _ALLOWED:
            return f"{place(source, found.start())}: there is no element <{found.group(1)[:64]}>"
    return None if _MJML.search(bare) else "MJML starts with <mjml> and holds <mj-body>"


def _crowd(source: str) -> str | None:
    """Returns what there is too much of; tags are counted wherever they stand, because nesting depends on parsing."""
    if len(_TAG.findall(source)) > 2 * MOST_COMPONENTS:
        return f"MJML has at most {MOST_COMPONENTS:,} components"
    if len(_ANY.findall(source)) > MOST_ELEMENTS:
        return f"a mail has at most {MOST_ELEMENTS:,} elements"
    if len(_FORMATTING.findall(source)) > MOST_FORMATTING:
        return f"a mail has at most {MOST_FORMATTING:,} links and formatted words"
    if _selectors(source) * len(_ANY.findall(source)) > MOST_COMPARISONS:
        return "the style sheets have too many selectors for so many elements"
    return None


def _selectors(source: str) -> int:
    """Returns how many selectors the style sheets have at most; each is compared with every element."""
    count, lowered = 0, source.lower()
    position = lowered.find("<style")
    while position >= 0:
        end = lowered.find("</style", position)
        end = len(source) if end < 0 else end
        count += source.count(",", position, end) + source.count("{", position, end)
        position = lowered.find("<style", end)
    return count


def _without_comments(source: str) -> str:
    """Returns the source with comments blanked out, so that places stay what they are."""
    parts, position = [], 0
    while (start := source.find("<!--", position)) >= 0:
        end = source.find("-->", start + 2)
        if end < 0:
            break
        parts += [source[position:start], " " * (end + 3 - start)]
        position = end + 3
    return "".join([*parts, source[position:]])


def check_mjml(source: str) -> str | None:
    """Returns what the MJML compiler says about a source whose variables are not filled in yet, or None."""
    wrong = check_tags(source, is_mjml=True)
    if wrong or _LIQUID_IN_TAG.search(source):
        return wrong  # Liquid that decides about attributes can be judged only with data

    def blank(found: re.Match[str]) -> str:
        return "x" if found.group().startswith("{{") else ""

    try:
        _compile(_LIQUID.sub(blank, source))
    except ValueError as error:
        return _explained(error, source="")
    return None


def from_mjml(source: str, *, language: str, pointer: str) -> str:
    """Returns the HTML of an MJML document whose variables are filled in.

    Raises:
        TemplateError: The document is not well formed.
    """
    wrong = check_tags(source, is_mjml=True)
    if wrong:
        raise refused(wrong, pointer)
    try:
        return _compile(_MJML.sub(lambda found: _with_language(found, language), source, count=1))
    except ValueError as error:
        raise refused(_explained(error, source=source), pointer) from error


def _compile(source: str) -> str:
    # without an own table of fonts the compiler links to a font server in every mail
    return mjml.mjml2html(source, fonts={})


def _with_language(found: re.Match[str], language: str) -> str:
    attributes = found.group(1)
    return found.group() if "lang=" in attributes else f'<mjml lang="{escape(language)}"{attributes}>'


def _explained(error: ValueError, *, source: str) -> str:
    message = str(error).replace(" in root template", "")
    position = _POSITION.search(message)
    if position is None:
        return f"the MJML is not well formed: {message}"
    where = f"{place(source, int(position.group(1)))}: " if source else ""
    return f"{where}the MJML is not well formed: {message[: position.start()].rstrip()}"


def inline(html: str, *, pointer: str) -> str:
    """Returns a whole document with its styles at the elements; nothing is fetched, media queries stay.

    Raises:
        TemplateError: The document is too large, or a style sheet cannot be read.
    """
    if crowd := _crowd(html):
        raise refused(crowd, pointer)
    try:
        return css_inline.inline(html, keep_at_rules=True, keep_link_tags=True, load_remote_stylesheets=False)
    except ValueError as error:
        raise refused("a style sheet in the mail cannot be read", pointer) from error


def with_preheader(html: str, preheader: str) -> str:
    """Returns the document with a line that mail programs show beside the subject, and nobody sees in the mail.

    Args:
        html: A whole document.
        preheader: Text already escaped for HTML.
    """
    line = f'<div style="{_HIDE}">{preheader}</div>'
    return _BODY.sub(lambda found: found.group() + line, html, count=1)
