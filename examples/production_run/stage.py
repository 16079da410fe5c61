"""What the example needs before it is played: templates, as WhatsApp approves them and as we fill them, and flows."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

HERE = Path(__file__).parent
SHOP = "https://shop.example"
"""Where the flows say that the shop is; on this machine it is somewhere else."""
LOCALES = ("en", "hi")
_PATIENCE = 30.0
_NUMBERS = {"pieces", "scrap"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An instance of Carillon that runs, the stand-in for WhatsApp beside it, and where the shop is to answer."""

    carillon: httpx.Client
    sandbox: httpx.Client
    token: str
    waba_id: str
    number_id: str
    service_url: str


def find() -> Stage:
    """Returns the instance that `carillon up` started in `CARILLON_HOME`."""
    command = [sys.executable, "-m", "cli", "status", "--json"]
    shown = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if shown.returncode:
        sys.exit("Carillon does not run here; start it with 'make up' in another terminal.")
    status = json.loads(shown.stdout)
    demo = json.loads((Path(status["home"]) / "demo.json").read_text("utf-8"))
    ports = json.loads((Path(status["home"]) / "ports.json").read_text("utf-8"))
    urls, headers = status["urls"], {"Authorization": f"Bearer {demo['key']}"}
    sandbox = httpx.Client(base_url=urls["sandbox mailbox"], timeout=20, trust_env=False)
    (number,) = sandbox.get("/_sandbox/numbers").raise_for_status().json()["numbers"]
    return Stage(
        carillon=httpx.Client(base_url=urls["API"], headers=headers, timeout=20, trust_env=False),
        sandbox=sandbox,
        token=demo["access_token"],
        waba_id=number["waba_id"],
        number_id=number["id"],
        service_url=f"http://127.0.0.1:{ports['your service']}",
    )


def until(what: str, look: Callable[[], Any]) -> Any:
    """Returns the first answer that is something; says what did not come in time."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not come within {_PATIENCE:.0f} seconds")
        time.sleep(0.1)
    return found


def set_up(stage: Stage) -> None:
    """Brings templates and flows; what is there already stays, so it may be done again and again."""
    titles = {"en": "Production runs", "hi": "प्रोडक्शन रन"}
    _done(stage.carillon.put("/v1/topics/production_runs", json={"titles": titles, "default": "opted_out"}))
    for template in yaml.safe_load((HERE / "templates.yaml").read_text("utf-8")):
        _approve(stage, template)
        _publish(stage, template)
    for file in sorted((HERE / "flows").glob("*.yaml")):
        text = file.read_text("utf-8").replace(SHOP, stage.service_url)
        name = yaml.safe_load(text)["name"]
        version = _done(stage.carillon.put(f"/v1/flows/{name}", json={"definition": text}))["version"]
        _done(stage.carillon.post(f"/v1/flows/{name}/publish", json={"version": version}))


def _approve(stage: Stage, template: Mapping[str, Any]) -> None:
    """Hands a template in, as a business does, and reviews it, as WhatsApp does."""
    approved = template.get("approved")
    if approved is None:
        return
    known = stage.sandbox.get("/_sandbox/templates").json()["templates"]
    kept = {one["language"] for one in known if one["name"] == approved["name"]}
    for locale in set(LOCALES) - kept:
        body = {
            "name": approved["name"],
            "language": locale,
            "category": "UTILITY",
            "components": list(_components(approved[locale])),
        }
        bearer = {"Authorization": f"Bearer {stage.token}"}
        made = _done(stage.sandbox.post(f"/v23.0/{stage.waba_id}/message_templates", json=body, headers=bearer))
        _done(stage.sandbox.post(f"/_sandbox/templates/{made['id']}/review", json={"status": "APPROVED"}))


def _components(shown: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    values = [str(number) for number in range(1, shown["body"].count("{{") + 1)]
    yield {"type": "BODY", "text": shown["body"], "example": {"body_text": [values]}}
    if shown.get("buttons"):
        yield {"type": "BUTTONS", "buttons": [_button(one) for one in shown["buttons"]]}


def _button(shown: Any) -> dict[str, Any]:
    if isinstance(shown, str):
        return {"type": "QUICK_REPLY", "text": shown}
    return {"type": "URL", "text": shown["title"], "url": shown["url"], "example": [shown["url"].replace("{{1}}", "7")]}


def _publish(stage: Stage, template: Mapping[str, Any]) -> None:
    name = template["name"]
    known = stage.carillon.get(f"/v1/templates/{name}")
    if known.is_success and known.json()["published_version"]:
        return
    if known.status_code == httpx.codes.NOT_FOUND:
        body = {"name": name, "channels": ["whatsapp"], "topic": template.get("topic")}
        _done(stage.carillon.post("/v1/templates", json=body))
    parts = [
        {"channel": "whatsapp", "locale": locale, "content": _content(template, locale)}
        for locale in (*LOCALES, "default")
    ]
    version_body = {"parts": parts, "variables": list(_variables(json.dumps(parts)))}
    version = _done(stage.carillon.post(f"/v1/templates/{name}/versions", json=version_body))["number"]
    _done(stage.carillon.post(f"/v1/templates/{name}/versions/{version}/publish"))


def _variables(text: str) -> Iterator[dict[str, str]]:
    for name in sorted(set(re.findall(r"{{ (\w+) }}", text))):
        yield {"name": name, "type": "integer" if name in _NUMBERS else "string"}


def _content(template: Mapping[str, Any], locale: str) -> dict[str, Any]:
    spoken = "en" if locale == "default" else locale
    if "approved" in template:
        return {"kind": "template", "name": template["approved"]["name"], "language": spoken, **template["parts"]}
    return {"kind": "text", **template["parts"][spoken]}


def _done(answer: httpx.Response) -> Any:
    if answer.is_error:
        sys.exit(f"{answer.request.method} {answer.request.url.path} was refused: {answer.text[:500]}")
    return answer.json()
