"""The result of a rendering, and the fingerprint that is stored with a message."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from domain.content import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a part says for this data.

    Attributes:
        content: What is sent; None when nothing is.
        follow_up: What is sent right after it, such as an image after a WhatsApp template.
        snapshot_hash: SHA-256 over the rendered content, the same in every process.
        skipped: Reason code when nothing is to be sent, such as `no_image`.
        warnings: Codes of what may be meant otherwise, such as `html_clipped`.
    """

    content: Content | None
    follow_up: Content | None = None
    snapshot_hash: str
    skipped: str | None = None
    warnings: tuple[str, ...] = ()


def rendered(
    content: Content | None,
    *,
    follow_up: Content | None = None,
    skipped: str | None = None,
    warnings: tuple[str, ...] = (),
) -> Rendered:
    """Returns the result with its fingerprint."""
    return Rendered(
        content=content,
        follow_up=follow_up,
        snapshot_hash=snapshot_hash(content, follow_up),
        skipped=skipped,
        warnings=warnings,
    )


def snapshot_hash(content: Content | None, follow_up: Content | None = None) -> str:
    """Returns the fingerprint of contents: SHA-256 in hex over their canonical JSON."""
    both = {"content": snapshot(content), "follow_up": snapshot(follow_up)}
    canonical = json.dumps(both, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def snapshot(content: Content | None) -> dict[str, Any] | None:
    """Returns a content as JSON; files are represented by their digests."""
    if content is None:
        return None
    fields = asdict(content)
    for attachment in fields.get("attachments", ()):
        attachment["body"] = hashlib.sha256(attachment["body"]).hexdigest()
    return {"type": type(content).__name__, **fields}
