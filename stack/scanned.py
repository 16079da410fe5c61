"""Which files were looked through before and found clean, by what stands in them; to look again would say the same."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

_MOST_KEPT = 20_000


class Scanned:
    """Remembers clean files beyond one checkout, below the name of the rules that they were looked through by."""

    def __init__(self, directory: Path, rules: bytes) -> None:
        self._kept = directory / hashlib.sha256(rules).hexdigest()
        known = self._kept.read_text("ascii").split() if self._kept.is_file() else []
        self._clean = dict.fromkeys(known)

    def unseen(self, root: Path, names: Iterable[str]) -> dict[str, str]:
        """Returns the files that were not found clean yet as they stand now, each with what names its content."""
        named = {name: _print(root, name) for name in names}
        return {name: content for name, content in named.items() if content not in self._clean}

    def keep(self, contents: Iterable[str]) -> None:
        """Takes files as clean; the oldest are forgotten when there are many."""
        kept = [*self._clean, *contents][-_MOST_KEPT:]
        self._kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._kept.with_suffix(f".{os.getpid()}")
        new.write_text("\n".join(kept), encoding="ascii")
        new.replace(self._kept)


def _print(root: Path, name: str) -> str:
    return hashlib.sha256(name.encode() + b"\0" + (root / name).read_bytes()).hexdigest()
