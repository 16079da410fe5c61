"""What a planted bug is, the one list of them, and how one is planted and taken out again."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.report import Kind

API, WORKER = "api", "worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that a bug changes in the database, and how that is mended, if it must be, once the rows are gone."""

    make: str
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A mistake that a real engineer might make.

    Attributes:
        processes: Where it is made; the others run as they are.
        expected: What a campaign or a scenario that brings it to light finds, one of them at least.
    """

    name: str
    sentence: str
    processes: frozenset[str]
    expected: frozenset[Kind]
    change: Callable[[], None]
    database: tuple[Change, ...] = ()

    def plant(self) -> None:
        """Puts it into this process, where it stays until `take_out`."""
        try:
            self.change()
        except BaseException:
            take_out()
            raise


BUGS: dict[str, Bug] = {}
_undoing: list[Callable[[], None]] = []


def bug(
    *processes: str, finds: set[Kind], database: tuple[Change, ...] = ()
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Returns the decorator that lists a function as a bug, by its name, its docstring and what it does."""

    def register(change: Callable[[], None]) -> Callable[[], None]:
        name = change.__name__.replace("_", "-")
        sentence = (change.__doc__ or "").strip()
        BUGS[name] = Bug(
            name=name,
            sentence=sentence,
            processes=frozenset(processes),
            expected=frozenset(finds),
            change=change,
            database=database,
        )
        return change

    return register


def swap(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
    """Replaces an attribute of a module or class by what `made` makes of it.

    Raises:
        AttributeError: The product has no such thing any more; the bug has to be planted elsewhere.
    """
    former = getattr(owner, name)
    _undoing.append(lambda: setattr(owner, name, former))
    setattr(owner, name, made(former))


def add(settings: MutableMapping[str, str], name: str, value: str) -> None:
    """Adds an entry to settings that others hold already."""
    _undoing.append(lambda: settings.__delitem__(name))
    settings[name] = value


def take_out() -> None:
    """Restores everything that was changed in this process."""
    while _undoing:
        _undoing.pop()()


def without(statement: str, *parts: tuple[str, str]) -> str:
    """Returns an SQL statement with parts replaced, each of which must be there.

    Raises:
        LookupError: The statement was written anew; the bug has to be planted elsewhere.
    """
    for old, new in parts:
        if old not in statement:
            raise LookupError(f"there is no {old!r} in {statement[:80]!r} …")
        statement = statement.replace(old, new)
    return statement


def dropped_key(table: str, columns: str) -> Change:
    """Returns the loss of a table's unique key over some columns."""
    found = f"conrelid = '{table}'::regclass AND pg_get_constraintdef(oid) = 'UNIQUE ({columns})'"
    make = f"""
        DO $$ DECLARE name text; BEGIN
            SELECT conname INTO name FROM pg_constraint WHERE {found};
            IF name IS NOT NULL THEN EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', name); END IF;
        END $$
    """  # noqa: S608 - names of our own
    return Change(make=make, mend=f"ALTER TABLE {table} ADD UNIQUE ({columns})")
