"""Several projects in one repository: a push trains those of which it changed something, and says so of the others."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from shared.errors import Unavailable
from shared.release import line, notices
from shared.release.config import read_projects
from tests.world import FILES, World, commit

PROJECT = """
[projects.{name}]
repository = "https://git.example.org/acme/houses.git"
secrets = ["HOUSES_PUSH"]
approvers = ["ana@example.org"]
{more}
"""
NAMES = ("prices", "rents", "sales")
SHARED = {"libs/rows.py": "1", "docs/rents.md": "1", "README.md": "1"}


def projects(**more: str) -> dict[str, Any]:
    text = "".join(PROJECT.format(name=name, more=more.get(name, f'path = "models/{name}"')) for name in NAMES)
    return dict(read_projects(text).projects)


def files(**changed: str) -> dict[str, str]:
    """Return the files of three projects, and of what they share; `rents="2"` is another train.py of rents."""
    of_all = {f"models/{name}/{file}": text for name in NAMES for file, text in FILES.items()}
    trained = {f"models/{name}/train.py": text for name, text in changed.items() if name in NAMES}
    others = {file: text for file, text in changed.items() if file not in NAMES}
    return of_all | SHARED | trained | others


def push(world: World, letter: str, changed: Mapping[str, str] | None = None) -> dict[str, str]:
    """Push and run; return the release of each project."""
    opened = world.tell_all(world.commit(letter, files(**(changed or {}))))
    world.run()
    return {world.state(release).release.project: release for release in opened}


def why(world: World, release: str) -> str:
    ended = world.state(release).ended
    return ended.reason if ended else f"waits for {line.waiting_for(world.state(release))}"


def ends(world: World, opened: Mapping[str, str]) -> dict[str, str]:
    return {name: world.ended(release) for name, release in opened.items()}


def test_the_first_push_of_a_repository_is_trained_by_each_of_its_projects() -> None:
    world = World(projects=projects())
    opened = push(world, "a")
    assert list(opened) == list(NAMES)
    assert {line.standing(world.state(release)) for release in opened.values()} == {"ask"}


def test_of_three_projects_two_changed_and_the_third_ends_as_unchanged() -> None:
    world = World(projects=projects())
    push(world, "a")
    opened = push(world, "b", {"prices": "2", "sales": "2"})
    assert ends(world, opened) == {"prices": "open", "rents": "unchanged", "sales": "open"}
    assert why(world, opened["rents"]) == "nothing under models/rents changed since aaaaaaa (release #1)"
    assert not [name for name in world.jobs if name.startswith(opened["rents"])]
    assert world.state_of_project("rents").closed[opened["rents"]] == "unchanged"


def test_what_is_compared_with_is_the_newest_that_was_trained_not_the_newest_that_came_in() -> None:
    world = World(projects=projects())
    push(world, "a")
    push(world, "b", {"prices": "2"})
    opened = push(world, "c", {"prices": "2"})
    assert why(world, opened["prices"]) == "nothing under models/prices changed since bbbbbbb (release #2)"
    assert why(world, opened["rents"]) == "nothing under models/rents changed since aaaaaaa (release #1)"


def test_a_change_that_is_taken_back_is_one_more_change() -> None:
    world = World(projects=projects())
    push(world, "a")
    push(world, "b", {"rents": "2"})
    assert ends(world, push(world, "c")) == {"prices": "unchanged", "rents": "open", "sales": "unchanged"}


@pytest.mark.parametrize(("file", "ended"), [("libs/rows.py", "open"), ("docs/rents.md", "unchanged")])
def test_globs_name_what_a_project_shares_with_others(file: str, ended: str) -> None:
    world = World(projects=projects(rents='path = "models/rents"\nwatch = ["libs/**", "docs/*", "!docs/*.md"]'))
    push(world, "a")
    opened = push(world, "b", {file: "2"})
    assert ends(world, opened) == {"prices": "unchanged", "rents": ended, "sales": "unchanged"}


def test_globs_without_a_path_stand_alone() -> None:
    world = World(projects=projects(rents='watch = ["models/rents", "libs/"]'))
    for letter in "ab":
        opened = push(world, letter, {"README.md": letter})
    assert why(world, opened["rents"]) == "nothing matching models/rents, libs/ changed since aaaaaaa (release #1)"


@pytest.mark.parametrize("path", ["", "."])
def test_a_push_that_changes_nothing_of_a_project_that_is_its_whole_repository_is_trained_as_ever(path: str) -> None:
    world = World()
    world.projects["houses"] = msgspec.structs.replace(world.projects["houses"], path=path)
    world.push("a")
    world.run()
    assert world.ended(world.push("b")) == "open"
    world.run()
    assert not [release for release in world.state_of_project().closed.values() if release == "unchanged"]


def test_a_change_whose_release_was_cancelled_is_not_lost() -> None:
    world = World(projects=projects())
    push(world, "a")
    world.running.add("train")
    opened = push(world, "b", {"rents": "2"})
    world.take_in(notices.CancelAsked(opened["rents"], "dee@example.org", "a newer one comes"))
    # Whether its close was worked on or not.
    world.orders.clear()
    opened = push(world, "c", {"rents": "2"})
    assert ends(world, opened) == {"prices": "unchanged", "rents": "open", "sales": "unchanged"}


def test_a_commit_that_was_stale_is_compared_with_nothing() -> None:
    world = World(projects=projects())
    push(world, "a")
    stale = world.tell_all(commit("b"))
    world.run()
    assert {world.ended(release) for release in stale} == {"stale"}
    opened = push(world, "c", {"rents": "2"})
    assert ends(world, opened) == {"prices": "unchanged", "rents": "open", "sales": "unchanged"}


@pytest.mark.parametrize("first", ["b", "c"])
def test_of_two_quick_pushes_the_change_of_the_first_is_trained_by_one_of_them(first: str) -> None:
    world = World(projects=projects(rents='path = "models/rents"\nwatch = ["libs/**"]'))
    push(world, "a")
    world.commit("b", files(rents="2"))
    world.commit("c", files(rents="2"))
    opened = [world.tell_all(commit(letter))[1] for letter in ("b", "c")]
    # The order of the second may be worked on before that of the first.
    world.orders.sort(key=lambda order: order.release != opened["bc".index(first)])
    world.run()
    assert [world.ended(release) for release in opened] == ["stale", "open"]


def test_of_two_pushes_told_in_the_wrong_order_the_newer_commit_is_trained() -> None:
    world = World(projects=projects())
    push(world, "a")
    world.commit("b", files(rents="2"))
    world.commit("c", files(rents="2"))
    opened = [world.tell_all(commit(letter))[1] for letter in ("c", "b")]
    world.running.add("check")
    world.run()
    assert [world.ended(release) for release in opened] == ["open", "stale"]


def test_a_push_while_the_one_before_is_being_checked_is_compared_with_it() -> None:
    world = World(projects=projects())
    push(world, "a")
    world.running.add("check")
    push(world, "b", {"rents": "2"})
    opened = push(world, "c", {"rents": "2"})
    assert why(world, opened["rents"]) == "nothing under models/rents changed since bbbbbbb (release #2)"


def test_a_push_that_is_told_again_after_new_data_came_is_trained_with_them() -> None:
    world = World(projects=projects(rents='path = "models/rents"\ndata = { container = "houses" }'))
    push(world, "a")
    world.data()
    world.run()
    again = world.tell_all(commit("a"))[1]
    world.run()
    assert line.standing(world.state(again)) == "ask"


def test_a_commit_that_was_forced_away_is_compared_with_nothing() -> None:
    world = World(projects=projects())
    push(world, "a")
    world.branch.remove(commit("a"))
    opened = push(world, "b")
    assert set(ends(world, opened).values()) == {"open"}


def test_what_failed_is_not_tried_again_by_a_push_for_others_and_says_so() -> None:
    world = World(projects=projects())
    world.failing["train"] = "KeyError: 'rooms'"
    push(world, "a")
    opened = push(world, "b", {"prices": "2"})
    assert ends(world, opened) == {"prices": "failed", "rents": "unchanged", "sales": "unchanged"}
    ended = world.state(opened["rents"]).ended
    assert ended is not None
    assert ended.advice == "Release #1 ended as failed: once its cause is mended, run that again"


def test_what_failed_is_run_again_although_a_push_for_others_came_since() -> None:
    world = World(projects=projects(), failing={"train": "the disk was full"})
    failed = push(world, "a")["rents"]
    unchanged = push(world, "b", {"prices": "2"})["rents"]
    world.failing.clear()
    for release in (failed, unchanged):
        answer = world.take_in(notices.RerunAsked(release, "bo@example.org", "there is room again", ""))
        world.run()
        again = world.state(answer.body["releases"][0]["release"])
        assert again.release.commit == world.state(release).release.commit
        assert line.standing(again) == "ask"


def test_what_is_run_again_is_stale_once_a_push_changed_it() -> None:
    world = World(projects=projects(), failing={"train": "the disk was full"})
    failed = push(world, "a")["rents"]
    push(world, "b", {"rents": "2"})
    answer = world.take_in(notices.RerunAsked(failed, "bo@example.org", "there is room again", ""))
    world.run()
    assert world.ended(answer.body["releases"][0]["release"]) == "stale"


def test_another_entry_of_the_operator_is_another_reason_to_train() -> None:
    world = World(projects=projects())
    push(world, "a")
    world.projects |= projects(rents='path = "models/rents"\nquorum = 1\npolicy.min_gain = 0.5')
    assert ends(world, push(world, "b")) == {"prices": "unchanged", "rents": "open", "sales": "unchanged"}


def test_a_person_who_asks_for_a_release_gets_one_of_what_is_unchanged() -> None:
    world = World(projects=projects())
    world.decide(push(world, "a")["rents"])
    world.run()
    first = world.projects["rents"]
    world.projects["rents"] = msgspec.structs.replace(first, self_approval=True)
    push(world, "b")
    world.projects["rents"] = first
    answer = world.take_in(notices.OpenAsked("rents", "ana@example.org", "audit", "june"))
    world.run()
    (opened,) = answer.body["releases"]
    assert world.state(opened["release"]).release.commit == commit("b")
    assert line.standing(world.state(opened["release"])) == "ask"


def test_an_unchanged_commit_is_not_the_one_that_new_data_trains_while_none_has_passed() -> None:
    world = World(projects=projects())
    world.failing["check"] = "no data"
    push(world, "a")
    push(world, "b")
    assert world.state_of_project("rents").commit == commit("a")


def test_a_refused_credential_is_said_in_the_release_once_and_heals_by_itself() -> None:
    world = World(projects=projects())
    world.refusing["repository"] = "the git host answers 401. Put one that may read it into SECRET_ACME"
    release = world.tell_all(world.commit("a", files()))[0]
    for _ in range(3):
        world.run_unless_away()
        world.patrol()
    waits = "an operator: the git host answers 401. Put one that may read it into SECRET_ACME"
    assert line.waiting_for(world.state(release)) == waits
    assert world.ledger_bytes(f"release/{release}").count(b'"Blocked"') == 1
    world.refusing.clear()
    world.patrol()
    world.run()
    assert line.standing(world.state(release)) == "ask"


def test_what_blocks_a_step_now_is_what_is_said() -> None:
    world = World()
    release = world.push("a")
    for said in ("it is private", "the token is wrong"):
        world.refusing["repository"] = said
        with pytest.raises(Unavailable, match=said):
            world.run()
        world.patrol()
    assert line.waiting_for(world.state(release)) == "an operator: the token is wrong"


def test_what_was_opened_later_is_not_what_a_push_is_compared_with() -> None:
    world = World(projects=projects(), failing={"train": "the disk was full"})
    failed = push(world, "a")["rents"]
    world.failing.clear()
    waiting = world.tell_all(world.commit("b", files()))[1]
    world.take_in(notices.RerunAsked(failed, "ana@example.org", "there is room again", ""))
    world.orders.reverse()
    world.run()
    assert why(world, waiting) == "nothing under models/rents changed since aaaaaaa (release #1)"


def test_a_push_for_others_costs_the_same_however_many_came_before() -> None:
    world = World(projects=projects())
    cost = []
    for letter in "abcdefgh":
        before = world.passed
        push(world, letter, {"README.md": letter})
        cost.append(world.passed - before)
    assert cost[2] == cost[-1]
