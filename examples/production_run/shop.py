"""The shop whose runs these are: it keeps them, decides what may be done with one, and tells Carillon what happened.

Carillon's `call` steps arrive here, signed as Standard Webhooks; each counts once for its `webhook-id`, so a repeated
call gets the first answer again.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

_OLD = 300
"""Seconds after which a signed call is not taken any more."""
_FINISH = re.compile(
    r"^\s*(?:finish|खत्म)\s+(?P<pieces>[0-9]{1,6})(?:\s+scrap\s+(?P<scrap>[0-9]{1,6}))?\s*[,.:;-]*\s*(?P<notes>.*)$",
    re.IGNORECASE | re.DOTALL,
)
REASONS = {
    "no_capacity": "no capacity",
    "no_material": "no material",
    "price": "the price",
    "other": "another reason",
    "none": "no reason given",
}


@dataclass
class Run:
    """A production run at a partner."""

    run: str
    partner: str
    name: str
    design: str
    pieces: int
    due_on: str
    status: str = "assigned"
    reason: str | None = None
    scrap: int = 0
    notes: str = ""
    media: list[str] = field(default_factory=list)


class Shop:
    """Keeps runs, and tells of every change as a CloudEvent."""

    def __init__(self, carillon: httpx.Client) -> None:
        self.runs: dict[str, Run] = {}
        self._carillon = carillon
        self._lock = threading.Lock()
        self._answers: dict[str, dict[str, Any]] = {}
        found = carillon.get("/v1/webhook-secrets").raise_for_status().json()
        self._secrets = [base64.b64decode(one.removeprefix("whsec_")) for one in found["secrets"]]

    def assign(self, run: Run) -> None:
        """Gives a run to a partner."""
        self.runs[run.run] = run
        self._tell("production_run.assigned", run)

    def cancel(self, name: str, reason: str) -> None:
        """Cancels a run, as the office does."""
        with self._lock:
            self._cancel(self.runs[name], reason)

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """Answers a call of a flow."""
        if not self._is_signed(headers, body):
            return 401, {"error": "the signature does not fit"}
        asked = json.loads(body)["data"]
        act = ACTS.get(path)
        if act is None or asked.get("run") not in self.runs:
            return 404, {"error": "there is no such run"}
        with self._lock:
            call_id = headers["webhook-id"]
            if call_id not in self._answers:
                self._answers[call_id] = act(self, self.runs[asked["run"]], asked)
            return 200, self._answers[call_id]

    def accept(self, run: Run, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Takes a partner's word that they will do it."""
        if run.status == "assigned":
            self._become(run, "accepted")
        return {"status": run.status}

    def decline(self, run: Run, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Cancels a run that its partner declines, unless it was begun."""
        if run.status in {"started", "completed"}:
            return {"declined": False, "why": f"it is {run.status}."}
        self._cancel(run, REASONS.get(str(asked.get("reason", "")).removeprefix("reason:"), REASONS["other"]))
        return {"declined": True}

    def start(self, run: Run, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Notes that a partner began."""
        if run.status in {"assigned", "accepted"}:
            self._become(run, "started")
        return {"status": run.status}

    def attach(self, run: Run, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Keeps a photo with its run."""
        if asked["media"] not in run.media:
            run.media.append(asked["media"])
        return {"count": len(run.media)}

    def finish(self, run: Run, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Completes a run by what its partner wrote: pieces, scrap, notes."""
        said = _FINISH.match(str(asked["text"]))
        if said is None:
            return {"why": "We did not understand how many pieces."}
        run.pieces, run.scrap = int(said["pieces"]), int(said["scrap"] or 0)
        run.notes = said["notes"].strip()
        self._become(run, "completed")
        return {"pieces": run.pieces, "scrap": run.scrap}

    def _cancel(self, run: Run, reason: str) -> None:
        if run.status not in {"cancelled", "completed"}:
            run.reason = reason
            self._become(run, "cancelled")

    def _become(self, run: Run, status: str) -> None:
        """Tells first: where that fails the call comes again, and the event counts once for its id."""
        self._tell(f"production_run.{status}", replace(run, status=status))
        run.status = status

    def _tell(self, kind: str, run: Run) -> None:
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run.run}/{kind}/{run.status}")),
            "source": "/shop",
            "type": kind,
            "subject": run.run,
            "datacontenttype": "application/json",
            "data": vars(run) | {"media": len(run.media)},
        }
        headers = {"Content-Type": "application/cloudevents+json"}
        self._carillon.post("/v1/events", json=event, headers=headers).raise_for_status()

    def _is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        at = headers.get("webhook-timestamp", "")
        if not at.isdecimal() or abs(time.time() - int(at)) > _OLD:
            return False
        signed = f"{headers.get('webhook-id')}.{at}.".encode() + body
        known = {base64.b64encode(hmac.digest(one, signed, hashlib.sha256)).decode() for one in self._secrets}
        given = [one.removeprefix("v1,") for one in headers.get("webhook-signature", "").split()]
        return any(hmac.compare_digest(one, other) for one in known for other in given)


ACTS: dict[str, Callable[[Shop, Run, Mapping[str, Any]], dict[str, Any]]] = {
    "/runs/accept": Shop.accept,
    "/runs/decline": Shop.decline,
    "/runs/start": Shop.start,
    "/runs/media": Shop.attach,
    "/runs/finish": Shop.finish,
}


def serve(shop: Shop, port: int) -> ThreadingHTTPServer:
    """Returns a server that answers in the background until it is shut down."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answers a call."""
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = shop.take(self.path, headers, body)
            sent = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            """Says nothing of each request."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
