"""Addresses: what people write becomes one spelling, or a clear refusal."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.addresses import AddressError, country_of, parse_email, parse_phone, parse_whatsapp_user
from domain.recipients import Address, AddressKind


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        pytest.param("+919876543210", None, "+919876543210", id="already e164"),
        pytest.param("+91 (98765) 432-10", None, "+919876543210", id="spaces and brackets"),
        pytest.param("098765 43210", "in", "+919876543210", id="national"),
        pytest.param("00 49 30 901820", "DE", "+4930901820", id="international prefix"),
        pytest.param("+15550000001", None, "+15550000001", id="test range"),
        pytest.param("tel:+1-202-555-0101", None, "+12025550101", id="tel uri"),
        pytest.param("+९१९८७६५४३२१०", None, "+919876543210", id="hindi digits"),
    ],
)
def test_a_phone_number_becomes_e164(text: str, region: str | None, expected: str) -> None:
    assert parse_phone(text, region) == Address(AddressKind.PHONE, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("98765 43210", "no valid country code", id="no country"),
        pytest.param("+999123456789", "no valid country code", id="no such country"),
        pytest.param("asha", "no phone number", id="word"),
        pytest.param("", "no phone number", id="empty"),
        pytest.param("+1555", "too short", id="short"),
        pytest.param("+9198765432101234", "too long", id="long"),
        pytest.param("+1" + "5" * 400, "no phone number", id="very long"),
        pytest.param("+12025550101 ext. 5", "extension", id="extension"),
    ],
)
def test_an_impossible_phone_number_is_refused(text: str, message: str) -> None:
    with pytest.raises(AddressError, match=message):
        parse_phone(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Asha.Rao@Example.ORG", "Asha.Rao@example.org", id="only the domain is lowered"),
        pytest.param(" a+tag@b.test ", "a+tag@b.test", id="tag and spaces"),
        pytest.param("a@bücher.example", "a@xn--bcher-kva.example", id="international domain"),
        pytest.param("आशा@example.org", "आशा@example.org", id="international local part"),
    ],
)
def test_an_email_address_gets_one_spelling(text: str, expected: str) -> None:
    assert parse_email(text) == Address(AddressKind.EMAIL, expected)


@pytest.mark.parametrize(
    "text",
    [
        *("", "asha", "@b.com", "a@", "a@localhost", "A <a@b.com>", "a@b.com, c@d.com", "a@b..com", "a b@c.com"),
        *("a@b.com\nBcc: x", "a" * 400 + "@b.com", "a@[127.0.0.1]"),
    ],
)
def test_what_is_no_email_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(AddressError) as raised:
        parse_email(text)
    assert str(raised.value) == "this is no e-mail address; write it like asha@example.org"


def test_a_whatsapp_user_id_is_kept_as_it_is() -> None:
    assert parse_whatsapp_user(" IN.1234567890 ") == Address(AddressKind.WHATSAPP_USER, "IN.1234567890")
    for text in ("", "a b", "x" * 200, "<x>"):
        with pytest.raises(AddressError, match="WhatsApp user id"):
            parse_whatsapp_user(text)


@pytest.mark.parametrize("parse", [parse_phone, parse_email, parse_whatsapp_user])
@given(text=st.text() | st.from_regex(r"[\d+() \-a-z@.]{1,30}", fullmatch=True))
def test_parsing_is_stable_or_refused_with_the_one_error(parse: Callable[[str], Address], text: str) -> None:
    try:
        address = parse(text)
    except AddressError as error:
        assert str(error)  # noqa: PT017 - both ways are fine, only the kind of error matters
    else:
        assert parse(address.value) == address


@pytest.mark.parametrize(
    ("phone", "country"),
    [
        ("+919876543210", "IN"),
        ("+14155552671", "US"),
        ("+16135550100", "CA"),
        ("+447400123456", "GB"),
        ("+447911123456", "GG"),
        ("+447700900123", None),
        ("+883510000000", None),
        ("+999123", None),
        ("whoever", None),
    ],
)
def test_a_phone_number_tells_its_country(phone: str, country: str | None) -> None:
    assert country_of(phone) == country
