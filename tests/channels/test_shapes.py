"""Shapes of parts, fingerprints, and the cache of parsed templates."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from channels.cache import Cache
from channels.rendered import snapshot, snapshot_hash
from channels.shapes import EmailPart, SmsPart, WhatsAppPart
from domain.content import Attachment, EmailContent, SmsContent


def test_schemas_can_be_derived_from_the_shapes() -> None:
    whatsapp: TypeAdapter[WhatsAppPart] = TypeAdapter(WhatsAppPart)
    assert set(TypeAdapter(EmailPart).json_schema()["required"]) == {"subject"}
    assert set(TypeAdapter(SmsPart).json_schema()["properties"]) == {"body"}
    assert len(whatsapp.json_schema()["anyOf"]) == 3
    part = whatsapp.validate_python({"kind": "template", "name": "a", "body": {"x": "y"}})
    assert part.kind == "template"
    with pytest.raises(ValidationError):
        whatsapp.validate_python({"kind": "video"})


def test_fingerprints_take_files_by_their_digest() -> None:
    def mail(body: bytes) -> EmailContent:
        return EmailContent(
            subject="s", text="t", attachments=(Attachment(filename="f", content_type="text/plain", body=body),)
        )

    stored = snapshot(mail(b"a"))
    assert stored is not None
    assert stored["attachments"][0]["body"].startswith("ca978112")
    assert snapshot_hash(mail(b"a")) == snapshot_hash(mail(b"a")) != snapshot_hash(mail(b"b"))
    assert snapshot_hash(SmsContent(body="x")) != snapshot_hash(None, SmsContent(body="x"))


def test_another_process_computes_the_same_fingerprint() -> None:
    program = (
        "from channels.rendered import snapshot_hash; from domain.content import SmsContent;"
        "print(snapshot_hash(SmsContent(body='नमस्ते')))"
    )
    root = Path(__file__).parents[2]
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert other.stdout.strip() == snapshot_hash(SmsContent(body="नमस्ते"))


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    cache: Cache[str, int] = Cache(heaviest=10)
    cache.put("a", 1, 4)
    cache.put("b", 2, 4)
    assert cache.get("a") == 1
    cache.put("c", 3, 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    cache.put("a", 5, 5)
    assert (cache.get("a"), len(cache)) == (5, 2)
    cache.put("huge", 9, 99)
    assert len(cache) == 0
