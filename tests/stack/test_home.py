"""The data directory: private, complete, one instance at a time."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stack.home import Home, cache_directory, default_home, open_home, write_private
from stack.problems import StackError
from stack.secret_file import load_or_make
from stack.state import InstanceState, PartState, own_state, read_state, sole_instance, write_state


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_data_directory_is_private_even_when_it_was_not(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    home = open_home(tmp_path / "home")
    assert [_mode(path) for path in (home.path, home.logs, home.temporal)] == [0o700] * 3


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({"CARILLON_HOME": "/named"}, "/named", id="named by its own variable"),
        pytest.param({"XDG_DATA_HOME": "/data"}, "/data/carillon", id="below the XDG data directory"),
        pytest.param({"XDG_DATA_HOME": "relative"}, "/person/.local/share/carillon", id="a relative one is ignored"),
        pytest.param({}, "/person/.local/share/carillon", id="below the home directory"),
    ],
)
def test_the_data_directory_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("CARILLON_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/person", **variables}.items():
        monkeypatch.setenv(name, value)
    assert default_home() == Path(expected)


def test_the_cache_is_outside_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_directory() == Path("/cache/carillon")


def test_a_data_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="CARILLON_HOME"):
        open_home(tmp_path / "file" / "home")


def test_secrets_are_made_once_and_kept_private(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    first = load_or_make(home)
    assert load_or_make(home) == first
    assert _mode(home.secrets) == 0o600
    assert first.operator_key.startswith("cop_")
    assert first.operator_key not in repr(first)


def test_damaged_secrets_are_never_replaced(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    home.secrets.write_text("{", encoding="utf-8")
    with pytest.raises(StackError, match="restore it from a backup"):
        load_or_make(home)
    assert home.secrets.read_text(encoding="utf-8") == "{"


def test_a_private_file_replaces_a_public_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old", encoding="utf-8")
    write_private(file, "new")
    assert (file.read_text(encoding="utf-8"), _mode(file)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    part = PartState(name="api", address="127.0.0.1:1", state="ready", pid=7, known_as="7@x")
    state = InstanceState(pid=1, known_as="1@x", started_at=2.0, urls={"API": "u"}, parts=[part])
    write_state(home, state)
    assert read_state(home) == state
    assert state.part("api") == part


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}', '{"parts": [{"unknown": 1}]}'])
def test_an_unreadable_state_is_no_state(tmp_path: Path, text: str) -> None:
    home = Home(path=tmp_path)
    home.state.write_text(text, encoding="utf-8")
    assert read_state(home) is None


def test_an_instance_runs_only_while_its_very_process_does() -> None:
    assert own_state().is_running()
    assert not InstanceState(pid=own_state().pid, known_as="another start", started_at=0.0).is_running()


def test_only_one_process_holds_a_data_directory(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    code = "import sys; from pathlib import Path; from stack.home import Home; from stack.state import sole_instance\n"
    code += "with sole_instance(Home(path=Path(sys.argv[1]))) as sole: print(sole)"
    ask = [sys.executable, "-c", code, str(tmp_path)]
    with sole_instance(home) as sole:
        during = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    after = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    assert (sole, during, after) == (True, "False", "True")
