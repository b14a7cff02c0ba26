"""The stable addresses lead to what is live, and say so when nothing is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.local.files import write_json
from tools.local.router import Router

Start = Callable[..., Any]


@pytest.fixture(scope="module")
def grid(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return start("tools.local.grid", tmp_path_factory.mktemp("grid"))


def live(grid: Any, url: str, generation: int = 3, project: str = "diabetes") -> dict[str, Any]:
    route = {"slot": "ab12-production", "url": url, "generation": generation, "release": "ab12"}
    path = grid.state / "routes" / project / "production.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, route)
    return route


def test_a_request_reaches_the_live_slot_as_it_was_sent(grid: Any, subscriber: Any) -> None:
    live(grid, subscriber.url)
    answer = httpx.post(f"{grid.url}/live/diabetes/production/score%2Fx?a=1&b=%20", json={"data": [1]})
    assert answer.status_code == 202
    assert answer.json() == {"method": "POST", "path": "/score%2Fx?a=1&b=%20", "body": '{"data":[1]}'}
    assert answer.headers["x-upstream"] == "yes"
    assert answer.headers["x-signalbox-release"] == "ab12"
    assert answer.headers["x-signalbox-generation"] == "3"
    assert len(answer.headers.get_list("date")) == 1


def test_the_answer_of_the_slot_is_passed_on_whatever_it_is(grid: Any, subscriber: Any) -> None:
    live(grid, subscriber.url)
    subscriber.answers = [418, 302]
    assert httpx.get(f"{grid.url}/live/diabetes/production/").status_code == 418
    redirect = httpx.get(f"{grid.url}/live/diabetes/production/score")
    assert (redirect.status_code, redirect.headers["location"]) == (302, "/elsewhere")


def test_a_switch_is_followed_by_the_next_request(grid: Any, subscriber: Any) -> None:
    live(grid, subscriber.url, 4)
    first = httpx.get(f"{grid.url}/live/diabetes/production/score")
    live(grid, subscriber.url, 5)
    second = httpx.get(f"{grid.url}/live/diabetes/production/score")
    assert [one.headers["x-signalbox-generation"] for one in (first, second)] == ["4", "5"]


def test_what_is_live_is_told_without_asking_it(grid: Any, subscriber: Any) -> None:
    route = live(grid, subscriber.url)
    assert httpx.get(f"{grid.url}/live/diabetes/production").json() == route
    assert subscriber.requests == []


@pytest.mark.parametrize(
    "path", ["unknown/production", "unknown/production/score", ".hidden/production", "%2e%2e/keys"]
)
def test_where_nothing_is_live_a_person_is_told_what_to_do(grid: Any, path: str) -> None:
    answer = httpx.get(f"{grid.url}/live/{path}")
    assert answer.status_code == 503
    assert "Nothing is live" in answer.json()["error"]
    assert "Push a commit" in answer.json()["next"]


@pytest.mark.parametrize("names", [("..", "secret"), ("../routes/a", "b"), ("a", "../../secret"), ("", "b"), ("a", "")])
def test_a_name_never_leads_out_of_the_routes(tmp_path: Path, names: tuple[str, str]) -> None:
    (tmp_path / "routes/a").mkdir(parents=True)
    for place in ("secret.json", "routes/a/b.json", "routes/b.json", "routes/a/.json"):
        write_json(tmp_path / place, {"url": "http://127.0.0.1:1"})
    router = Router(tmp_path / "routes")
    assert router.route("a", "b") is not None
    assert router.route(*names) is None


def test_a_slot_that_is_gone_is_a_bad_gateway(grid: Any, subscriber: Any) -> None:
    live(grid, subscriber.url, project="gone")
    subscriber.close()
    answer = httpx.get(f"{grid.url}/live/gone/production/score")
    assert answer.status_code == 502
    assert "ab12-production" in answer.json()["error"]
    assert answer.headers["x-signalbox-generation"] == "3"
