"""The API as commands use it: the right instance, the right key, and refusals as one sentence."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from stack.api_client import ApiClient, Target, find_target
from stack.home import Home, open_home
from stack.problems import StackError
from stack.state import own_state, write_state

TARGET = Target(url="http://127.0.0.1:8080", key="car_secret", key_from="CARILLON_KEY")
Answerer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A data directory in which an instance runs, with its demo tenant."""
    made = open_home(tmp_path / "home")
    write_state(made, replace(own_state(), ready=True, urls={"API": "http://127.0.0.1:8099"}))
    (made.path / "demo.json").write_text(json.dumps({"key": "car_demo"}))
    return made


def client(answer: Answerer, target: Target = TARGET) -> ApiClient:
    return ApiClient(target, transport=httpx.MockTransport(answer))


def refusing(status: int, problem: Any, **headers: str) -> Answerer:
    return lambda _: httpx.Response(status, json=problem, headers=headers)


def test_the_running_instance_is_asked_as_its_demo_tenant(home: Home) -> None:
    found = find_target({}, home)
    assert (found.url, found.key) == ("http://127.0.0.1:8099", "car_demo")
    assert "car_demo" not in repr(found)


def test_a_key_of_the_environment_goes_before_the_demo_s(home: Home) -> None:
    found = find_target({"CARILLON_KEY": "car_mine"}, home)
    assert (found.url, found.key) == ("http://127.0.0.1:8099", "car_mine")


def test_another_instance_is_asked_at_its_address(home: Home) -> None:
    found = find_target({"CARILLON_URL": "https://carillon.example/", "CARILLON_KEY": "car_mine"}, home)
    assert (found.url, found.key) == ("https://carillon.example", "car_mine")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param({"CARILLON_URL": "https://carillon.example"}, "CARILLON_KEY", id="the demo's key stays at home"),
        pytest.param({"CARILLON_URL": "carillon", "CARILLON_KEY": "k"}, "no address", id="an address without scheme"),
    ],
)
def test_a_target_that_cannot_be_is_one_sentence(home: Home, environment: dict[str, str], said: str) -> None:
    with pytest.raises(StackError, match=said):
        find_target(environment, home)


def test_nothing_that_runs_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="carillon up"):
        find_target({}, open_home(tmp_path / "home"))


def test_a_lost_demo_key_is_said_with_what_to_do(home: Home) -> None:
    (home.path / "demo.json").unlink()
    with pytest.raises(StackError, match="CARILLON_KEY"):
        find_target({}, home)


def test_the_key_and_the_members_that_are_given_travel() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"ok": True})

    with client(answer) as api:
        assert api.post("/v1/x", {"a": 1, "b": None}) == {"ok": True}
        api.get("/v1/y", cause="no_account", account=None)
    assert seen[0].headers["Authorization"] == "Bearer car_secret"
    assert json.loads(seen[0].content) == {"a": 1}
    assert str(seen[1].url) == "http://127.0.0.1:8080/v1/y?cause=no_account"


@pytest.mark.parametrize(
    ("most", "asked", "rows"), [(None, [200, 200, 200], 5), (3, [3, 1], 3), (2, [2], 2), (0, [], 0)]
)
def test_a_list_is_read_page_by_page(most: int | None, asked: list[int], rows: int) -> None:
    limits: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        first = int(request.url.params.get("cursor", 0))
        limits.append(int(request.url.params["limit"]))
        data = [{"n": n} for n in range(5)][first : first + min(2, limits[-1])]
        following = first + len(data)
        return httpx.Response(200, json={"data": data, "next_cursor": str(following) if following < 5 else None})

    with client(answer) as api:
        assert [row["n"] for row in api.rows("/v1/x", most=most)] == list(range(rows))
    assert limits == asked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(refusing(404, {"detail": "There is no such thing."}), "^There is no such thing.$", id="missing"),
        pytest.param(
            refusing(401, {"detail": "It is not valid."}), "not valid. The key is from CARILLON_KEY", id="key"
        ),
        pytest.param(
            refusing(422, {"detail": "Two.", "errors": [{"pointer": "/a", "detail": "A."}, {"detail": "B."}]}),
            "Two.\n  /a: A.\n  -: B.",
            id="several faults",
        ),
        pytest.param(
            refusing(503, {"detail": "Away."}, **{"Retry-After": "2"}), "Away. Repeat it in 2 seconds.", id="later"
        ),
        pytest.param(lambda _: httpx.Response(502, text="<html>"), "answered 502", id="a gateway's page"),
        pytest.param(lambda _: httpx.Response(200, text="<html>"), "is not Carillon's API", id="somebody else"),
    ],
)
def test_a_refusal_is_the_sentence_of_its_problem(answer: Answerer, said: str) -> None:
    with client(answer) as api, pytest.raises(StackError, match=said):
        api.get("/v1/x")


def test_an_api_that_does_not_answer_is_one_sentence() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with client(answer) as api, pytest.raises(StackError, match=r"does not answer \(connection refused\)"):
        api.get("/v1/x")
