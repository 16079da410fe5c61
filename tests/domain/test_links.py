"""Links as bytes: short, and the same when they are read again; whatever else is read is refused."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.links import Link, LinkError, Purpose, packed, unpacked
from domain.recipients import Channel

NOW = datetime(2026, 11, 22, tzinfo=UTC)
RECIPIENT = Link(tenant_id=UUID(int=1), subject_kind="recipient", subject=str(UUID(int=2)))

LINKS = st.builds(
    Link,
    tenant_id=st.uuids(),
    subject_kind=st.sampled_from(["phone", "email", "whatsapp_user"]),
    subject=st.text(min_size=1, max_size=60),
    channel=st.none() | st.sampled_from(Channel),
    topic=st.none() | st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
    purpose=st.sampled_from(Purpose),
    until=st.none() | st.integers(1, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)


@given(LINKS)
def test_a_link_is_read_as_it_was_written(link: Link) -> None:
    assert unpacked(packed(link)) == link


def test_a_recipients_link_is_short() -> None:
    assert unpacked(packed(RECIPIENT)) == RECIPIENT
    assert len(packed(RECIPIENT)) < 50


@given(st.binary(max_size=80))
def test_whatever_else_is_read_is_refused_or_a_link(content: bytes) -> None:
    try:
        found = unpacked(content)
    except LinkError:
        return
    assert isinstance(found, Link)


def test_a_link_of_another_version_is_refused() -> None:
    with pytest.raises(LinkError):
        unpacked(b"\x02" + packed(RECIPIENT)[1:])


@pytest.mark.parametrize(("seconds", "over"), [(1, False), (0, True), (-1, True)])
def test_a_link_ends_at_its_instant(seconds: int, *, over: bool) -> None:
    link = Link(tenant_id=UUID(int=1), subject_kind="email", subject="a@b.c", until=NOW + timedelta(seconds=seconds))
    assert link.is_over(NOW) is over
    assert not RECIPIENT.is_over(NOW)
