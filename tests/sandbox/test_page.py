"""The page shows what arrived and lets one act."""

import re
from typing import Any

import aiosmtplib
import pytest

from sandbox.serve import Sandbox

from .conftest import GUEST, NUMBER, Caller, Receiver, until

THREAD = f"/?thread={NUMBER}/{GUEST}"


async def test_an_empty_page_says_so(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.mailbox._mails.clear()
    page = await caller.client.get("/")
    assert "Nothing has arrived yet" in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy


async def test_a_template_is_shown_with_its_buttons_and_ticks(caller: Caller) -> None:
    await caller.behave({"callbacks_first": True})
    words = [{"type": "text", "text": value} for value in ("<b>Asha</b>", "7")]
    components: list[dict[str, Any]] = [
        {"type": "header", "parameters": words[1:]},
        {"type": "body", "parameters": words},
        {"type": "button", "sub_type": "url", "index": "2", "parameters": words[1:]},
    ]
    await caller.template("order_ready", components=components)
    page = (await caller.client.get(THREAD)).text
    assert "Hello &lt;b&gt;Asha&lt;/b&gt;, order 7 is ready." in page
    assert 'class="ticks read"' in page
    assert re.findall(r'class="choice">(\w+)', page) == ["Accept", "Decline"]
    assert "https://shop.example/o/7" in page


async def test_a_tap_a_reply_and_a_picture_reach_the_webhook(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"until": "nothing"})
    facts = {"number": NUMBER, "from": GUEST, "type": "text"}
    answer = await caller.client.post("/_page/act", data={**facts, "text": "hello"})
    assert (answer.status_code, answer.headers["location"]) == (303, THREAD)
    reply = {"type": "reply", "reply": {"id": "a", "title": "A"}}
    interactive = {"type": "button", "body": {"text": "Choose"}, "action": {"buttons": [reply]}}
    sent = await caller.send(type="interactive", interactive=interactive)
    tap = {**facts, "type": "tap", "context": sent.json()["messages"][0]["id"], "index": "0"}
    await caller.client.post("/_page/act", data=tap)
    picture = {"picture": ("a.png", b"\x89PNG", "image/png")}
    await caller.client.post("/_page/act", data={**facts, "text": "look"}, files=picture)
    assert [message["type"] for message in receiver.messages] == ["text", "interactive", "image"]
    assert receiver.messages[2]["image"]["caption"] == "look"
    page = (await caller.client.get(THREAD)).text
    source = re.search(r'<img src="([^"]+)"', page)
    assert source is not None
    shown = await caller.client.get(source[1])
    assert (shown.content, shown.headers["content-type"]) == (b"\x89PNG", "image/png")


async def test_messages_are_read_by_a_button(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"until": "delivered", "callbacks_first": True})
    await caller.template()
    await caller.client.post("/_page/read", data={"number": NUMBER, "from": GUEST})
    await until(lambda: receiver.names() == ["sent", "delivered", "read"])
    await caller.client.post("/_page/read", data={"number": NUMBER, "from": GUEST})
    assert len(receiver.bodies) == 3


@pytest.mark.parametrize("path", ["/_page/act", "/_page/read"])
async def test_forms_of_other_sites_are_refused(caller: Caller, path: str) -> None:
    facts = {"number": NUMBER, "from": GUEST, "type": "text", "text": "x"}
    answer = await caller.client.post(path, data=facts, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


async def test_what_a_user_cannot_do_is_said_on_the_page(caller: Caller) -> None:
    facts = {"number": NUMBER, "from": GUEST, "type": "tap", "context": "wamid.nothing", "index": "0"}
    answer = await caller.client.post("/_page/act", data=facts)
    page = await caller.client.get(answer.headers["location"])
    assert "a tap needs the message it is on" in page.text


async def test_a_mail_is_shown_with_its_parts_in_a_frame_of_its_own(sandbox: Sandbox, caller: Caller) -> None:
    raw = b"Subject: <i>hi</i>\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script><p>Hello</p>"
    await aiosmtplib.send(
        raw, sender="a@x.example", recipients=["b@x.example"], hostname=sandbox.smtp_host, port=sandbox.smtp_port
    )
    (mail,) = sandbox.mailbox.newest_first("b@x.example", None, 1)
    page = (await caller.client.get(f"/?mail={mail.id}")).text
    assert "&lt;i&gt;hi&lt;/i&gt;" in page
    assert "<script>alert" not in page
    assert f'src="/mailbox/{mail.id}/html" sandbox' in page


@pytest.mark.parametrize("name", ["page.css", "page.js"])
async def test_style_and_script_come_from_here(caller: Caller, name: str) -> None:
    page = (await caller.client.get("/")).text
    asset = await caller.client.get(f"/_page/{name}")
    assert f"/_page/{name}" in page
    assert asset.status_code == 200
    assert not re.search(r"https?://", asset.text)
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert (await caller.client.get("/_page/pages.py")).status_code == 404


async def test_the_pulse_moves_with_the_journal(caller: Caller) -> None:
    before = (await caller.client.get("/_page/pulse")).json()["last"]
    await caller.template()
    assert (await caller.client.get("/_page/pulse")).json()["last"] > before
