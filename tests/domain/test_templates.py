"""Templates: versions, parts, names, differences."""

from typing import Any

import pytest

from domain.recipients import Channel
from domain.template_diff import ChangeKind, diff
from domain.templates import Part, TemplateVersion, VersionState, check_version, choose_part, name_fault, publish
from domain.variables import Variable, VariableType


def part(channel: Channel, locale: str, **content: Any) -> Part:
    return Part(channel=channel, locale=locale, content=content)


def version(*parts: Part, number: int = 1, **fields: Any) -> TemplateVersion:
    return TemplateVersion(name="order.shipped", number=number, parts=parts, **fields)


PARTS = (
    part(Channel.SMS, "default", body="d"),
    part(Channel.SMS, "hi", body="h"),
    part(Channel.EMAIL, "hi-IN", subject="e"),
)


@pytest.mark.parametrize(
    ("channel", "chain", "expected"),
    [
        pytest.param(Channel.SMS, ("hi-IN", "hi", "default"), "hi", id="the closest that exists"),
        pytest.param(Channel.SMS, ("fr", "default"), "default", id="default when nothing is closer"),
        pytest.param(Channel.EMAIL, ("hi-IN", "hi", "default"), "hi-IN", id="exact"),
        pytest.param(Channel.EMAIL, ("fr", "default"), None, id="no default part"),
        pytest.param(Channel.WHATSAPP, ("hi-IN", "hi", "default"), None, id="no part of the channel"),
    ],
)
def test_the_part_is_chosen_by_channel_then_locale(
    channel: Channel, chain: tuple[str, ...], expected: str | None
) -> None:
    chosen = choose_part(PARTS, channel, chain)
    assert (chosen.locale if chosen else None) == expected


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("order.shipped", True),
        ("a", True),
        ("run-1_started.v2", True),
        ("a" * 128, True),
        ("", False),
        ("a" * 129, False),
        ("Order", False),
        ("a..b", False),
        (".a", False),
        ("a-", False),
        ("a b", False),
        ("a\n", False),
    ],
)
def test_a_name_follows_the_rule(name: str, *, allowed: bool) -> None:
    assert (name_fault(name) is None) is allowed


def test_a_version_tells_all_its_faults_at_once() -> None:
    wrong = TemplateVersion(
        name="Bad",
        number=1,
        parts=(part(Channel.SMS, "hi-IN"), part(Channel.SMS, "hi_in"), part(Channel.SMS, "??")),
        variables=(Variable(name="1"),),
    )
    pointers = [fault.pointer for fault in check_version(wrong)]
    assert pointers == ["/name", "/parts/1", "/parts/2/locale", "/variables/0/name"]
    assert [fault.pointer for fault in check_version(version())] == ["/parts"]
    assert check_version(version(*PARTS)) == ()


def test_publishing_replaces_the_published_version_and_an_old_one_can_come_back() -> None:
    drafts = [version(number=number) for number in (1, 2, 3)]
    second = publish(publish(drafts, 1), 2)
    assert [item.state for item in second] == [VersionState.SUPERSEDED, VersionState.PUBLISHED, VersionState.DRAFT]
    back = publish(second, 1)
    assert [item.state for item in back] == [VersionState.PUBLISHED, VersionState.SUPERSEDED, VersionState.DRAFT]
    with pytest.raises(LookupError, match="no version 9"):
        publish(drafts, 9)


def test_a_difference_names_part_and_field_and_shows_long_texts_line_by_line() -> None:
    old = version(
        part(Channel.EMAIL, "en", subject="Hi", text="one\ntwo\nthree", headers={"X/a": "1"}),
        part(Channel.SMS, "en", body="same"),
        part(Channel.SMS, "fr", body="bye"),
        variables=(Variable(name="a"), Variable(name="b", default="x")),
    )
    new = version(
        part(Channel.EMAIL, "en", subject="Hello", text="one\n2\nthree", headers={"X/a": "2"}, preheader="p"),
        part(Channel.SMS, "en", body="same"),
        part(Channel.SMS, "hi", body="new"),
        variables=(Variable(name="a", type=VariableType.INTEGER), Variable(name="b")),
        number=2,
    )
    changes = {(change.part, change.pointer): change for change in diff(old, new)}
    assert {key: change.kind for key, change in changes.items()} == {
        ("variables", "/a/type"): ChangeKind.CHANGED,
        ("variables", "/b/default"): ChangeKind.REMOVED,
        ("email/en", "/subject"): ChangeKind.CHANGED,
        ("email/en", "/text"): ChangeKind.CHANGED,
        ("email/en", "/headers/X~1a"): ChangeKind.CHANGED,
        ("email/en", "/preheader"): ChangeKind.ADDED,
        ("sms/fr", ""): ChangeKind.REMOVED,
        ("sms/hi", ""): ChangeKind.ADDED,
    }
    assert changes["email/en", "/text"].lines == ("@@ -1,3 +1,3 @@", " one", "-two", "+2", " three")
    assert changes["email/en", "/subject"].lines == ()


def test_lists_are_compared_item_by_item_and_true_is_not_one() -> None:
    old = version(part(Channel.WHATSAPP, "en", body=["a", "b"], preview_url=True))
    new = version(part(Channel.WHATSAPP, "en", body=["a", "c", "d"], preview_url=1), number=2)
    found = [(change.pointer, change.before, change.after) for change in diff(old, new)]
    assert found == [("/body/1", "b", "c"), ("/body/2", None, "d"), ("/preview_url", True, 1)]
    assert diff(old, old) == ()
