"""What a page starts with and ends with: ids and numbers, nothing personal."""

from dataclasses import fields

from domain.pages import SMALLEST_PAGE, PageInput, PageOutcome


def test_a_page_is_told_ids_only() -> None:
    assert [field.name for field in fields(PageInput)] == ["tenant_id", "page_id", "notification_ids"]
    assert PageInput(tenant_id="t", page_id="p", notification_ids=("a",)).notification_ids == ("a",)


def test_a_page_tells_numbers_and_what_is_still_to_be_recorded() -> None:
    assert PageOutcome(closed=3, handed_over=1).unrecorded == ()


def test_few_are_not_worth_a_page() -> None:
    assert SMALLEST_PAGE > 1
