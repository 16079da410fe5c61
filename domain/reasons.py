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
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    OPTED_OUT = "opted_out"
    NO_CONSENT = "no_consent"
    CHANNEL_NOT_IN_TOPIC = "channel_not_in_topic"
    FREQUENCY_CAP = "frequency_cap"
    QUIET_HOURS = "quiet_hours"
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
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    FAILED_OVER = "failed_over"
    # A limit says later.
    RATE_LIMITED = "rate_limited"
    RECIPIENT_RATE_LIMITED = "recipient_rate_limited"
    DAILY_CAP = "daily_cap"
    ACCOUNT_BUSY = "account_busy"
    # It went out, but did not arrive.
    NOT_CONFIRMED_IN_TIME = "not_confirmed_in_time"
    DELIVERY_FAILED = "delivery_failed"
    # Nobody can say.
    OUTCOME_UNKNOWN = "outcome_unknown"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    DUPLICATE_CONFIRMED = "duplicate_confirmed"
    SETTLED_SENT = "settled_sent"
    SETTLED_NOT_SENT = "settled_not_sent"
    # It was decided so.
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SCHEDULED = "scheduled"
    RETRY_LATER = "retry_later"
    RESUMED = "resumed"
    DROPPED = "dropped"


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
    Reason.COUNTRY_NOT_ALLOWED: "Text messages to this country are not allowed; add it to the tenant's countries.",
    Reason.OPTED_OUT: "The recipient does not want messages about this topic over this channel.",
    Reason.NO_CONSENT: "The topic needs the recipient's consent over this channel, and there is none yet.",
    Reason.CHANNEL_NOT_IN_TOPIC: "The topic of the template does not use this channel.",
    Reason.FREQUENCY_CAP: "The recipient got as many messages lately as a cap allows; it waits if the cap says so.",
    Reason.QUIET_HOURS: "It was due in quiet hours: it waits for their end, or is left out where its flow says so.",
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
    Reason.PROVIDER_UNAVAILABLE: "The provider is down for this account; it goes on by itself when it answers again.",
    Reason.FAILED_OVER: "The account had trouble before it took the message; another account of the channel goes on.",
    Reason.RATE_LIMITED: "The account's rate is used up; it goes out when its turn comes.",
    Reason.RECIPIENT_RATE_LIMITED: "This recipient just got a message from this sender; it waits for the next slot.",
    Reason.DAILY_CAP: "The cap of this day is used up; it goes on tomorrow, or when the cap is raised.",
    Reason.ACCOUNT_BUSY: "As many requests as one account may have are on their way; it waits for its turn.",
    Reason.NOT_CONFIRMED_IN_TIME: "The provider took the message but no confirmation came within the time given.",
    Reason.DELIVERY_FAILED: "The provider took the message and later said that it could not deliver it.",
    Reason.OUTCOME_UNKNOWN: "The provider may or may not have taken the message; a late receipt still settles it.",
    Reason.POSSIBLE_DUPLICATE: "An earlier attempt is in doubt and the policy prefers a duplicate; this may be one.",
    Reason.DUPLICATE_CONFIRMED: "Two attempts are proven to have been accepted: the person got the message twice.",
    Reason.SETTLED_SENT: "A person found out that the provider took the message, and said so.",
    Reason.SETTLED_NOT_SENT: "A person found out that the provider did not take the message; send it again if needed.",
    Reason.CANCELLED: "It was cancelled before anything was handed to a provider.",
    Reason.EXPIRED: "It expired before it could be handed to a provider.",
    Reason.SCHEDULED: "It waits for the time it was asked to be sent at.",
    Reason.RETRY_LATER: "The last attempt certainly failed; the next one waits for its turn.",
    Reason.RESUMED: "It was parked; its cause was mended, and it goes on.",
    Reason.DROPPED: "It was parked, and somebody decided that it is not to be sent any more.",
}
