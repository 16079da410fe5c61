"""The commands of the guide to consent work as they stand, one after the other."""

import re
from pathlib import Path

import httpx

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "consent.md"


async def test_every_command_of_the_guide_works(client: httpx.AsyncClient) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    commands = re.findall(r"^call (\w+) (\S+)(?: '(.*)')?$", text, re.MULTILINE)
    assert len(commands) == text.count("\ncall ") > 10
    for method, path, body in commands:
        headers = {"Content-Type": "application/json"} if body else {}
        answer = await client.request(method, path, content=body.encode(), headers=headers)
        assert answer.is_success, (method, path, answer.text)


async def test_what_the_operator_sets_is_taken(operator: httpx.AsyncClient, tenant_id: object) -> None:
    (body,) = re.findall(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    headers = {"Content-Type": "application/json"}
    answer = await operator.patch(f"/v1/tenants/{tenant_id}", content=body.encode(), headers=headers)
    assert answer.is_success, answer.text
