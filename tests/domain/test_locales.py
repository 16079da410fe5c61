"""Locales: spelling and order of lookup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.locales import chain, normalise, parse


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("hi", "hi", id="language alone"),
        pytest.param("HI_in", "hi-IN", id="underscore and odd case"),
        pytest.param("zh-hant-tw", "zh-Hant-TW", id="script and region"),
        pytest.param("es-419", "es-419", id="numeric region"),
        pytest.param("de-CH-1996", "de-CH-1996", id="variant"),
        pytest.param("sl-rozaj", "sl-rozaj", id="variant without region"),
        pytest.param("en-US-u-hc-h12", "en-US-u-hc-h12", id="extension"),
        pytest.param(" en ", "en", id="spaces around"),
        pytest.param("Default", "default", id="the default locale"),
    ],
)
def test_a_tag_is_written_in_its_usual_case(written: str, expected: str) -> None:
    assert normalise(written) == expected


@pytest.mark.parametrize("text", ["", "h", "hindi-language-tag", "en-", "en--US", "en-US-!", "12", "en-x", "e" * 70])
def test_what_is_no_tag_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 'hi'"):
        parse(text)


@pytest.mark.parametrize(
    ("locale", "default", "expected"),
    [
        pytest.param("hi-IN", "en", ("hi-IN", "hi", "en", "default"), id="region, language, tenant, default"),
        pytest.param("hi-IN", None, ("hi-IN", "hi", "default"), id="no language of the tenant"),
        pytest.param("zh-Hant-TW", None, ("zh-Hant-TW", "zh-Hant", "zh", "default"), id="script"),
        pytest.param("en-IN", "en-GB", ("en-IN", "en", "en-GB", "default"), id="shared language once"),
        pytest.param(None, "en-GB", ("en-GB", "en", "default"), id="unknown recipient"),
        pytest.param(None, None, ("default",), id="nothing known"),
        pytest.param("default", "default", ("default",), id="default named"),
        pytest.param("en-US-u-hc-h12", None, ("en-US-u-hc-h12", "en-US", "en", "default"), id="extension goes first"),
    ],
)
def test_a_text_is_looked_for_from_the_closest_locale_outwards(
    locale: str | None, default: str | None, expected: tuple[str, ...]
) -> None:
    assert chain(locale, default=default) == expected


@given(st.from_regex(r"[a-zA-Z]{2,3}([-_][a-zA-Z]{4})?([-_][a-zA-Z]{2})?", fullmatch=True))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
    assert chain(text)[-1] == "default"


@given(st.text(max_size=70))
def test_any_text_is_parsed_or_refused_with_one_error(text: str) -> None:
    try:
        normalise(text)
    except ValueError as error:
        assert "language tag" in str(error)  # noqa: PT017 - both ways are fine, only the kind of error matters
