"""Every kind of problem that the API answers with: one table, which is a contract with its callers.

`docs/reference/errors.md` is written from it (`python -m api.problem_types`), and a test holds both together.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The last part of a problem's `type`; stable for ever."""

    BAD_REQUEST = "bad-request"
    MALFORMED_JSON = "malformed-json"
    INVALID_CURSOR = "invalid-cursor"
    UNAUTHENTICATED = "unauthenticated"
    MISSING_SCOPE = "missing-scope"
    TENANT_SUSPENDED = "tenant-suspended"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    ALREADY_EXISTS = "already-exists"
    WRONG_STATE = "wrong-state"
    IDEMPOTENCY_IN_FLIGHT = "idempotency-in-flight"
    CANCELLED_BEFORE_START = "cancelled-before-start"
    OUTCOME_UNKNOWN = "outcome-unknown"
    COUNT_CHANGED = "count-changed"
    PRECONDITION_FAILED = "precondition-failed"
    BODY_TOO_LARGE = "body-too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    VALIDATION_FAILED = "validation-failed"
    INVALID_EVENT = "invalid-event"
    UNKNOWN_RECIPIENT = "unknown-recipient"
    IDEMPOTENCY_MISMATCH = "idempotency-mismatch"
    VERIFICATION_FAILED = "verification-failed"
    TOO_MANY_REQUESTS = "too-many-requests"
    LINE_FULL = "line-full"
    INTERNAL_ERROR = "internal-error"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """What is always the same about a kind of problem."""

    status: int
    title: str
    remedy: str


TYPES: dict[Kind, ProblemType] = {
    Kind.BAD_REQUEST: ProblemType(400, "The request cannot be read", "Correct the URL, the header or the form."),
    Kind.MALFORMED_JSON: ProblemType(
        400,
        "The body is not acceptable JSON",
        "Send UTF-8 JSON without duplicate keys, NaN or Infinity, NUL characters, lone surrogates, numbers that no "
        "double can hold, or more than 64 levels.",
    ),
    Kind.INVALID_CURSOR: ProblemType(
        400, "The cursor is not valid here", "Start again without `cursor`; use each one only on the list it came from."
    ),
    Kind.UNAUTHENTICATED: ProblemType(
        401,
        "No valid key was given",
        "Send `Authorization: Bearer <key>` or `X-Site-Key: <key>` with a key that is neither revoked nor expired.",
    ),
    Kind.MISSING_SCOPE: ProblemType(
        403, "The key may not do this", "Use a key that holds the scope that `required_scope` names."
    ),
    Kind.TENANT_SUSPENDED: ProblemType(403, "The tenant is suspended", "Ask the operator to activate the tenant."),
    Kind.NOT_FOUND: ProblemType(
        404, "There is no such thing", "Check the path and the id; what belongs to other tenants is not visible."
    ),
    Kind.METHOD_NOT_ALLOWED: ProblemType(405, "The method is not allowed here", "Use one that `Allow` names."),
    Kind.ALREADY_EXISTS: ProblemType(409, "It exists already", "Choose another name, or change the existing one."),
    Kind.WRONG_STATE: ProblemType(
        409,
        "Its state does not allow this",
        "Read it again; `state` says where it stands and the detail what is possible.",
    ),
    Kind.IDEMPOTENCY_IN_FLIGHT: ProblemType(
        409, "A request with this key is being worked on", "Repeat the same request after `Retry-After` seconds."
    ),
    Kind.CANCELLED_BEFORE_START: ProblemType(
        409, "It was cancelled before it came", "Nothing was sent and nothing will be; use a new key to send after all."
    ),
    Kind.OUTCOME_UNKNOWN: ProblemType(
        409,
        "Nobody can say whether it was sent",
        "Wait for a late receipt, or send `force: true` and accept that the person may get it twice.",
    ),
    Kind.COUNT_CHANGED: ProblemType(
        409,
        "More or fewer are meant than was agreed to",
        "Ask again with `dry_run=true`, look at what is meant, and repeat with its count; `count` is the present one.",
    ),
    Kind.PRECONDITION_FAILED: ProblemType(
        412, "It was changed meanwhile", "Read it again, apply the change to what it says now, and send its new `ETag`."
    ),
    Kind.BODY_TOO_LARGE: ProblemType(
        413, "The body is too large", "Send at most the number of bytes that `limit` names; upload files separately."
    ),
    Kind.UNSUPPORTED_MEDIA_TYPE: ProblemType(
        415, "The body has the wrong media type", "Send `Content-Type: application/json`."
    ),
    Kind.VALIDATION_FAILED: ProblemType(
        422, "The request is not valid", "Correct what `errors` lists; each pointer names a place in the body."
    ),
    Kind.INVALID_EVENT: ProblemType(
        422,
        "The event does not fit the schema of its type",
        "Correct what `errors` lists and send it again; `GET /v1/event-types/{type}` has the schema.",
    ),
    Kind.UNKNOWN_RECIPIENT: ProblemType(
        422, "There is no such recipient", "Create the recipient first, or give an address directly."
    ),
    Kind.IDEMPOTENCY_MISMATCH: ProblemType(
        422, "The key was used for another request", "Use a new `Idempotency-Key` for a request that differs."
    ),
    Kind.VERIFICATION_FAILED: ProblemType(
        422, "The provider did not confirm the account", "Correct the configuration that the detail names, then verify."
    ),
    Kind.TOO_MANY_REQUESTS: ProblemType(429, "Too many requests", "Wait for `Retry-After` seconds, then repeat."),
    Kind.LINE_FULL: ProblemType(
        429, "The line of this tenant is full", "Wait for `Retry-After` seconds, then repeat with the same key."
    ),
    Kind.INTERNAL_ERROR: ProblemType(
        500, "Something failed on our side", "Repeat later; tell the operator the request id in `instance`."
    ),
    Kind.UNAVAILABLE: ProblemType(503, "Not available at the moment", "Repeat after `Retry-After` seconds."),
}


def uri(kind: Kind) -> str:
    """Returns the `type` member of a kind of problem."""
    return f"urn:carillon:problem:{kind}"


def reference() -> str:
    """Returns the reference page of all kinds, as Markdown."""
    lines = [
        "# Errors",
        "",
        "Every error is a problem document (RFC 9457, `application/problem+json`). `type` is stable and for programs;",
        "`detail` is for people and says what to do next. `errors` lists what is wrong, each with a JSON `pointer`",
        "into the body, or `in` and `parameter` for query, path and headers. `instance` names the request in our logs;",
        "the header `X-Request-Id` carries the same id.",
        "",
        "| status | type | meaning | what to do |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {kind_of.status} | `{uri(kind)}` | {kind_of.title} | {kind_of.remedy} |" for kind, kind_of in TYPES.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - printing the page is what the command is for
