"""Reads JSON into the shape of a part and collects everything that is wrong with it, with pointers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, overload

from channels.errors import TemplateError
from domain.faults import Fault, escape_pointer

LONGEST_TEXT = 256 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Reader:
    """Reads the fields of one JSON object.

    Args:
        content: What should be an object.
        pointer: Where it stands.
        faults: Where faults are collected; shared with the readers of inner objects.
    """

    def __init__(self, content: object, pointer: str = "", faults: list[Fault] | None = None) -> None:
        self._pointer = pointer
        self.faults: list[Fault] = [] if faults is None else faults
        self._seen: set[str] = set()
        self._content: Mapping[Any, Any] = content if isinstance(content, Mapping) else {}
        self._broken = False
        if not isinstance(content, Mapping):
            self.fault("", "this must be an object")
            self._broken = True  # one fault is enough, whatever is asked of it

    def fault(self, name: str, message: str) -> None:
        """Notes that something is wrong with a field, or with the object itself when `name` is empty."""
        if self._broken:
            return
        step = f"/{escape_pointer(name)}" if name else ""
        self.faults.append(Fault(pointer=self._pointer + step, message=message))

    def has(self, name: str) -> bool:
        """Tells whether the field is there and not null."""
        return self._content.get(name) is not None

    @overload
    def text(self, name: str, *, required: Literal[True]) -> str: ...
    @overload
    def text(self, name: str) -> str | None: ...
    def text(self, name: str, *, required: bool = False) -> str | None:
        """Returns a text; a blank one counts as absent (and is empty after a fault)."""
        value = self._take(name)
        if value is None and required:
            self.fault(name, "this is required")
        if value is None:
            return "" if required else None
        return self._checked(name, value, required=required) or ("" if required else None)

    def flag(self, name: str) -> bool:
        """Returns a boolean, false when it is absent."""
        value = self._take(name)
        if value is not None and not isinstance(value, bool):
            self.fault(name, "this must be true or false")
        return value is True

    def whole_number(self, name: str, *, least: int, most: int) -> int:
        """Returns a required whole number."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fault(name, f"this must be a whole number from {least} to {most}")
            return least
        return value

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Returns one of the allowed texts."""
        value = self._take(name)
        if value not in allowed:
            self.fault(name, f"this must be one of {', '.join(allowed)}")
            return allowed[0]
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns a list of texts."""
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self.fault(name, "this must be a list of texts")
            return ()
        return tuple(
            self._checked(f"{name}/{index}", item, required=True, path=True) for index, item in enumerate(value)
        )

    def named_texts(self, name: str) -> dict[str, str]:
        """Returns an object whose values are texts."""
        value = self._take(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.fault(name, "this must be an object of texts")
            return {}
        inner = Reader(value, f"{self._pointer}/{escape_pointer(name)}", self.faults)
        return {str(key): inner.text(str(key), required=True) for key in value}

    def is_object(self, name: str) -> bool:
        """Tells whether the field holds an object."""
        return isinstance(self._content.get(name), Mapping)

    def inner(self, name: str) -> "Reader | None":
        """Returns a reader of the object in a field, or None when it is absent."""
        value = self._take(name)
        return None if value is None else Reader(value, f"{self._pointer}/{escape_pointer(name)}", self.faults)

    def each(self, name: str, *, most: int) -> Iterator["Reader"]:
        """Yields a reader for each object of a list."""
        value = self._take(name)
        if value is None:
            return
        if not isinstance(value, list | tuple) or len(value) > most:
            self.fault(name, f"this must be a list of at most {most} objects")
            return
        for index, item in enumerate(value):
            yield Reader(item, f"{self._pointer}/{escape_pointer(name)}/{index}", self.faults)

    def close(self) -> None:
        """Notes fields that nobody asked for."""
        for name in self._content:
            if name not in self._seen:
                self.fault(str(name), "there is no such field here")

    def end(self) -> None:
        """Closes the outermost object.

        Raises:
            TemplateError: Anything was wrong.
        """
        self.close()
        if self.faults:
            raise TemplateError(self.faults)

    def _take(self, name: str) -> Any:
        self._seen.add(name)
        return self._content.get(name)

    def _checked(self, name: str, value: object, *, required: bool, path: bool = False) -> str:
        problem = _text_problem(value, required=required)
        if problem:
            place = name if path else escape_pointer(name)
            self.faults.append(Fault(pointer=f"{self._pointer}/{place}", message=problem))
            return ""
        return str(value)


def _text_problem(value: object, *, required: bool) -> str | None:
    if not isinstance(value, str):
        return "this must be a text"
    if required and not value.strip():
        return "this must not be blank"
    if len(value) > LONGEST_TEXT:
        return f"this is longer than {LONGEST_TEXT // 1024} KiB"
    return "this holds a control character or broken Unicode" if _CONTROL.search(value) else None
