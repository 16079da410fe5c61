"""The Graph API's errors: code table, envelope and the exception that carries one to the answer.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

import secrets
from dataclasses import dataclass
from typing import Any

DOCUMENTATION = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"
# code: (HTTP status, title, details where the request gives none)
ERRORS: dict[int, tuple[int, str, str]] = {
    0: (401, "AuthException", "We were unable to authenticate the app user."),
    1: (400, "API Unknown", "Invalid request or possible server error."),
    2: (503, "API Service", "Temporary due to downtime or due to being overloaded."),
    3: (500, "API Method", "Capability or permissions issue."),
    4: (400, "API Too Many Calls", "The app has reached its API call rate limit."),
    10: (403, "Permission Denied", "Permission is either not granted or has been removed."),
    33: (400, "Parameter value is not valid", "The business phone number has been deleted."),
    100: (400, "Invalid parameter", "The request included one or more unsupported or misspelled parameters."),
    190: (401, "Access token has expired", "The access token has expired."),
    200: (403, "API Permission", "Permission is either not granted or has been removed."),
    368: (403, "Temporarily blocked for policies violations", "The account has violated a platform policy."),
    80007: (400, "Rate limit issues", "The WhatsApp Business Account has reached its rate limit."),
    130429: (429, "Rate limit hit", "Cloud API message throughput has been reached."),
    130472: (400, "User's number is part of an experiment", "Message was not sent as part of an experiment."),
    130497: (403, "Business account is restricted from messaging users in this country.", "The country is restricted."),
    131000: (500, "Something went wrong", "Message failed to send due to an unknown error."),
    131005: (403, "Access denied", "Permission is either not granted or has been removed."),
    131008: (400, "Required parameter is missing", "The request is missing a required parameter."),
    131009: (400, "Parameter value is not valid", "One or more parameter values are invalid."),
    131016: (500, "Service unavailable", "A service is temporarily unavailable."),
    131021: (400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    131026: (400, "Message undeliverable", "Unable to deliver message."),
    131030: (400, "Recipient phone number not in allowed list", "Add the number to the allowed list."),
    131031: (403, "Account has been locked", "The account was restricted or disabled for violating a policy."),
    131037: (400, "Display name approval is needed", "The phone number's display name has not been approved."),
    131042: (400, "Business eligibility payment issue", "There is a problem with the payment method."),
    131045: (500, "Incorrect certificate", "Message failed to send due to a phone number registration error."),
    131047: (
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    131048: (429, "Spam rate limit hit", "Message failed to send because there are restrictions on this number."),
    131049: (400, "Meta chose not to deliver", "Not delivered to maintain healthy ecosystem engagement."),
    131050: (400, "User has stopped marketing messages", "The recipient opted out of marketing messages."),
    131051: (400, "Unsupported message type", "Message type is not currently supported."),
    131052: (400, "Media download error", "Unable to download the media sent by the user."),
    131053: (400, "Media upload error", "Unable to upload the media used in the message."),
    131056: (
        429,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Too many messages were sent from this phone number to the same phone number in a short period of time.",
    ),
    131057: (500, "Account in maintenance mode", "The business account is in maintenance mode."),
    131062: (400, "Recipient identifier is not supported", "This message needs a phone number as its recipient."),
    132000: (400, "Number of parameters does not match the expected number of params", ""),
    132001: (404, "Template name does not exist in the translation", ""),
    132005: (400, "Translated text too long", "The translated text is too long."),
    132007: (400, "Template format character policy violated", "Template content violates a policy."),
    132012: (400, "Parameter format does not match format in the created template", ""),
    132015: (400, "Template is paused", "The template is paused due to low quality."),
    132016: (400, "Template is disabled", "The template has been paused too many times and is now disabled."),
    132068: (400, "Flow is in blocked state", "The flow is blocked."),
    132069: (400, "Flow is throttled", "The flow is throttled."),
    133010: (400, "Account not registered", "The phone number is not registered."),
    133016: (400, "Account register deregister rate limit exceeded", "Too many registration attempts."),
    135000: (400, "Generic user error", "Message failed to send because of an unknown error with the request."),
}
_TRANSIENT = frozenset({1, 2, 131000, 131016, 131057})
_WHATSAPP_CODES_FROM = 80000


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphError(Exception):
    """A refusal with the code and facts of the vendor's table; `message` and `subcode` where it gives other ones."""

    code: int
    details: str | None = None
    message: str | None = None
    subcode: int | None = None
    kind: str = "OAuthException"
    status: int | None = None

    @property
    def http_status(self) -> int:
        """Returns the HTTP status the vendor uses for this code."""
        return self.status or ERRORS.get(self.code, (400, "", ""))[0]

    def envelope(self) -> dict[str, Any]:
        """Returns the JSON body of the answer, with a trace id of its own."""
        _, title, usual = ERRORS.get(self.code, (400, "Unknown error", ""))
        error: dict[str, Any] = {
            "message": self.message or f"(#{self.code}) {title}",
            "type": self.kind,
            "code": self.code,
        }
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.code in _TRANSIENT:
            error["is_transient"] = True
        details = self.details or (usual if self.code >= _WHATSAPP_CODES_FROM else "")
        if details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": details}
        return {"error": {**error, "fbtrace_id": f"A{secrets.token_urlsafe(16)}"}}


def asynchronous(code: int) -> dict[str, Any]:
    """Returns the error object of a `failed` status in a webhook."""
    _, title, details = ERRORS.get(code, (400, "Unknown error", ""))
    return {
        "code": code,
        "title": title,
        "message": title,
        "error_data": {"details": details or title},
        "href": DOCUMENTATION,
    }


def unknown_object(object_id: str, method: str) -> GraphError:
    """Returns the refusal for an object that is missing or hidden from the token; the vendor tells no difference."""
    return GraphError(
        code=100,
        subcode=33,
        status=400,
        kind="GraphMethodException",
        message=(
            f"Unsupported {method.lower()} request. Object with ID '{object_id}' does not exist, cannot be loaded "
            "due to missing permissions, or does not support this operation. Please read the Graph API documentation "
            "at https://developers.facebook.com/docs/graph-api"
        ),
    )


def malformed(details: str) -> GraphError:
    """Returns the refusal for a parameter of the wrong type or shape."""
    return GraphError(code=100, message=f"(#100) {details}")
