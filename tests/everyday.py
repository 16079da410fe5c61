"""What the everyday run leaves out: areas that seldom change and take their time, and most of every big table."""

from collections import Counter
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_AREAS = (
    "chaos/", "sandbox/", "stack/test_postgres.py", "api/test_generated_requests.py", "api/test_tenant_matrix.py",
    "providers/test_against_sandbox.py", "acceptance/",
    # Whole ways over real servers, and workflows that seldom change.
    "test_parked.py", "test_restored_", "test_pages.py", "test_worker.py", "test_housekeeping.py", "test_series.py",
    "test_series_races.py",
    "test_schedules.py", "test_schedule_care.py", "test_schedule_guide.py", "stack/test_schedule.py",
    "test_consent_in_pages.py", "web/test_double_opt_in.py",
    "test_page_lines.py", "test_crashpoints.py", "test_testing",
    "workflows/test_outage.py", "workflows/test_operation.py", "workflows/test_housekeeping.py",
    "workflows/test_trouble.py", "workflows/test_page.py", "workflows/test_long_lives.py",
    # Processes, and commands that start them.
    "stack/test_child.py", "stack/test_cli.py", "stack/test_dev.py", "stack/test_parked.py", "stack/test_reconcile.py",
    "stack/test_supervisor.py", "stack/test_temporal.py", "providers/test_transport_mail.py", "web/test_sign_in.py",
    "db/test_migrations.py", "channels/test_liquid_properties.py", "channels/test_liquid_hostile.py",
    "domain/test_every_zone.py", "api/test_hostile_requests.py", "api/test_bulk.py", "activities/test_slow_provider.py",
)  # fmt: skip
_TESTS = (
    # They wait for a time-out of the product, or do something hundreds of times.
    "api/test_probes.py::test_without_the_database_it_asks_to_come_back",
    "api/test_notifications.py::test_a_request_that_waits_too_long_for_its_twin_is_told_to_come_back",
    "api/test_notifications.py::test_fifty_at_once_under_one_key_are_one_notification",
    "api/test_cancelling.py::test_a_cancellation_that_waits_too_long_is_told_to_come_back",
    "api/test_events.py::test_many_events_at_once_are_each_heard_once",
    "api/test_event_starts.py::test_a_thousand_events_of_one_instant_are_one_digest",
    "api/test_series.py::test_a_hundred_starts_of_one_key_at_once_begin_one_series",
    "api/test_series.py::test_starts_and_stops_of_one_key_in_any_order_leave_nothing_running",
    "db/test_limits.py::test_two_hundred_at_once_get_distinct_slots_at_the_rate",
    "db/test_outbox.py::test_critical_starts_overtake_a_flood_of_bulk",
    "activities/test_housekeeping.py::test_a_row_that_was_tried_for_long_is_told_of_and_tried_at_once",
    "db/test_outbox.py::test_a_flood_delays_another_tenant_s_single_row_by_one_lease_at_most",
    "db/test_session.py::test_plans_are_forgotten_while_the_tables_may_outgrow_them",
    "domain/test_buckets.py::test_a_row_stays_short_however_many_wait_for_something_else",
    "domain/test_buckets.py::test_a_bucket_that_is_nearly_full_for_long_keeps_its_rate",
    "domain/test_buckets.py::test_an_emptied_bucket_goes_on_at_its_rate",
    "domain/test_buckets.py::test_a_settled_bucket_forgets_the_slots_that_are_over",
    "web/test_safety.py::test_the_console_is_no_part_of_the_document_of_the_api",
    "channels/test_shapes.py::test_another_process_computes_the_same_fingerprint",
    "providers/test_smtp_reports.py::test_deeply_nested_mail_is_kept_as_unknown",
)
_FILES = (
    "stack/test_flow_store.py",
    "stack/test_series.py",
    "workflows/test_notification.py",
    "workflows/test_series.py",
)
"""Commands beside a server of their own, and workflows that wait in real time: a few stand for all of them."""
_STAND_FOR_ALL = (
    "stack/test_flow_store.py::test_pushing_and_publishing_at_once",
    "stack/test_flow_store.py::test_a_step_that_is_not_there_any_more_is_named_and_nothing_changed",
    "stack/test_series.py::test_a_series_is_started_with_what_it_is_given",
    "stack/test_series.py::test_a_series_is_shown_with_what_it_did_and_what_is_to_come",
    "stack/test_series.py::test_what_cannot_be_is_one_sentence",
    "workflows/test_notification.py::test_one_accepted_attempt_ends_a_notification",
    "workflows/test_notification.py::test_a_failure_receipt_falls_back_at_once",
)
_TABLES = ("activities/", "api/", "db/", "providers/", "stack/", "web/", "workflows/")
"""Where a case costs a database, a server or a command."""
_FEW = 4
"""So many cases of a table are all looked at every day; of a longer one, every eighth."""
_EVERY = 8


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Does not even read what the everyday run leaves out."""
    if config.option.markexpr != "not slow" or not collection_path.is_relative_to(_HERE):
        return None
    name = _name(collection_path)
    return True if (f"{name}/" if collection_path.is_dir() else name).startswith(_AREAS) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is slow."""
    cases = Counter(_function(item) for item in items)
    seen = Counter[str]()
    for item in items:
        function = _function(item)
        is_left_out = cases[function] > _FEW and seen[function] % _EVERY > 0 and function.startswith(_TABLES)
        seen[function] += 1
        is_stood_for = function.startswith(_FILES) and function not in _STAND_FOR_ALL
        if is_left_out or is_stood_for or function.startswith((*_AREAS, *_TESTS)):
            item.add_marker(pytest.mark.slow)


def _name(path: Path) -> str:
    return path.relative_to(_HERE).as_posix()


def _function(item: pytest.Item) -> str:
    """Returns the file and the function of a test, without the case."""
    place = _name(item.path) if item.path.is_relative_to(_HERE) else item.path.name
    return f"{place}::{getattr(item, 'originalname', item.name)}"
