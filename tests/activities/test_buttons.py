"""Payloads of buttons: what comes back says of which message it was, and nobody else can make one."""

import base64
import os
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.buttons import Buttons
from domain.content import Choice, EmailContent, ReplyButton, TemplateButton, WhatsAppTemplate, WhatsAppText
from domain.replies import Seal
from sealing import KeyRing

TENANT, MESSAGE = uuid.UUID(int=1), uuid.UUID(int=2)


def ring(*names: str) -> KeyRing:
    return KeyRing.parse(",".join(f"{name}:{base64.b64encode(name[:1].encode() * 32).decode()}" for name in names))


BUTTONS = Buttons(ring("a"))


def payload(value: str = "accept", buttons: Buttons = BUTTONS) -> str:
    content = WhatsAppText(body="?", buttons=(ReplyButton(id=value, title="Accept"),))
    signed = buttons.signed(TENANT, MESSAGE, content)
    assert isinstance(signed, WhatsAppText)
    return signed.buttons[0].id


@given(st.text(min_size=1, max_size=160))
def test_a_tap_says_the_value_and_the_message(value: str) -> None:
    tapped = BUTTONS.read(TENANT, payload(value))
    assert (tapped.value, tapped.seal, tapped.message_id) == (value, Seal.VERIFIED, MESSAGE)


def test_a_signature_takes_39_characters() -> None:
    assert len(payload("x" * 160)) == 199


def test_rows_and_quick_replies_are_signed_and_links_are_not() -> None:
    text = WhatsAppText(body="?", choose="Why", choices=(Choice(id="far", title="Too far"),))
    signed = BUTTONS.signed(TENANT, MESSAGE, text)
    assert isinstance(signed, WhatsAppText)
    assert BUTTONS.read(TENANT, signed.choices[0].id).seal is Seal.VERIFIED
    link = TemplateButton(index=0, sub_type="url", value="runs/7")
    quick = TemplateButton(index=1, sub_type="quick_reply", value="accept")
    made = BUTTONS.signed(TENANT, MESSAGE, WhatsAppTemplate(name="t", language="en", buttons=(link, quick)))
    assert isinstance(made, WhatsAppTemplate)
    assert made.buttons[0] == link
    assert BUTTONS.read(TENANT, made.buttons[1].value).message_id == MESSAGE


def test_what_has_no_buttons_stays_as_it_is() -> None:
    mail = EmailContent(subject="s", text="t")
    assert BUTTONS.signed(TENANT, MESSAGE, mail) is mail


@pytest.mark.parametrize(
    ("came", "seal"),
    [
        ("accept", Seal.UNSIGNED),
        ("", Seal.UNSIGNED),
        ("a~b", Seal.UNSIGNED),
        ("accept~" + "!" * 38, Seal.UNSIGNED),
        ("accept~" + "é" * 38, Seal.UNSIGNED),
        ("accept~" + "A" * 38, Seal.FORGED),
        (payload().replace("accept", "decline"), Seal.FORGED),
        ("x" + payload(), Seal.FORGED),
    ],
    ids=[
        "without one", "nothing", "a mark of their own", "no base64", "no ASCII", "one that was made up",
        "of another value",
        "of a longer value",
    ],
)  # fmt: skip
def test_what_was_not_signed_by_us_is_told_apart(came: str, seal: Seal) -> None:
    tapped = BUTTONS.read(TENANT, came)
    assert (tapped.seal, tapped.message_id) == (seal, None)


def test_a_payload_is_good_in_its_tenant_alone() -> None:
    assert BUTTONS.read(uuid.UUID(int=9), payload()).seal is Seal.FORGED


def test_a_payload_outlives_a_rotation_and_not_its_key() -> None:
    old = payload(buttons=Buttons(ring("old")))
    assert Buttons(ring("new", "old")).read(TENANT, old).seal is Seal.VERIFIED
    assert Buttons(ring("new")).read(TENANT, old).seal is Seal.FORGED


def test_every_message_signs_for_itself() -> None:
    content = WhatsAppText(body="?", buttons=(ReplyButton(id="accept", title="Accept"),))
    made = {BUTTONS.signed(TENANT, uuid.UUID(bytes=os.urandom(16)), replace(content)) for _ in range(5)}
    assert len(made) == 5
