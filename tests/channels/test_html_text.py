"""The text of a mail, derived from its HTML."""

import html as html_module
import re

import css_inline
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.html_text import read_html

CASES = {
    "paragraphs": ("<p>a  b</p><p>c\nd</p>", "a b\n\nc d"),
    "line break": ("a<br>b<br><br><br>c", "a\nb\n\nc"),
    "inline elements": ("a<b>b</b> <i>c</i>d", "ab cd"),
    "entities": ("5 &gt; 4 &amp; caf&eacute; &#2344;", "5 > 4 & café न"),
    "link": (
        'see <a href="https://a.example/x?a=1&amp;b=2">the page</a>.',
        "see the page (https://a.example/x?a=1&b=2).",
    ),
    "link that shows itself": ('<a href="https://a.example/">https://a.example</a>', "https://a.example"),
    "mail link": ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
    "link without words": ('<a href="https://a.example"></a>', "https://a.example"),
    "link around an image": ('<a href="https://a.example"><img alt="Logo"></a>', "Logo (https://a.example)"),
    "link inside the page": ('<a href="#top">up</a>', "up"),
    "image": ('<img alt="A photo" src="x"><img src="y">', "A photo"),
    "bullets": ("<p>x</p><ul><li>a<li>b</ul>y", "x\n\n- a\n- b\n\ny"),
    "numbers": ('<ol start="3"><li>a</li><li>b</li></ol>', "3. a\n4. b"),
    "nested list": ("<ul><li>a<ol><li>b</li></ol></li><li>c</li></ul>", "- a\n  1. b\n- c"),
    "table": ("<table><tr><th>A<th>B<tr><td>1<td>2</table>", "A | B\n1 | 2"),
    "layout table": ('<table role="presentation"><tr><td>left<td>right</table>', "left\n\nright"),
    "rule": ("a<hr>b", "a\n\n---\n\nb"),
    "preformatted": ("<pre>a\n  b</pre>", "a\n  b"),
    "hidden": ('<div style="color:red; display: none">x<p>y</p></div><p hidden>z</p>seen', "seen"),
    "unseen": ("<style>x</style><script>y</script><title>t</title><template>q</template>seen", "seen"),
    "comment": ("<!-- x --><!--[if mso]>y<![endif]--><!--[if !mso]><!-->seen<!--<![endif]-->", "seen"),
    "headings": ("<h1>T</h1>text<div>d</div>", "T\n\ntext\nd"),
    "no-break space": ("a&nbsp;&nbsp;b", "a b"),
    "empty": ("", ""),
}


def derived(fragment: str) -> str:
    return read_html(css_inline.inline(f"<html><body>{fragment}</body></html>")).text


@pytest.mark.parametrize(("fragment", "expected"), CASES.values(), ids=list(CASES))
def test_the_text_reads_like_the_page(fragment: str, expected: str) -> None:
    assert derived(fragment) == expected


@pytest.mark.parametrize(
    ("fragment", "dangerous"),
    [
        ('<a href="javascript:x">a</a>', ("javascript:",)),
        ('<a href=" java\nscript:x">a</a>', ("javascript:",)),
        ('<a href="data:text/html,x">a</a>', ("data:",)),
        ('<img src="data:image/png;base64,AA==">', ()),
        ('<div style="display:none"><a href="vbscript:x">a</a></div>', ("vbscript:",)),
        ('<a href="https://a.example/javascript:x">a</a>', ()),
    ],
)
def test_links_that_run_something_are_found(fragment: str, dangerous: tuple[str, ...]) -> None:
    assert read_html(fragment).dangerous == dangerous


WORDS = st.lists(st.from_regex(r"[a-zA-Z0-9<&>\u0900-\u0963]{1,6}", fullmatch=True), min_size=1, max_size=3).map(
    " ".join
)
ELEMENTS = st.sampled_from(
    [
        "p",
        "div",
        "b",
        "i",
        "span",
        "ul",
        "ol",
        "li",
        "table",
        "tr",
        "td",
        "th",
        "h1",
        "h2",
        "blockquote",
        "a",
        "pre",
        "section",
        "center",
        "em",
    ]
)
TREES = st.recursive(
    WORDS.map(lambda words: (words, html_module.escape(words))),
    lambda inner: st.tuples(ELEMENTS, st.lists(inner, min_size=1, max_size=4)).map(
        lambda pair: (" ".join(words for words, _ in pair[1]), _element(pair[0], [markup for _, markup in pair[1]]))
    ),
    max_leaves=15,
)


def _element(tag: str, inner: list[str]) -> str:
    href = ' href="https://a.example/"' if tag == "a" else ""
    return f"<{tag}{href}>{' '.join(inner)}</{tag}>"


@given(TREES)
def test_no_visible_word_is_lost(tree: tuple[str, str]) -> None:
    words, markup = tree
    # the oracle: what is left of the serialised page when every tag is cut out
    page = css_inline.inline(f"<html><body>{markup}</body></html>")
    shown = html_module.unescape(re.sub(r"<[^>]*>", " ", page)).split()
    found = derived(markup)
    rest = re.sub(r"\(?https://a\.example/\)?|(?m:^\s*(?:(?:-|\d+\.)(?: +|$))+)| \| ", " ", found).split()
    assert sorted("".join(rest)) == sorted("".join(shown))
    assert set(words.replace(" ", "")) <= set("".join(shown))
