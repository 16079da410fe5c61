"""Plays the example over HTTP: a partner is welcomed, accepts a run and finishes it, declines another, is too late.

Run it while `make up` runs: `.venv/bin/python examples/production_run/play.py`. The partner taps and writes in the
stand-in for WhatsApp; everything else is the product and the shop.
"""

import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))  # a script finds what lies beside it, wherever it is called from

from examples.production_run.shop import Run, Shop, serve
from examples.production_run.stage import Stage, find, set_up, until


class Partner:
    """Somebody with a phone, who sees what WhatsApp shows and answers it."""

    def __init__(self, stage: Stage, name: str, number: str) -> None:
        self.name, self.called, self.phone = f"partner-{number}", name, f"+1555010{number}"
        self._stage = stage
        self._seen = 0
        body = {
            "name": name,
            "zone": "Asia/Kolkata",
            "addresses": [{"kind": "phone", "value": self.phone}],
        }
        stage.carillon.put(f"/v1/recipients/{self.name}", json=body).raise_for_status()

    def reads(self, beginning: str) -> dict[str, Any]:
        """Waits for the next message, which has to begin like this."""
        message: dict[str, Any] = until(f"a message to {self.name} like {beginning!r}", self._next)
        said = text_of(message)
        if not said.startswith(beginning):
            sys.exit(f"{self.name} reads {said!r}, not {beginning!r}")
        print(f"  {self.name} reads   {said}")
        return message

    def taps(self, message: dict[str, Any], button: str) -> None:
        """Taps a button of a message, or chooses a row of its list."""
        self._acts(type="tap", context=message["id"], id=button)
        print(f"  {self.name} taps    {button}")

    def writes(self, text: str) -> None:
        """Writes without quoting anything."""
        self._acts(type="text", text=text)
        print(f"  {self.name} writes  {text}")

    def photographs(self) -> None:
        """Sends a photo."""
        self._acts(type="image")
        print(f"  {self.name} sends   a photo")

    def _acts(self, **act: str) -> None:
        body = {"number": self._stage.number_id, "from": self.phone, **act}
        self._stage.sandbox.post("/_sandbox/inbound", json=body).raise_for_status()

    def _next(self) -> dict[str, Any] | None:
        asked = {"kind": "accepted", "to": self.phone.lstrip("+"), "limit": "1000"}
        entries = self._stage.sandbox.get("/journal", params=asked).raise_for_status().json()["entries"]
        if len(entries) <= self._seen:
            return None
        self._seen += 1
        found: dict[str, Any] = entries[self._seen - 1]
        return found


def text_of(entry: dict[str, Any]) -> str:
    """Returns what a message shows, as the stand-in wrote it down."""
    if "template" in entry:
        return str(entry["template"]["shown"]["body"])
    body = entry["body"]
    return str(body["interactive"]["body"]["text"] if "interactive" in body else body["text"]["body"])


def onboard(stage: Stage, partner: Partner, *, language: str) -> None:
    """Welcomes a partner: greeting, consent, language."""
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/shop",
        "type": "partner.connected",
        "subject": partner.name,
        "data": {"partner": partner.name, "name": partner.called},
    }
    headers = {"Content-Type": "application/cloudevents+json"}
    stage.carillon.post("/v1/events", json=event, headers=headers).raise_for_status()
    partner.reads(f"Hello {partner.called}, we would like to send you production runs")
    partner.writes("Hi")
    partner.taps(partner.reads("May we write to you here"), "agree")
    partner.taps(partner.reads("Which language do you prefer"), language)
    partner.reads(f"Welcome, {partner.called}" if language == "en" else f"स्वागत है, {partner.called}")


def run_of(number: str, partner: Partner, run: str) -> Run:
    """Returns a run for a partner."""
    return Run(
        run=f"PR-{number}-{run}", partner=partner.name, name=partner.called, design="Ajrakh", pieces=120,
        due_on="2027-03-01",
    )  # fmt: skip


def finished(shop: Shop, partner: Partner, run: Run) -> None:
    """A run is accepted, begun, photographed and finished."""
    shop.assign(run)
    partner.taps(partner.reads(f"Run {run.run}: 120 pieces of Ajrakh"), "accept")
    partner.reads("Thank you. Write START")
    partner.writes("Start")
    partner.photographs()
    partner.reads(f"Photo 1 of {run.run} is kept.")
    partner.writes("finish soon")
    partner.reads("We did not understand how many pieces.")
    partner.writes("FINISH 118 SCRAP 2, two were torn")
    partner.reads(f"Run {run.run} is complete: 118 pieces, 2 scrap.")
    if (run.status, run.pieces, run.scrap, run.notes, len(run.media)) != ("completed", 118, 2, "two were torn", 1):
        sys.exit(f"the shop has {run}")


def declined(shop: Shop, partner: Partner, run: Run) -> None:
    """A run is declined with a reason, in Hindi."""
    shop.assign(run)
    partner.taps(partner.reads(f"रन {run.run}: Ajrakh के 120 नग"), "decline")
    partner.taps(partner.reads(f"आप {run.run} क्यों अस्वीकार करते हैं?"), "reason:no_material")
    partner.reads(f"रन {run.run} रद्द हुआ: no material।")
    if (run.status, run.reason) != ("cancelled", "no material"):
        sys.exit(f"the shop has {run}")


def too_late(shop: Shop, partner: Partner, run: Run) -> None:
    """A run that was begun meanwhile cannot be declined any more."""
    shop.assign(run)
    message = partner.reads(f"रन {run.run}")
    run.status = "started"
    partner.taps(message, "decline")
    partner.taps(partner.reads(f"आप {run.run} क्यों अस्वीकार"), "reason:price")
    partner.reads(f"{run.run} अब अस्वीकार नहीं हो सकता: it is started.")
    shop.cancel(run.run, "the office called")
    partner.reads(f"रन {run.run} रद्द हुआ: the office called।")


def show(stage: Stage, run: Run) -> None:
    """Prints the activity log of a run."""
    path = f"/v1/resources/production_run/{run.run}/timeline"
    entries = stage.carillon.get(path, params={"limit": 200}).raise_for_status().json()["data"][::-1]
    print(f"\nEverything about {run.run}, {len(entries)} entries:")
    for entry in entries:
        print(f"  {entry['at'][11:19]}  {entry['kind']:<24} {entry['summary'][:90]}")


def main() -> None:
    stage = find()
    set_up(stage)
    number = f"{uuid.uuid4().int % 9000 + 1000}"
    shop = Shop(stage.carillon)
    server = serve(shop, urlsplit(stage.service_url).port or 80)
    try:
        asha, ravi = Partner(stage, "Asha", number), Partner(stage, "Ravi", str(int(number) + 1))
        onboard(stage, asha, language="en")
        onboard(stage, ravi, language="hi")
        runs = [run_of(number, asha, "1"), run_of(number, ravi, "2"), run_of(number, ravi, "3")]
        for told, partner, run in zip((finished, declined, too_late), (asha, ravi, ravi), runs, strict=True):
            print(f"\n{run.run}: {told.__doc__}")
            told(shop, partner, run)
        show(stage, runs[0])
    finally:
        server.shutdown()


if __name__ == "__main__":
    main()
