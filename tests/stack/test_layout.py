"""Ports and environments of the parts, and the cheap look at the schema."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from migrations.apply import newest
from settings import Settings
from stack import layout as layouts
from stack.home import Home, open_home
from stack.layout import Layout, environment, lay_out, sandbox_environment
from stack.probes import plain
from stack.schema import _VERSIONS, last_revision
from stack.secret_file import load_or_make


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in list(os.environ):
        if name.startswith(("CARILLON_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    return open_home(tmp_path)


@pytest.fixture
def laid_out() -> Layout:
    return Layout(api=1, sandbox=2, smtp=3, temporal=4, temporal_ui=5, service=8, workers=(6, 7))


def test_a_port_in_use_moves_the_part_and_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken: int = other.getsockname()[1]
        monkeypatch.setenv("CARILLON_API_PORT", str(taken))
        found = lay_out(home, workers=2)
        assert found.moved["api"] == (taken, found.api)
    assert len({found.api, found.sandbox, found.smtp, found.temporal, found.temporal_ui, *found.workers}) == 7


def test_a_moved_part_stays_where_it_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("CARILLON_API_PORT", str(other.getsockname()[1]))
        moved = lay_out(home, workers=1)
    assert replace(lay_out(home, workers=1), moved={}) == replace(moved, moved={})


def test_the_environment_is_what_the_settings_read(
    home: Home, laid_out: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = load_or_make(home)
    for name, value in environment(home, laid_out, secrets, database="postgresql://d", temporal="t:1").items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.database_url.get_secret_value() == "postgresql://d"
    assert (settings.temporal_address, settings.api_port, settings.home) == ("t:1", 1, home.path)
    assert settings.key_ring.get_secret_value() == secrets.key_ring
    assert settings.operator_key.get_secret_value() == secrets.operator_key
    assert settings.public_url == "http://127.0.0.1:1"
    assert settings.allowed_provider_hosts == {"127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:8"}


def test_what_the_person_has_set_wins(home: Home, laid_out: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {
        "CARILLON_OPERATOR_KEY": "theirs",
        "CARILLON_PUBLIC_URL": "https://notify.example",
        "CARILLON_LOG_FORMAT": "json",
    }
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CARILLON_PROVIDER_HOSTS", "proxy.example")
    told = environment(home, laid_out, load_or_make(home), database="d", temporal="t")
    assert {name: told[name] for name in chosen} == chosen
    assert told["CARILLON_PROVIDER_HOSTS"].startswith("proxy.example,127.0.0.1:2")
    assert layouts.operator_key(load_or_make(home)) == "theirs"


def test_the_sandbox_knows_no_secret(home: Home, laid_out: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_DATABASE_URL", "postgresql://hidden")
    told = sandbox_environment(home, laid_out)
    ours = {name: value for name, value in told.items() if name.startswith(("CARILLON_", "TEMPORAL_"))}
    assert ours == {
        "CARILLON_SANDBOX_PORT": "2",
        "CARILLON_SANDBOX_SMTP_PORT": "3",
        "CARILLON_SANDBOX_JOURNAL": str(home.journal),
    }


def test_the_cheap_look_finds_the_same_revision_as_the_migrations() -> None:
    assert last_revision(_VERSIONS) == newest()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, None, id="no migrations"),
        pytest.param({"a": 'revision = "1"\ndown_revision = None\n'}, "1", id="the first"),
        pytest.param(
            {"a": 'revision = "1"\ndown_revision = None\n', "b": 'revision: str = "2"\ndown_revision: str = "1"\n'},
            "2",
            id="the last of two, annotated",
        ),
        pytest.param({"a": 'revision = "1"\n', "b": 'revision = "2"\n'}, None, id="two heads are a doubt"),
        pytest.param({"a": 'revision = "1"\n', "b": "nothing = 1\n"}, None, id="an unreadable file is a doubt"),
    ],
)
def test_a_doubt_about_the_last_revision_is_none(tmp_path: Path, files: dict[str, str], expected: str | None) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    assert last_revision(tmp_path) == expected


def test_the_name_of_a_driver_is_left_out_of_an_address() -> None:
    assert plain("postgresql+asyncpg://u@h/d") == "postgresql://u@h/d"
    assert plain("postgresql://u@h/d") == "postgresql://u@h/d"
