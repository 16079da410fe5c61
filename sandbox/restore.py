"""Takes up at a start what a former run left: threads, mails, windows, and callbacks that nobody has taken yet."""

from collections import defaultdict
from datetime import datetime

from sandbox.journal import Entry
from sandbox.mailbox import Mailbox
from sandbox.whatsapp import Platform, message_from

_SETTLED = {"taken", "given_up"}


def restore(platform: Platform, mailbox: Mailbox) -> None:
    """Reads the journal once, then lets every unsettled status and inbound message be posted again."""
    open_sends: dict[str, Entry] = {}
    open_inbound: dict[str, Entry] = {}
    done: dict[str, set[str]] = defaultdict(set)
    for entry in platform.journal.entries():
        match entry["provider"], entry["kind"]:
            case "meta", "accepted":
                platform.world.remember(message_from(entry))
                open_sends[entry["id"]] = entry
            case "meta", "inbound":
                platform.world.remember(message_from(entry))
                platform.world.last_inbound[entry["to"], entry["from"]] = datetime.fromisoformat(
                    entry["at"]
                ).timestamp()
                open_inbound[entry["id"]] = entry
            case "meta", "mark_read":
                if message := platform.world.messages.get(entry["id"]):
                    message.marked_read = True
            case "meta", "callback":
                _settle(entry, open_inbound, done)
            case "smtp", "accepted" | "bounce":
                mailbox.index(entry)
            case _:
                pass  # refusals and the like change nothing
    for entry in open_sends.values():
        platform.receipts.take_up(entry, done[entry["id"]])
    for entry in open_inbound.values():
        platform.callbacks.spawn(platform.report_inbound(entry))


def _settle(entry: Entry, inbound: dict[str, Entry], done: dict[str, set[str]]) -> None:
    if entry.get("outcome") not in _SETTLED:
        return
    if entry.get("update") == "inbound":
        inbound.pop(entry["id"], None)
    elif entry.get("update") == "status":
        done[entry["id"]].add(entry["status"])
