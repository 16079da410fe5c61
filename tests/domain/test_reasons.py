"""Every reason has its sentence, and the reference page lists exactly those."""

import os
from pathlib import Path

from domain.reasons import SENTENCES, Reason
from domain.remedies import REMEDIES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "reasons.md"
UPDATE = "CARILLON_UPDATE_CONTRACTS"
HEAD = """\
# Reasons

Why something was not sent, was skipped, delayed or doubted. The codes are stable; they stand in `reason` of
notifications, messages, attempts and entries of the timeline, and in `code` of explanations, which also say what to do.

| reason | in words | what to do |
|---|---|---|
"""


def test_every_reason_has_a_sentence() -> None:
    assert list(SENTENCES) == list(Reason)
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


def test_every_reason_says_what_to_do() -> None:
    assert list(REMEDIES) == list(Reason)
    assert all(remedy.endswith(".") for remedy in REMEDIES.values())


def test_the_reference_lists_every_reason() -> None:
    page = HEAD + "".join(f"| `{reason.value}` | {SENTENCES[reason]} | {REMEDIES[reason]} |\n" for reason in Reason)
    if os.environ.get(UPDATE):
        PAGE.write_text(page)
    shown = PAGE.read_text() if PAGE.exists() else ""
    assert shown == page, f"when that is wanted: {UPDATE}=1 python -m pytest tests/domain/test_reasons.py"
