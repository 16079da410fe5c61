"""The key ring seals, opens, rotates, and refuses what was moved or damaged."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealing import KeyRing, SealError

RING = KeyRing({"new": b"n" * 32, "old": b"o" * 32})


@given(plain=st.binary(max_size=2000), place=st.text(max_size=50))
def test_what_is_sealed_opens_at_its_place(plain: bytes, place: str) -> None:
    assert RING.open(RING.seal(plain, place=place), place=place) == plain


def test_a_value_copied_to_another_row_does_not_open() -> None:
    with pytest.raises(SealError):
        RING.open(RING.seal(b"secret", place="a"), place="b")


@given(position=st.integers(min_value=0), flip=st.integers(1, 255))
def test_any_changed_byte_is_noticed(position: int, flip: int) -> None:
    sealed = bytearray(RING.seal(b"secret", place="a"))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(SealError):
        RING.open(bytes(sealed), place="a")


def test_an_older_key_still_opens_after_rotation() -> None:
    sealed = KeyRing({"old": b"o" * 32}).seal(b"secret", place="a")
    assert RING.open(sealed, place="a") == b"secret"


def test_a_key_that_left_the_ring_is_named() -> None:
    sealed = KeyRing({"gone": b"g" * 32}).seal(b"secret", place="a")
    with pytest.raises(SealError, match="'gone'"):
        RING.open(sealed, place="a")


def test_keys_never_show_in_repr() -> None:
    assert "nnn" not in repr(RING)


def test_each_purpose_has_its_own_key() -> None:
    assert RING.derived("codec") != RING.derived("unsubscribe")
    assert RING.digests("x", purpose="api key") != RING.digests("x", purpose="other")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param("a:!!", "not base64", id="not base64"),
        pytest.param("a:" + base64.b64encode(b"short").decode(), "32 bytes", id="short key"),
        pytest.param(":" + base64.b64encode(b"k" * 32).decode(), "an id", id="no id"),
    ],
)
def test_a_wrong_ring_is_explained(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        KeyRing.parse(text)


def test_a_ring_parses_in_order() -> None:
    text = "b:" + base64.b64encode(b"b" * 32).decode() + ", a:" + base64.b64encode(b"a" * 32).decode()
    assert list(KeyRing.parse(text).keys) == ["b", "a"]
