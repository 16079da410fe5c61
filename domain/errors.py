"""Why an attempt was not accepted: one tree, raised by transports and providers, judged by the domain.

DeliveryError
 ├─ NotSent                 nothing left us, or the provider documents a refusal that a later attempt may overcome
 │   ├─ Unavailable         no connection, or the provider says it is down for the moment
 │   └─ Throttled           the provider asks for fewer requests; `retry_after` is honoured
 │       └─ RecipientThrottled   fewer to this recipient; others may go on
 ├─ Uncertain               the request may have been accepted; never retried blindly
 └─ Rejected                the provider refused for good
     ├─ InvalidAddress      nobody can be reached at this address
     ├─ Unsubscribed        this person does not want it
     ├─ ContentRefused      this content, template or attachment is not acceptable
     │   └─ NoImage         the image is missing, and the template says to skip without one
     ├─ OutsideWindow       free-form content outside the service window
     ├─ TemplateUnavailable the provider paused, disabled or does not know the template
     ├─ MediaRefused        the provider could not fetch or take the media
     └─ Misconfigured       credentials, permissions or the account itself must be mended first
"""

from typing import ClassVar


class DeliveryError(Exception):
    """An attempt was not accepted.

    Args:
        detail: What happened, for operators: facts, never content, addresses or secrets.
        provider_code: The provider's own code, as text, where there is one.
        retry_after: Seconds the provider asks to wait before the next attempt.
    """

    code: ClassVar[str] = "delivery_error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, provider_code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.provider_code = provider_code
        self.retry_after = retry_after


class NotSent(DeliveryError):
    """The provider certainly did not take the message, and a later attempt may succeed."""

    code = "not_sent"
    retryable = True


class Unavailable(NotSent):
    """No connection could be made, or the provider says it is down for the moment."""

    code = "unavailable"


class Throttled(NotSent):
    """The provider asks for fewer requests."""

    code = "throttled"


class RecipientThrottled(Throttled):
    """The provider asks for fewer requests to this recipient; others may go on."""


class Uncertain(DeliveryError):
    """The request may have been accepted; only evidence can tell."""

    code = "uncertain"


class Rejected(DeliveryError):
    """The provider refused the message for good."""

    code = "rejected"


class InvalidAddress(Rejected):
    """Nobody can be reached at this address."""

    code = "invalid_address"


class Unsubscribed(Rejected):
    """The recipient opted out at the provider."""

    code = "unsubscribed"


class ContentRefused(Rejected):
    """The provider does not accept this content."""

    code = "content_refused"


class NoImage(ContentRefused):
    """The image is missing, and the template says to skip without one."""

    code = "no_image"


class OutsideWindow(Rejected):
    """Free-form content is not allowed outside the service window; a template is."""

    code = "outside_window"


class TemplateUnavailable(Rejected):
    """The provider paused, disabled or does not know the template in this language."""

    code = "template_unavailable"


class MediaRefused(Rejected):
    """The provider could not fetch or take the media."""

    code = "media_refused"


class Misconfigured(Rejected):
    """Credentials, permissions or the account itself must be mended before anything can be sent."""

    code = "misconfigured"


class CallbackRefused(Exception):
    """A callback is not authentic: its signature, secret or origin is wrong."""
