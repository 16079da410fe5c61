"""Why something was not sent, was skipped, delayed or doubted: stable codes, each with its sentence.

The codes are a contract: they are stored, returned by the API and listed in `docs/reference/reasons.md`.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A stable code; `SENTENCES` says each in words, with what to do next."""

    # Nothing could be attempted.
    NO_ADDRESS = "no_address"
    ADDRESS_SUPPRESSED = "address_suppressed"
    ADDRESS_INVALID = "address_invalid"
    NO_ACCOUNT = "no_account"
    ACCOUNT_SUSPENDED = "account_suspended"
    NO_TEMPLATE_PART = "no_template_part"
    OUTSIDE_WINDOW = "outside_window"
    NO_IMAGE = "no_image"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    # It was refused.
    CONTENT_REFUSED = "content_refused"
    INVALID_ADDRESS = "invalid_address"
    UNSUBSCRIBED = "unsubscribed"
    TEMPLATE_UNAVAILABLE = "template_unavailable"
    MEDIA_REFUSED = "media_refused"
    MISCONFIGURED = "misconfigured"
    REJECTED = "rejected"
    # It could not be handed over.
    UNAVAILABLE = "unavailable"
    THROTTLED = "throttled"
    NOT_SENT = "not_sent"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    # It went out, but did not arrive.
    NOT_CONFIRMED_IN_TIME = "not_confirmed_in_time"
    DELIVERY_FAILED = "delivery_failed"
    # Nobody can say.
    OUTCOME_UNKNOWN = "outcome_unknown"
    # It was decided so.
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SCHEDULED = "scheduled"
    RETRY_LATER = "retry_later"


SENTENCES: dict[Reason, str] = {
    Reason.NO_ADDRESS: "The recipient has no address that this channel can use; add one.",
    Reason.ADDRESS_SUPPRESSED: "The address is suppressed (opt-out, bounce or complaint); nothing is sent to it.",
    Reason.ADDRESS_INVALID: "The address was found to be invalid; correct it on the recipient.",
    Reason.NO_ACCOUNT: "No active account carries this channel; create and verify one.",
    Reason.ACCOUNT_SUSPENDED: "The account that was asked for is not active; resume it or choose another.",
    Reason.NO_TEMPLATE_PART: "The template has no content for this channel; publish a version that has.",
    Reason.OUTSIDE_WINDOW: "The recipient did not write within 24 hours; only an approved template may be sent.",
    Reason.NO_IMAGE: "The image was missing and the template says to skip without one.",
    Reason.UNKNOWN_RECIPIENT: "The recipient is not known and the template requires a known one.",
    Reason.CONTENT_REFUSED: "The content cannot be expressed or was refused; the attempt's detail says what.",
    Reason.INVALID_ADDRESS: "The provider says that nobody can be reached at this address.",
    Reason.UNSUBSCRIBED: "The recipient opted out at the provider.",
    Reason.TEMPLATE_UNAVAILABLE: "The provider paused, disabled or does not know the template in this language.",
    Reason.MEDIA_REFUSED: "The provider could not fetch or take the media; check the link and its size.",
    Reason.MISCONFIGURED: "The account's credentials or permissions do not work; verify the account.",
    Reason.REJECTED: "The provider refused the message for good; the attempt's detail says why.",
    Reason.UNAVAILABLE: "The provider could not be reached or was down.",
    Reason.THROTTLED: "The provider asked for fewer requests.",
    Reason.NOT_SENT: "The provider certainly did not take the message.",
    Reason.ATTEMPTS_EXHAUSTED: "Every attempt was definitely refused and no more are allowed.",
    Reason.NOT_CONFIRMED_IN_TIME: "The provider took the message but no confirmation came within the time given.",
    Reason.DELIVERY_FAILED: "The provider took the message and later said that it could not deliver it.",
    Reason.OUTCOME_UNKNOWN: "The provider may or may not have taken the message; a late receipt still settles it.",
    Reason.CANCELLED: "It was cancelled before anything was handed to a provider.",
    Reason.EXPIRED: "It expired before it could be handed to a provider.",
    Reason.SCHEDULED: "It waits for the time it was asked to be sent at.",
    Reason.RETRY_LATER: "The last attempt certainly failed; the next one waits for its turn.",
}
