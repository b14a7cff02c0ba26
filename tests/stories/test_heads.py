"""What was pushed and not told, and told and not pushed: lost webhooks heal, replays and forks start nothing."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.errors import Unavailable
from shared.release import facts, notices
from shared.release.config import Governor
from tests.stories.test_line import better, live_release
from tests.world import World, commit


class Counting:
    """The repository of a world, which counts how often a branch was asked for, and may hold more than one."""

    def __init__(self, world: World, away: str = "") -> None:
        self.asked: list[str] = []
        self._repository = world.control.outside.repository
        self._away = away
        world.git = self  # type: ignore[assignment]
        world.restart()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repository, name)

    async def tip(self, url: str, branch: str) -> str | None:
        """Count, and answer as the repository does."""
        self.asked.append(f"{url.rpartition('/')[2]} {branch}")
        if self._away and self._away in url:
            raise Unavailable(f"{url} is away")
        return await self._repository.tip(url, branch)


def numbered(world: World, project: str = "houses") -> list[str]:
    told = world.facts(f"project/{project}")
    return [f"#{fact.number} {fact.commit[:1]}" for fact in told if isinstance(fact, facts.ReleaseNumbered)]


def test_a_lost_webhook_costs_minutes() -> None:
    world = World()
    world.data()
    live_release(world)
    world.patrol()
    world.commit("b")
    world.wait(minutes=1)
    world.patrol()
    assert numbered(world) == ["#1 a"]
    world.wait(minutes=2)
    world.patrol()
    assert numbered(world) == ["#1 a", "#2 b"]


def test_a_branch_is_asked_once_for_all_its_projects_and_only_every_few_minutes() -> None:
    world = World()
    houses = world.projects["houses"]
    world.projects["rents"] = replace(houses, path="rents")
    world.projects["next"] = replace(houses, branch="next")
    git = Counting(world)
    for _ in range(6):
        world.patrol()
        world.wait(minutes=1)
    assert sorted(git.asked) == ["houses.git main", "houses.git main", "houses.git next", "houses.git next"]


def test_many_branches_have_their_turn_one_after_the_other_and_none_is_left_out() -> None:
    world = World()
    houses = world.projects["houses"]
    for at in range(29):
        world.projects[f"p{at}"] = replace(houses, repository=f"https://git.example.org/acme/p{at}.git")
    git = Counting(world)
    world.patrol()
    first = list(git.asked)
    world.wait(minutes=1)
    world.patrol()
    assert (len(first), len(git.asked), len(set(git.asked))) == (20, 30, 30)
    world.wait(minutes=2)
    world.patrol()
    assert git.asked[30:] == first


def test_a_host_that_is_away_is_asked_no_oftener_and_keeps_no_other_branch_from_its_look() -> None:
    world = World()
    world.projects = {
        "rents": replace(world.projects["houses"], repository="https://git.example.org/away.git"),
        **world.projects,
    }
    world.data()
    world.commit("a")
    git = Counting(world, away="away")
    world.patrol()
    world.wait(minutes=1)
    world.patrol()
    assert (numbered(world), git.asked) == (["#1 a"], ["away.git main", "houses.git main"])


def test_a_head_whose_release_ended_starts_nothing_also_when_there_are_newer_data() -> None:
    world = World(failing={"train": "no"})
    world.data()
    world.push("a")
    world.run()
    world.data("in/february.csv", "2")
    world.run()
    for _ in range(3):
        world.wait(minutes=5)
        world.patrol()
        world.run()
    told = world.facts("project/houses")
    assert [fact for fact in told if isinstance(fact, facts.CameIn) and fact.source == "patrol"] == []


def test_an_old_push_that_is_told_again_starts_nothing() -> None:
    world = World()
    first = live_release(world)
    better(world)
    second = live_release(world, "b")
    made = set(world.jobs)
    assert (world.tell_push(commit("a")), world.tell_push(commit("b"))) == (first, second)
    world.run()
    world.patrol()
    world.run()
    assert (world.live(), numbered(world), set(world.jobs)) == (second, ["#1 a", "#2 b"], made)


def test_a_push_that_is_told_again_is_no_way_to_have_new_data_trained_before_the_governor_lets_them() -> None:
    world = World()
    world.projects["houses"] = replace(world.projects["houses"], governor=Governor(cooldown_minutes=600))
    world.data()
    first = live_release(world)
    world.data("in/february.csv", "2")
    world.run()
    world.data("in/march.csv", "3")
    known, made = numbered(world), set(world.jobs)
    assert world.tell_push(commit("a")) == first
    world.run()
    assert (numbered(world), set(world.jobs)) == (known, made)


def test_an_older_commit_that_was_never_taken_in_is_stale_and_nothing_of_it_runs() -> None:
    world = World()
    skipped = world.commit("a")
    second = live_release(world, "b")
    made = set(world.jobs)
    replayed = world.tell_push(skipped)
    world.run()
    assert (world.ended(replayed), world.live(), set(world.jobs)) == ("stale", second, made)


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example.org/eve/houses",
        "https://git.example.org.evil.example/acme/houses",
        "https://evil.example/git.example.org/acme/houses",
        "https://git.example.org@evil.example/acme/houses",
        "https://git.example.org:8443/acme/houses",
        "https://git.example.org/acme/houses/../../eve/houses",
        "https://git.example.org/acme/hous\u0435s",
        "https://git.example.org/ACME/houses",
        "git@evil.example:acme/houses.git",
        "file:///acme/houses.git",
        "eve/houses",
        "houses",
        "acme/houses/x",
        "--upload-pack=touch x",
        "",
    ],
)
def test_a_fork_and_a_forged_address_start_nothing_and_are_never_asked(address: str) -> None:
    world = World()
    git = Counting(world)
    pushed = notices.Pushed("github", (address,), "refs/heads/main", "0" * 40, world.commit("a"), "eve", "", "d")
    answer = world.take_in(pushed)
    assert (answer.body["releases"], world.orders, git.asked) == ([], [], [])
    assert "no project that this sender may speak for has the repository" in answer.body["recorded"][0]


@pytest.mark.parametrize(
    "ref", ["refs/heads/m\u0430in", "refs/heads/Main", "refs/heads/main/x", "refs/heads/main.", "main"]
)
def test_a_branch_that_only_looks_like_ours_starts_nothing(ref: str) -> None:
    world = World()
    assert world.tell_push(world.commit("a"), ref=ref) == ""
    assert numbered(world) == []
