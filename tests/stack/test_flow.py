"""`carillon flow`: files are checked and played without any server."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner, Result

from cli import app
from stack.problems import StackError

DUNNING = """
name: dunning
steps:
  - wait: { until: due_at, offset: -7d, at: 09:00 }
    past: skip
  - send: invoice_soon
  - wait_for: reply
    timeout: 5d
    then: [{ send: thanks }]
    on_timeout: [{ send: overdue }]
stop_when: event:invoice.paid
"""
START = ("--zone", "Asia/Kolkata", "--start", "2026-06-01T10:00+05:30", "--anchor", "due_at=2026-06-20T12:00Z")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dunning.yaml"
    path.write_text(DUNNING, "utf-8")
    return path


def run(*arguments: str, said: str = "") -> Result:
    return CliRunner().invoke(app, ["flow", *arguments], input=said)


def test_a_good_file_passes(file: Path) -> None:
    told = run("check", str(file))
    assert (told.exit_code, told.stdout) == (0, f"{file}: nothing is wrong\n")


def test_what_is_wrong_is_told_as_editors_read_it(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(DUNNING.replace("5d", "5 days"), "utf-8")
    told = run("check", str(file), str(other))
    assert told.exit_code == 1
    assert told.stdout.splitlines()[1].startswith(f"{other}:8:5: /steps/2/timeout: '5 days' is no length of time")
    shown = json.loads(run("check", "--json", str(other)).stdout)
    assert [(item["line"], item["pointer"]) for item in shown[str(other)]] == [(8, "/steps/2/timeout")]


def test_a_plan_tells_when_and_why_in_the_recipient_s_time(file: Path) -> None:
    told = run("plan", str(file), *START, "--hear", "reply@13d")
    assert told.stdout.splitlines() == [
        "2026-06-01T10:00:00+05:30  wait     wait_1 until 2026-06-13T09:00:00+05:30",
        "2026-06-13T09:00:00+05:30  do       send_1 send invoice_soon",
        "2026-06-13T09:00:00+05:30  wait     wait_for_1 until 2026-06-18T09:00:00+05:30",
        "2026-06-14T10:00:00+05:30  heard    kind reply",
        "2026-06-14T10:00:00+05:30  heard    wait_for_1 heard reply",
        "2026-06-14T10:00:00+05:30  do       send_2 send thanks",
        "2026-06-14T10:00:00+05:30  done     reason completed",
    ]


def test_a_plan_is_there_for_scripts_too(file: Path) -> None:
    told = run("plan", str(file), *START, "--hear", "event:invoice.paid@2d", "--json")
    last = json.loads(told.stdout.splitlines()[-1])
    assert (last["at"], last["kind"]) == ("2026-06-03T10:00:00+05:30", "done")
    assert last["detail"] == {"reason": "stopped_by", "detail": "invoice.paid"}


def test_a_plan_without_a_date_that_it_needs_says_so(file: Path) -> None:
    told = run("plan", str(file), "--start", "2026-06-01T10:00Z")
    assert "stuck    wait_1 reason anchor_missing" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--start", "tomorrow"], "'tomorrow' is no instant"),
        (["--start", "2026-06-01T10:00"], "lacks its offset"),
        (["--zone", "Nowhere"], "'Nowhere' is no time zone"),
        (["--start", "9999-12-31T23:59Z"], "after 2199"),
        (["--hear", "repyl@1d"], "nothing to hear"),
        (["--hear", "reply@soon"], "'soon' is no length of time"),
        (["--data", "[1]"], "--data is no JSON object"),
        (["--data", "{"], "--data is no JSON:"),
    ],
)
def test_what_is_not_understood_is_one_sentence(file: Path, arguments: list[str], message: str) -> None:
    told = run("plan", str(file), *arguments)
    assert isinstance(told.exception, StackError)
    assert message in str(told.exception)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    told = run("check", str(tmp_path / "none.yaml"))
    assert isinstance(told.exception, StackError)
    assert "cannot be read" in str(told.exception)


def test_a_flow_may_come_from_standard_input() -> None:
    assert run("check", "-", said=DUNNING).stdout == "-: nothing is wrong\n"


def test_the_schema_describes_what_is_read() -> None:
    schema = json.loads(run("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load(DUNNING.replace("09:00", '"09:00"'))
    assert judge.is_valid(good)
    assert not judge.is_valid({**good, "steps": [{"sendd": "x"}]})


HOLIDAYS = """
name: welcome
quiet_hours: { from: "21:00", to: "08:00", holidays: india }
steps:
  - confirm: ask
    topic: news
    timeout: 2d
    then: [{ send: welcome }]
  - wait: { next: "07:00", holidays: india }
  - send: hello
"""


def test_a_plan_knows_holidays_and_what_was_chosen(file: Path) -> None:
    file.write_text(HOLIDAYS, "utf-8")
    begin = ("--zone", "Asia/Kolkata", "--start", "2026-11-07T18:00+05:30", "--calendar", "india=2026-11-08,11-09")
    told = run("plan", str(file), *begin, "--consent", "news=granted")
    assert [line[11:16] + line[25:] for line in told.stdout.splitlines()] == [
        "18:00  consent  confirm_1 topic news, state granted",
        "18:00  do       send_1 send welcome",
        "18:00  wait     wait_1 until 2026-11-10T07:00:00+05:30",
        "07:00  wait     send_2 until 2026-11-10T08:00:00+05:30",
        "08:00  do       send_2 send hello",
        "08:00  done     reason completed",
    ]
    heard = run("plan", str(file), *begin, "--hear", "event:consent.confirmed@1h").stdout
    assert "send ask, confirms news" in heard
    assert "T19:00:00+05:30  consent  confirm_1 topic news, state granted" in heard


@pytest.mark.parametrize(
    ("option", "why"),
    [(("--calendar", "india=soon"), "'soon' is no day"), (("--consent", "news=maybe"), "news=maybe is no choice")],
)
def test_what_cannot_be_read_of_holidays_and_choices_is_told(file: Path, option: tuple[str, str], why: str) -> None:
    refused = run("plan", str(file), *START, *option)
    assert isinstance(refused.exception, StackError)
    assert why in str(refused.exception)
