"""Every identity and key that must be the same twice: built from ids and ISO dates, never from text people wrote."""

import hashlib
import json
from typing import Any
from uuid import UUID


def stop_reply(provider: str, event_key: str) -> str:
    """Returns the idempotency key of the answer to a STOP: one for each inbound message."""
    return f"stop-reply/{provider}/{event_key}"


def notification_workflow(notification_id: str) -> str:
    """Returns the workflow id of a notification."""
    return f"notification/{notification_id}"


def page_workflow(page_id: str) -> str:
    """Returns the workflow id of a page of first attempts."""
    return f"page/{page_id}"


def outage_workflow(circuit_id: str, episode: int) -> str:
    """Returns the workflow id that owns one opening of a circuit."""
    return f"{outages_of(circuit_id)}{episode}"


def outages_of(circuit_id: str) -> str:
    """Returns how the workflow ids of all openings of a circuit begin."""
    return f"outage/{circuit_id}/"


def operation_workflow(operation_id: str) -> str:
    """Returns the workflow id of an operation over parked notifications."""
    return f"operation/{operation_id}"


def account_subject(account_id: UUID | str) -> str:
    """Returns what the circuit of an account is about."""
    return f"account/{account_id}"


def template_subject(account_id: UUID | str, template_version_id: UUID | str, locale: str) -> str:
    """Returns what the circuit of a template's part at one account is about."""
    return f"template/{account_id}/{template_version_id}/{locale}"


def start_of(workflow_id: str) -> str:
    """Returns the outbox key of a workflow's start: a workflow starts once."""
    return f"start/{workflow_id}"


def signal_of(workflow_id: str, cause: str) -> str:
    """Returns the outbox key of a signal: one cause wakes a workflow once."""
    return f"signal/{workflow_id}/{cause}"


def request_hash(body: Any) -> bytes:
    """Returns the SHA-256 of a request body in canonical JSON: the order of its keys does not matter."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode()).digest()


def body_hash(body: bytes) -> bytes:
    """Returns the SHA-256 of a callback's raw bytes, which recognises its repetitions."""
    return hashlib.sha256(body).digest()


def settlement_sequence(hop: int, part: int, number: int) -> int:
    """Returns the sequence number of the decision by which a person settles an attempt: once for each.

    A workflow numbers its decisions upwards from 1. What is decided beside it has numbers below zero, so that neither
    can ever take the other's: duplicates from -1 to -999, settlements below.
    """
    return -1_000 * (hop * 2 + part + 1) - number


def duplicate_sequence(hop: int, part: int) -> int:
    """Returns the sequence number of the decision that a message was accepted twice: once for each message."""
    return -1 - hop * 2 - part


def series_workflow(series_id: str) -> str:
    """Returns the workflow id of a series."""
    return f"series/{series_id}"


def series_send(series_id: str, step: str, number: int) -> str:
    """Returns the idempotency key of a series' message: `number` is its place in the series' timeline."""
    return f"series/{series_id}/{step}/{number}"


def schedule_clock(tenant_id: str, schedule_id: str) -> str:
    """Returns the id of the Temporal Schedule that keeps the time of a schedule."""
    return f"schedule/{tenant_id}/{schedule_id}"


def schedule_run_workflow(name: str) -> str:
    """Returns the workflow id of a run: of the schedule's id, to which its clock adds the time, or of the run's."""
    return f"schedule_run/{name}"


def schedule_word(schedule_id: str, cause: str) -> str:
    """Returns the outbox key of a word to bring the clock of a schedule up to its row: one for each cause."""
    return f"schedule/{schedule_id}/{cause}"
