"""Words that end or resume messages: alone, in any case and dress, and never within a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.stop_words import HELP, START, STOP, Wish, normalised, wish_of


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("STOP", Wish.STOP),
        ("Stop.", Wish.STOP),
        ("  stop!!! ", Wish.STOP),
        ('"STOP"', Wish.STOP),
        ("\uff33\uff54\uff4f\uff50", Wish.STOP),
        ("STOP ALL", Wish.STOP),
        ("stop-all", Wish.STOP),
        ("🛑 STOP 🛑", Wish.STOP),
        ("Arrêt", Wish.STOP),
        ("बंद करें।", Wish.STOP),
        ("ABMELDEN", Wish.STOP),
        ("start", Wish.START),
        ("Unstop", Wish.START),
        ("शुरू करें", Wish.START),
        ("HELP", Wish.HELP),
        ("मदद", Wish.HELP),
        ("please stop the machine", None),
        ("stop it", None),
        ("don't stop", None),
        ("yes", None),
        ("no", None),
        ("nonstop", None),
        ("st op", None),
        ("", None),
        ("!!!", None),
        (None, None),
        ("stop " * 100, None),
    ],
)
def test_only_a_message_that_is_the_word_asks_for_it(text: str | None, wish: Wish | None) -> None:
    assert wish_of(text) is wish


def test_a_tenant_may_add_words() -> None:
    assert wish_of("Basta!", stops=["basta"]) is Wish.STOP
    assert wish_of("Weiter", starts=["weiter"]) is Wish.START
    assert wish_of("start", stops=["START"]) is Wish.STOP
    assert wish_of("???", stops=["!"], starts=["!"]) is None


@pytest.mark.parametrize(("words", "wish"), [(STOP, Wish.STOP), (START, Wish.START), (HELP, Wish.HELP)])
def test_every_listed_word_is_heard(words: dict[str, tuple[str, ...]], wish: Wish) -> None:
    assert {wish_of(word.upper()) for listed in words.values() for word in listed} == {wish}


@given(st.text(max_size=80))
def test_words_are_compared_in_one_form(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
