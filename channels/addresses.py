"""Turns what people write into addresses that cannot be wrong."""

import re

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from domain.recipients import Address, AddressKind

_LONGEST = 320
_NO_COUNTRY = "001"
COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""ISO 3166 codes of the countries that have phone numbers."""
_USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_UNREADABLE = {
    NumberParseException.INVALID_COUNTRY_CODE: "the number has no valid country code; write it like +919876543210",
    NumberParseException.NOT_A_NUMBER: "this is no phone number; write it like +919876543210",
    NumberParseException.TOO_SHORT_AFTER_IDD: "the phone number is too short",
    NumberParseException.TOO_SHORT_NSN: "the phone number is too short",
    NumberParseException.TOO_LONG: "the phone number is too long",
}
_IMPOSSIBLE = {
    ValidationResult.INVALID_COUNTRY_CODE: "there is no country with this code",
    ValidationResult.TOO_SHORT: "the phone number is too short for its country",
    ValidationResult.TOO_LONG: "the phone number is too long for its country",
    ValidationResult.INVALID_LENGTH: "no phone number of this country has this length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the phone number lacks its area code",
}


class AddressError(ValueError):
    """What was written is no address; the message says why and never repeats it."""


def parse_phone(text: str, region: str | None = None) -> Address:
    """Returns a phone number as E.164.

    Numbers of a length that the country uses are taken, also ones that are not assigned: numbering plans change faster
    than any table, and ranges for tests are not assigned on purpose.

    Args:
        text: The number as somebody wrote it, with spaces, brackets or dashes.
        region: Two-letter country of numbers without a country code.

    Raises:
        AddressError: No such number can exist.
    """
    if len(text) > _LONGEST:
        raise AddressError("this is no phone number; write it like +919876543210")
    try:
        number = phonenumbers.parse(text, region.upper() if region else None)
    except NumberParseException as error:
        raise AddressError(_UNREADABLE.get(error.error_type, "this is no phone number")) from error
    if number.extension:
        raise AddressError("a phone number with an extension cannot receive messages")
    result = phonenumbers.is_possible_number_with_reason(number)
    if result != ValidationResult.IS_POSSIBLE:
        raise AddressError(_IMPOSSIBLE.get(result, "no such phone number can exist"))
    return Address(AddressKind.PHONE, phonenumbers.format_number(number, PhoneNumberFormat.E164))


def country_of(phone: str) -> str | None:
    """Returns the ISO 3166 code of the country that an E.164 number belongs to, or nothing where nobody can say.

    Of countries that share a code (+1, +7, +44) the one that assigns the number counts; numbers of none of them, and
    those of no country (satellites, +883), have none.
    """
    try:
        number = phonenumbers.parse(phone)
    except NumberParseException:
        return None
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    region = regions[0] if len(regions) == 1 else phonenumbers.region_code_for_number(number)
    return region if region != _NO_COUNTRY else None


def parse_email(text: str) -> Address:
    """Returns an e-mail address: the domain in lower case ASCII, the local part as it was written.

    Raises:
        AddressError: It is no address of the public Internet.
    """
    if len(text) > _LONGEST:
        raise AddressError("this is no e-mail address; write it like asha@example.org")
    try:
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise AddressError("this is no e-mail address; write it like asha@example.org") from error
    return Address(AddressKind.EMAIL, f"{found.local_part}@{found.ascii_domain.lower()}")


def parse_whatsapp_user(text: str) -> Address:
    """Returns the id under which WhatsApp knows somebody who shows no phone number.

    Raises:
        AddressError: It holds characters that no id has.
    """
    value = text.strip()
    if not _USER_ID.fullmatch(value):
        raise AddressError("this is no WhatsApp user id; use the id exactly as WhatsApp sent it")
    return Address(AddressKind.WHATSAPP_USER, value)


def parse_address(kind: AddressKind, value: str) -> Address:
    """Returns the address, or raises `ValueError` that says what one of its kind looks like."""
    match kind:
        case AddressKind.PHONE:
            return parse_phone(value)
        case AddressKind.EMAIL:
            return parse_email(value)
        case AddressKind.WHATSAPP_USER:
            return parse_whatsapp_user(value)
