"""Reads the settings for an entry point, and says in one sentence what is wrong with them."""

from pydantic import ValidationError

from settings import Settings
from stack.problems import StackError


def settings() -> Settings:
    """Returns the settings of this process.

    Raises:
        StackError: a variable has a value that cannot be; it is named, its value is not.
    """
    try:
        return Settings()
    except ValidationError as problem:
        first = problem.errors(include_input=False)[0]
        field = str(first["loc"][0])
        variable = f"CARILLON_{field.upper()}" if field in Settings.model_fields else field
        raise StackError(f"The setting {variable} is wrong ({first['msg']}); see .env.example.") from None
