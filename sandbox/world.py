"""What the WhatsApp stand-in knows: numbers, templates, messages, users, and how it all survives a restart."""

import json
import secrets
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sandbox.behaviour import Behaviour
from sandbox.identifiers import bsuid

_REMEMBERED_MESSAGES = 50_000
_REMEMBERED_ITEMS = 200
SERVICE_WINDOW = 24 * 3600
NAME_LOCK = 30 * 24 * 3600


@dataclass(slots=True, kw_only=True)
class Number:
    """One business phone number with its credentials and the address of its callbacks."""

    id: str
    waba_id: str
    display_phone_number: str
    verified_name: str = "Sandbox"
    access_token: str
    app_secret: str
    verify_token: str = ""
    webhook_url: str | None = None
    override_url: str | None = None


@dataclass(slots=True, kw_only=True)
class Template:
    """One template in one language."""

    id: str
    waba_id: str
    name: str
    language: str
    category: str
    components: list[dict[str, Any]]
    parameter_format: str = "POSITIONAL"
    status: str = "APPROVED"
    rejected_reason: str = "NONE"
    deleted_at: float | None = None


@dataclass(slots=True, kw_only=True)
class Message:
    """One message of a thread, in either direction, with the status it has reached."""

    wamid: str
    number_id: str
    user: str
    outbound: bool
    at: str
    body: dict[str, Any]
    reference: str | None = None
    template: dict[str, Any] | None = None
    status: str = "accepted"
    marked_read: bool = False


@dataclass(slots=True)
class World:
    """Everything the stand-in knows; numbers, templates and behaviour are kept in a file beside the journal."""

    path: Path
    behaviour: Behaviour = field(default_factory=Behaviour)
    numbers: dict[str, Number] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    unsubscribed: set[str] = field(default_factory=set)
    users: dict[str, str] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    threads: dict[tuple[str, str], deque[str]] = field(default_factory=dict)
    last_inbound: dict[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "World":
        """Returns the world as the file has it, or an empty one."""
        world = cls(path)
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            world.behaviour = Behaviour.model_validate(kept["behaviour"])
            world.numbers = {number["id"]: Number(**number) for number in kept["numbers"]}
            world.templates = {template["id"]: Template(**template) for template in kept["templates"]}
            world.overrides = kept["overrides"]
            world.unsubscribed = set(kept["unsubscribed"])
        return world

    def save(self) -> None:
        """Writes numbers, templates and behaviour to the file, whole or not at all."""
        kept = {
            "behaviour": self.behaviour.model_dump(exclude_unset=True),
            "numbers": [asdict(number) for number in self.numbers.values()],
            "templates": [asdict(template) for template in self.templates.values()],
            "overrides": self.overrides,
            "unsubscribed": sorted(self.unsubscribed),
        }
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(self.path)

    def by_token(self, token: str) -> list[Number]:
        """Returns the numbers an access token belongs to."""
        return [number for number in self.numbers.values() if secrets.compare_digest(number.access_token, token)]

    def templates_of(self, waba_id: str) -> list[Template]:
        """Returns the templates of a WhatsApp Business Account that are not deleted, oldest first."""
        return [one for one in self.templates.values() if one.waba_id == waba_id and one.deleted_at is None]

    def find_template(self, waba_id: str, name: str, language: str) -> Template | None:
        """Returns the template with that name in that language."""
        of_waba = self.templates_of(waba_id)
        return next((one for one in of_waba if one.name == name and one.language == language), None)

    def remember(self, message: Message) -> None:
        """Adds a message to its thread; the oldest messages are forgotten beyond a bound."""
        self.messages[message.wamid] = message
        self.users.setdefault(bsuid(message.user), message.user)
        thread = self.threads.setdefault((message.number_id, message.user), deque(maxlen=_REMEMBERED_ITEMS))
        thread.append(message.wamid)
        while len(self.messages) > _REMEMBERED_MESSAGES:
            del self.messages[next(iter(self.messages))]

    def window_open(self, number_id: str, user: str) -> bool:
        """Tells whether the user wrote to that number within the last 24 hours."""
        return time.time() - self.last_inbound.get((number_id, user), 0) < SERVICE_WINDOW

    def callback_url(self, number: Number, *, overridable: bool = True) -> str | None:
        """Returns where callbacks of a number go: its override, the account's override, the app's address."""
        if number.waba_id in self.unsubscribed:
            return None
        if overridable:
            return number.override_url or self.overrides.get(number.waba_id) or number.webhook_url
        return number.webhook_url
