"""The small disk is full when it is filled, and where none can be had, that is said."""

import errno
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from tests.chaos import table
from tests.chaos.campaign import Plan, judged
from tests.chaos.disk import small_disk
from tests.chaos.evidence import Evidence


def test_a_small_disk_is_full_when_it_is_filled_and_has_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        assert disk.small == (disk.why_not == "")
        assert disk.fill() is disk.small
        if disk.small:
            with pytest.raises(OSError, match=r".") as problem:
                (disk.path / "more").write_bytes(b"\0" * 1_000_000)
            assert problem.value.errno == errno.ENOSPC
        disk.free()
        (disk.path / "more").write_bytes(b"\0" * 1_000_000)
    assert not (tmp_path / "disk").is_mount()


def test_who_may_not_mount_is_told_so_and_works_on_a_plain_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, returncode=32, stdout="", stderr="permission denied")

    monkeypatch.setattr(subprocess, "run", refuse)
    with small_disk(tmp_path / "disk") as disk:
        assert (disk.small, disk.path.is_dir(), disk.path.is_mount()) == (False, True, False)
        assert disk.why_not
        assert disk.fill() is False


def test_a_fault_that_could_not_be_had_stands_below_the_table() -> None:
    report = judged(Plan(seed=1), Evidence(), happened={}, not_run={"disk-full": "it needs root"}, doubts=[])
    with Console(width=200, record=True) as console:
        table.show([report], console)
    assert "not run: disk-full (it needs root)" in console.export_text()
