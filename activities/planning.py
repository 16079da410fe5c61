"""Turns what was asked for into a plan: pure, so that every rule is a line in a table of tests."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from channels.addresses import country_of
from db.resolution import AccountRow, AddressRow, Wanted
from domain import locales
from domain.circuits import account_subject, template_subject
from domain.consent import may_send
from domain.failover import Candidate, order
from domain.notifications import Alternate, Hop, Plan, SkippedHop
from domain.reasons import Reason
from domain.recipients import CARRIES, Address, Channel
from domain.status import Status
from domain.templates import Part, choose_part

SERVICE_WINDOW = timedelta(hours=24)
"""How long WhatsApp allows free-form messages after the person last wrote."""

_STATUS_REASONS = {"suppressed": Reason.ADDRESS_SUPPRESSED, "invalid": Reason.ADDRESS_INVALID}


def make_plan(
    wanted: Wanted,
    accounts: Sequence[AccountRow],
    quarantines: Mapping[str, float],
    now: datetime,
    held: Collection[str] = (),
) -> Plan:
    """Returns the hops that can be tried, in the order asked for, and why the others cannot.

    `quarantines` holds, by provider, the seconds within which a receipt normally settles an uncertain attempt; `held`
    holds the subjects whose circuits let nothing through.
    """
    hops: list[Hop] = []
    skipped: list[SkippedHop] = []
    parts = [Part(channel=Channel(p["channel"]), locale=p["locale"], content=p["content"]) for p in wanted.parts]
    for channel in wanted.channels or tuple(dict.fromkeys(part.channel for part in parts)):
        found = _hop(wanted, channel, parts, accounts, len(hops), now, held)
        if isinstance(found, Reason):
            skipped.append(SkippedHop(channel=channel, reason=found))
        else:
            hops.append(_with_policy(found, wanted.fallback.get(channel.value, {}), quarantines))
    return Plan(hops=tuple(hops), skipped=tuple(skipped), on_unknown=wanted.on_unknown)


def _hop(
    wanted: Wanted,
    channel: Channel,
    parts: Sequence[Part],
    accounts: Sequence[AccountRow],
    index: int,
    now: datetime,
    held: Collection[str],
) -> Hop | Reason:
    part = choose_part(parts, channel, locales.chain(wanted.locale))
    if part is None:
        return Reason.NO_TEMPLATE_PART
    address = _address(wanted, channel)
    if isinstance(address, Reason):
        return address
    usable = _usable(wanted, channel, accounts)
    if isinstance(usable, Reason):
        return usable
    # Only the number that somebody wrote to may answer freely: no other one takes over.
    is_free_form = _needs_window(channel, part.content)
    if is_free_form and not _in_window(address, now):
        return Reason.OUTSIDE_WINDOW
    account, *others = usable[:1] if is_free_form else _ordered(wanted, usable, part.locale, held)
    return Hop(
        index=index,
        channel=channel,
        provider=account.provider,
        account_id=str(account.id),
        address_id=str(address.id) if address.id else None,
        locale=part.locale,
        reader_locale=wanted.locale,
        quarantine=account.quarantine if account.quarantine is not None else -1.0,
        alternates=tuple(Alternate(provider=other.provider, account_id=str(other.id)) for other in others),
    )


def _address(wanted: Wanted, channel: Channel) -> AddressRow | Reason:
    usable = [row for kind in CARRIES[channel] for row in wanted.addresses if row.address.kind is kind]
    if not usable:
        return Reason.NO_ADDRESS
    active = [row for row in usable if row.status == "active"]
    if not active:
        return _STATUS_REASONS.get(usable[0].status, Reason.NO_ADDRESS)
    refused = [_refusal(wanted, channel, row.address) for row in active]
    return next((row for row, reason in zip(active, refused, strict=True) if reason is None), None) or _first(refused)


def _refusal(wanted: Wanted, channel: Channel, address: Address) -> Reason | None:
    """Returns why nothing may be sent to an address that stands well: its country, or what the person wants."""
    if not _is_allowed(wanted, channel, address):
        return Reason.COUNTRY_NOT_ALLOWED
    return may_send(wanted.topic, channel, wanted.choices_for(address), critical=wanted.critical)


def _first(refused: Sequence[Reason | None]) -> Reason:
    return next(reason for reason in refused if reason is not None)


def _is_allowed(wanted: Wanted, channel: Channel, address: Address) -> bool:
    """Tells whether a text message may go to the number's country; who named no countries allows none."""
    return channel is not Channel.SMS or country_of(address.value) in wanted.sms_countries


def _usable(wanted: Wanted, channel: Channel, accounts: Sequence[AccountRow]) -> Sequence[AccountRow] | Reason:
    carrying = [account for account in accounts if account.channel is channel]
    pinned = [account for account in carrying if account.id == wanted.sender]
    # Who asked for one sender gets that one or the reason why not, never another number. What is retired never returns.
    candidates = [account for account in pinned or carrying if account.state != "retired"]
    active = [account for account in candidates if account.state == "active"]
    return active or (Reason.ACCOUNT_SUSPENDED if candidates else Reason.NO_ACCOUNT)


def _ordered(
    wanted: Wanted, accounts: Sequence[AccountRow], locale: str, held: Collection[str]
) -> Sequence[AccountRow]:
    """Returns the accounts, the one that goes first before those that take over."""
    by_id = {str(account.id): account for account in accounts}
    candidates = [
        Candidate(
            account_id=name,
            is_held=account_subject(name) in held or template_subject(name, wanted.template_version_id, locale) in held,
            level=account.level,
            priority=account.priority,
            weight=account.weight,
        )
        for name, account in by_id.items()
    ]
    return [by_id[candidate.account_id] for candidate in order(candidates, key=str(wanted.id))]


def _needs_window(channel: Channel, content: Mapping[str, Any]) -> bool:
    return channel is Channel.WHATSAPP and content.get("kind") != "template"


def _in_window(address: AddressRow, now: datetime) -> bool:
    return address.last_inbound_at is not None and now - address.last_inbound_at < SERVICE_WINDOW


def _with_policy(hop: Hop, policy: Mapping[str, Any], quarantines: Mapping[str, float]) -> Hop:
    """Returns the hop with its success and times: who names a time without a success means `delivered`."""
    within = policy.get("within")
    success = policy.get("success") or ("delivered" if within is not None else "accepted")
    return replace(
        hop,
        success=Status(success),
        within=float(within) if within is not None else None,
        quarantine=hop.quarantine if hop.quarantine >= 0 else quarantines.get(hop.provider, 120.0),
        after_unknown=bool(policy.get("after_unknown", False)),
    )
