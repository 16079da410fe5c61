"""Keys are the same for the same thing, and different for different things."""

from hypothesis import given
from hypothesis import strategies as st

from domain import keys

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)


def test_identities_read_as_paths() -> None:
    workflow = keys.notification_workflow("0190")
    assert workflow == "notification/0190"
    assert keys.page_workflow("0190") == "page/0190"
    assert keys.start_of(workflow) == "start/notification/0190"
    assert keys.signal_of(workflow, "wamid.1:read") == "signal/notification/0190/wamid.1:read"


@given(st.dictionaries(st.text(max_size=10), _JSON, max_size=6))
def test_the_order_of_a_body_s_keys_does_not_matter(body: dict[str, object]) -> None:
    turned = dict(reversed(list(body.items())))
    assert keys.request_hash(body) == keys.request_hash(turned)


def test_another_body_has_another_hash() -> None:
    assert keys.request_hash({"a": 1}) != keys.request_hash({"a": 2})
    assert keys.request_hash({"a": "é"}) != keys.request_hash({"a": "e"})


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_callbacks_are_told_apart_by_their_bytes(one: bytes, other: bytes) -> None:
    assert (keys.body_hash(one) == keys.body_hash(other)) is (one == other)


def test_what_is_decided_beside_a_workflow_has_numbers_of_its_own() -> None:
    places = [(hop, part) for hop in range(15) for part in (0, 1)]
    settled = [keys.settlement_sequence(hop, part, number) for hop, part in places for number in range(1, 1000)]
    duplicates = [keys.duplicate_sequence(hop, part) for hop, part in places]
    assert len({*settled, *duplicates}) == len(settled) + len(duplicates)
    assert max(*settled, *duplicates) < 0
    assert min(*settled, *duplicates) > -(2**15)


def test_a_series_and_its_messages_have_ids_of_their_own() -> None:
    assert keys.series_workflow("1") == "series/1"
    assert keys.series_send("1", "first", 3) == "series/1/first/3"


def test_clocks_and_runs_of_schedules_are_named_by_ids() -> None:
    assert keys.schedule_clock("t", "s") == "schedule/t/s"
    assert keys.schedule_run_workflow("s") == "schedule_run/s"
    assert keys.schedule_word("s", "version/2") == "schedule/s/version/2"


def test_each_inbound_message_has_one_answer() -> None:
    assert keys.stop_reply("meta", "wamid.1") == "stop-reply/meta/wamid.1"
