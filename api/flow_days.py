"""The word for a day of a calendar."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from domain.holidays import read

MOST_DAYS = 2000


def _day(text: str) -> str:
    read([text])
    return text


Day = Annotated[str, StringConstraints(pattern=r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]
