"""Others register model versions too: each is ignored, or judged and released, as the operator says."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from shared import pages, reports, words
from shared.errors import Conflict, NotAllowed, Unavailable
from shared.release import adopted, facts, line, notices
from tests.stories.test_crashes import decide_and_rest, survive, until_rest
from tests.world import FILES, RUNNER, Crash, World

BETTER = {"verdict": "better", "champion": 4.0, "gain": 0.5, "low": 0.1, "high": 0.9}
WORSE = {"verdict": "not better", "champion": 3.5, "gain": -0.4, "low": -0.9, "high": -0.1}


def adopting() -> World:
    """Return a world whose operator adopts what others register, and whose first release is live."""
    world = World()
    world.projects["houses"] = replace(world.projects["houses"], registered_elsewhere="adopt")
    world.data()
    go_live(world, world.push("a"))
    world.results["evaluate"].update(BETTER)
    return world


def go_live(world: World, release: str) -> str:
    world.run()
    world.decide(release)
    world.run()
    return release


def newest(world: World) -> str:
    return list(world.state_of_project().numbered)[-1]


def told(world: World) -> Sequence[tuple[str, str]]:
    """Return what became of each version that was told of, and why."""
    rows = [fact for fact in world.facts("project/houses") if isinstance(fact, facts.CameIn)]
    return [(row.became, row.reason) for row in rows if row.source == "ModelRegistered"]


def asked(world: World, release: str) -> dict[str, Any]:
    """Return what approvers are asked about a release."""
    state, evidence = RUNNER.run(world.control.reading.asked(release))
    return reports.question(state, evidence, world.now)


def test_a_version_that_a_colleague_registered_is_judged_approved_and_live() -> None:
    world = adopting()
    version = world.register_elsewhere()
    world.run()
    release = newest(world)
    known = world.state(release)
    assert known.release.line == ("evaluate", "certify", "package", "stage", "try", "ask", "promote")
    assert (known.release.cause, line.standing(known)) == ("adopted", "ask")
    world.decide(release)
    world.run()
    assert (world.ended(release), world.live()) == ("live", release)
    theirs = f"version:houses:{version.number}"
    judged = {name: spec for name, spec in world.specs.items() if "model" in spec.inputs and release in name}
    assert {spec.inputs["model"] for spec in judged.values()} == {theirs}
    assert {spec.step for spec in judged.values()} == {"evaluate", "certify"}
    assert not [name for name in world.jobs if name.startswith((f"{release}-check", f"{release}-train"))]
    packed = world.packed[f"houses:{release}"]
    assert (packed.model, packed.version, packed.provenance["model"]) == (theirs, version.number, version.digest)
    origin = [packed.provenance[name] for name in ("commit", "data", "content", "checked_by")]
    assert origin == ["a" * 40, "unknown", "unknown", next(iter(world.state_of_project().numbered))]
    assert told(world) == [("release", "release #2")]
    assert [each.release for each in world.versions] == [next(iter(world.state_of_project().numbered)), ""]


def test_an_adopted_version_is_scored_with_the_code_that_passed_check_last_on_the_data_of_now() -> None:
    world = adopting()
    go_live(world, world.push("b"))
    world.failing["check"] = "the tests fail"
    world.push("c")
    world.run()
    world.failing.clear()
    world.projects["houses"] = replace(world.projects["houses"], data=replace(world.projects["houses"].data, manifest="in/_SUCCESS"))  # type: ignore[type-var]  # fmt: skip  # noqa: E501
    world.data("in/february.csv")
    world.register_elsewhere()
    world.run()
    known, source = world.state(newest(world)), world.state(list(world.state_of_project().numbered)[1])
    assert known.release.commit == source.release.commit == "b" * 40
    assert known.code == source.code
    assert line.outcome(known, "check") == line.outcome(source, "check")
    assert known.carried == facts.CarriedOver(source.release.release, 2, source.release.data)
    assert [blob.name for blob in known.release.blobs] == ["in/february.csv", "in/january.csv"]
    evidence = asked(world, newest(world))
    assert (evidence["data"]["content"], evidence["data"]["rows"]) == ("unknown", None)


def test_who_ignores_such_versions_keeps_a_row_that_says_how_to_adopt_them() -> None:
    world = World()
    release = go_live(world, world.push("a"))
    before = world.ledger_bytes(f"release/{release}")
    world.register_elsewhere()
    world.run()
    (row,) = told(world)
    assert row[0] == "recorded"
    assert row[1].startswith("version 2 of houses was registered elsewhere and is ignored; ")
    assert 'registered_elsewhere = "adopt" in projects.toml' in row[1]
    assert list(world.state_of_project().numbered) == [release]
    assert world.ledger_bytes(f"release/{release}") == before


def test_the_same_event_twice_is_one_release_and_asks_the_registry_once() -> None:
    world = adopting()
    version = world.register_elsewhere()
    event = notices.ModelHeard("houses", str(version.number), "")
    world.run(twice=True)
    world.away.add("registry")
    world.take_in(event)
    world.away.clear()
    world.run()
    go_live(world, newest(world))
    world.take_in(event)
    world.run()
    assert len(world.state_of_project().numbered) == 2
    assert told(world) == [("release", "release #2"), *[("duplicate", "release #2")] * 3]


@pytest.mark.parametrize("rule", ["ignore", "adopt"])
def test_a_version_of_ours_whose_event_does_not_say_so_lets_its_release_go_on(rule: str) -> None:
    world = World()
    world.projects["houses"] = replace(world.projects["houses"], registered_elsewhere=rule)  # type: ignore[arg-type]
    world.data()
    release = world.push("a")
    while not world.versions:
        world.run_one()
    # Nothing else tells of it: the event says nothing of a release, and no patrol looks.
    world.events.clear()
    world.orders.clear()
    event = notices.ModelHeard("houses", "1", "")
    world.take_in(event)
    assert facts.Heard("ModelRegistered", "houses:1") in world.facts(f"release/{release}")
    world.run()
    go_live(world, release)
    before = world.ledger_bytes(f"release/{release}")
    world.take_in(event)
    world.run()
    assert (world.live(), list(world.state_of_project().numbered)) == (release, [release])
    assert (world.ledger_bytes(f"release/{release}"), told(world)) == (before, [])


UNSEEN = (
    "version 2 of houses was registered elsewhere, and the model registry does not know it; "
    "if it was not deleted, register it again"
)


def test_an_event_that_comes_before_the_version_can_be_seen_comes_again_and_is_judged() -> None:
    world = adopting()
    event = notices.ModelHeard("houses", "2", "")
    with pytest.raises(Unavailable) as raised:
        world.take_in(event)
    assert str(raised.value) == UNSEEN
    assert (told(world), len(world.state_of_project().numbered)) == ([], 1)
    world.register_elsewhere(tells=False)
    world.take_in(event)
    world.run()
    assert line.standing(world.state(newest(world))) == "ask"


def letter(*versions: int) -> bytes:
    """Return what Event Grid leaves of events of others that it gave up."""
    kind = "Microsoft.MachineLearningServices.ModelRegistered"
    event = {"id": "1", "eventType": kind, "subject": "models/houses", "eventTime": "2026-03-03T09:00:00Z"}
    data = [{"modelName": "houses", "modelVersion": str(each)} for each in versions]
    return json.dumps([event | {"data": each} for each in data]).encode()


def test_the_dead_letter_of_a_version_that_was_deleted_is_the_end_of_it() -> None:
    world = adopting()
    world.register_elsewhere(tells=False)
    world.letters.letters |= {"A/1.json": letter(9, 2), "B/2.json": letter(9)}
    world.patrol()
    world.run()
    assert not world.letters.letters
    release = newest(world)
    assert line.standing(world.state(release)) == "ask"
    assert world.specs[f"{release}-evaluate-1"].inputs["model"] == "version:houses:2"
    rows = [row for row in world.facts("inbox") if isinstance(row, facts.CameIn)]
    said = f"came back from its dead letter, and it is waited for no longer: {UNSEEN.replace('version 2', 'version 9')}"
    assert [(row.became, row.reason.endswith(said)) for row in rows] == [("refused", True)] * 2


def test_a_version_whose_turn_has_not_come_holds_up_no_other_letter() -> None:
    world = adopting()
    world.register_elsewhere(tells=False)
    world.running.add("check")
    push = world.push("b")
    world.run()
    world.letters.letters |= {"A/1.json": letter(2), "B/2.json": letter(9)}
    world.patrol()
    assert list(world.letters.letters) == ["A/1.json"]
    world.running.clear()
    world.end_jobs()
    world.run()
    world.patrol()
    world.run()
    assert not world.letters.letters
    assert [line.standing(world.state(each)) for each in (push, newest(world))] == ["ask", "ask"]


def test_a_newer_commit_that_is_in_check_comes_before_a_version_that_others_register() -> None:
    world = adopting()
    world.running.add("check")
    push = world.push("b")
    world.run()
    version = world.register_elsewhere(tells=False)
    event = notices.ModelHeard("houses", str(version.number), "")
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"^release #2 of commit bbbbbbb is in training; it comes first$"):
            world.take_in(event)
    assert (told(world), list(world.state_of_project().numbered)[1:]) == ([], [push])
    world.running.clear()
    world.end_jobs()
    world.run()
    world.take_in(event)
    world.run()
    theirs = newest(world)
    assert world.state(theirs).release.commit == "b" * 40
    go_live(world, push)
    world.patrol()
    go_live(world, theirs)
    assert [world.ended(each) for each in (push, theirs)] == ["live", "live"]


@pytest.mark.parametrize("ends", ["cancelled", "failed", "parked"])
def test_a_newer_commit_that_is_not_in_training_any_more_holds_up_no_version(ends: str) -> None:
    world = adopting()
    world.running.add("check")
    push = world.push("b")
    world.run()
    world.running.clear()
    if ends == "cancelled":
        world.take_in(notices.CancelAsked(push, "dee@example.org", "not this one"))
    elif ends == "failed":
        world.failing["check"] = "the tests fail"
        world.end_jobs()
    else:
        world.losing.add("check")
        world.jobs[f"{push}-check-1"] = replace(world.jobs[f"{push}-check-1"], status="lost")
        for _ in range(5):
            world.patrol()
            world.run()
    world.run()
    known = world.state(push)
    assert ends == ("parked" if known.parked else known.ended and known.ended.how)
    world.register_elsewhere()
    world.run()
    assert world.state(newest(world)).release.commit == "a" * 40
    assert line.standing(world.state(newest(world))) == "ask"


def test_a_registry_that_cannot_be_asked_lets_the_event_come_again() -> None:
    world = adopting()
    world.register_elsewhere(tells=False)
    world.away.add("registry")
    with pytest.raises(Unavailable):
        world.take_in(notices.ModelHeard("houses", "2", ""))
    assert told(world) == []


def test_a_version_that_comes_before_any_commit_passed_check_waits_for_somebody_to_register_it_again() -> None:
    world = World()
    world.projects["houses"] = replace(world.projects["houses"], registered_elsewhere="adopt")
    world.register_elsewhere()
    world.run()
    ((became, reason),) = told(world)
    assert became == "recorded"
    assert "no commit of houses passed check that it could be scored with; push one" in reason
    assert not world.state_of_project().numbered


@pytest.mark.parametrize("number", ["2024a", "", "-1", "1" * 30])
def test_a_version_that_is_no_number_is_kept_with_what_to_do(number: str) -> None:
    world = adopting()
    world.take_in(notices.ModelHeard("houses", number, ""))
    ((became, reason),) = told(world)
    assert (became, reason.endswith("register it again with a number")) == ("recorded", True)


def test_a_version_that_comes_in_the_moment_between_a_check_and_its_outcome_comes_again() -> None:
    world = World()
    world.projects["houses"] = replace(world.projects["houses"], registered_elsewhere="adopt")
    world.running.add("check")
    release = world.push("a")
    world.run()
    # The project hears first that a commit passed; the process died before the release did.
    passed = facts.CommitPassed(release, 1, world.branch[-1])
    RUNNER.run(world.control.streams.add("project/houses", [passed]))
    world.register_elsewhere(tells=False)
    with pytest.raises(Unavailable, match="about to be recorded"):
        world.take_in(notices.ModelHeard("houses", "1", ""))
    world.take_in(notices.CancelAsked(release, "dee@example.org", "not this one"))
    world.take_in(notices.ModelHeard("houses", "1", ""))
    assert told(world)[-1][0] == "recorded"
    assert list(world.state_of_project().numbered) == [release]


def test_what_is_in_training_and_no_newer_commit_holds_up_no_version() -> None:
    world = adopting()
    world.running.add("check")
    # The same commit on other data, and one before that which passed.
    world.data("in/february.csv")
    world.run()
    world.register_elsewhere()
    world.run()
    assert [each.cause for each in world.state_of_project().running] == ["data"]
    assert line.standing(world.state(newest(world))) == "ask"
    before = world.push("b")
    world.run()
    last = world.push("c")
    world.run()
    world.compute.end(f"{last}-check-1")
    world.run()
    assert line.standing(world.state(before)) == "check"
    world.register_elsewhere()
    world.run()
    assert world.state(newest(world)).release.commit == "c" * 40


def test_a_version_that_is_being_judged_with_an_older_commit_holds_up_no_other() -> None:
    world = adopting()
    world.losing.add("check")
    push = world.push("b")
    while not world.state(push).parked:
        world.patrol()
        world.run()
    world.losing.clear()
    world.running.add("evaluate")
    world.register_elsewhere()
    world.run()
    first = newest(world)
    world.take_in(notices.ResumeAsked(push, "bo@example.org", "there is memory again"))
    world.run()
    world.register_elsewhere()
    world.run()
    commits = [world.state(each).release.commit[0] for each in (push, first, newest(world))]
    assert (commits, line.standing(world.state(first))) == (["b", "a", "b"], "evaluate")


def test_what_is_not_better_is_kept_out_and_production_stays() -> None:
    world = adopting()
    live = world.live()
    world.results["evaluate"].update(WORSE)
    world.register_elsewhere()
    world.run()
    assert (world.ended(newest(world)), world.live()) == ("kept", live)


def test_a_rejection_ends_it_and_who_wrote_the_scoring_code_does_not_approve_it() -> None:
    world = adopting()
    world.projects["houses"] = replace(world.projects["houses"], approvers=("ana@example.org", "dee@example.org"))
    world.register_elsewhere()
    world.run()
    release = newest(world)
    with pytest.raises(NotAllowed):
        world.decide(release, "dee@example.org")
    world.decide(release, decision="reject")
    world.run()
    assert world.ended(release) == "rejected"


def test_approvers_are_told_that_it_may_have_seen_the_rows_it_is_judged_on() -> None:
    world = adopting()
    world.register_elsewhere()
    world.run()
    release = newest(world)
    question = asked(world, release)
    assert question["adopted"] == adopted.MAY_HAVE_SEEN
    assert (question["model"]["commit"], question["model"]["data"]) == ("unknown", "unknown")
    page = pages.approval(question, "ana@example.org", "token")
    assert f'<p class="notice">{adopted.MAY_HAVE_SEEN}.</p>' in page
    assert "commit unknown, data unknown" in page
    assert "was trained on" not in page
    mail = world.outbox[f"{release}-ask-1", "ana@example.org"]
    assert adopted.MAY_HAVE_SEEN in mail
    assert "Scored with commit: aaaaaaa" in mail
    sealed = json.loads(RUNNER.run(world.control.reading.evidence(release)))
    assert (sealed["train"], sealed["adopted"]["note"]) == (None, adopted.MAY_HAVE_SEEN)
    assert sealed["data"]["rows"] == 100
    shown = reports.release(world.state(release), "")
    assert (shown["trained"]["commit"], shown["trained"]["data"]) == ("unknown", "unknown")
    assert shown["digests"]["model"] == world.versions[-1].digest
    stream = RUNNER.run(world.control.streams.read(f"release/{release}"))
    sentences = [words.told(record.fact) for record in stream.records]
    assert any("code and check are those of #1" in sentence for sentence in sentences)


def test_whoever_is_compared_with_an_adopted_model_is_told_that_it_may_have_seen_the_rows() -> None:
    world = adopting()
    world.register_elsewhere()
    world.run()
    go_live(world, newest(world))
    release = world.push("b")
    world.run()
    question = asked(world, release)
    assert (question["adopted"], question["replaces_note"]) == ("", adopted.CHAMPION_MAY_HAVE_SEEN)
    assert adopted.CHAMPION_MAY_HAVE_SEEN in pages.approval(question, "ana@example.org", "token")
    assert adopted.CHAMPION_MAY_HAVE_SEEN not in json.dumps(asked(world, world.live()))


def test_a_digest_that_the_registry_does_not_know_is_unknown_to_everybody() -> None:
    world = adopting()
    world.register_elsewhere(tells=False)
    world.versions[-1] = replace(world.versions[-1], digest="")
    world.take_in(notices.ModelHeard("houses", "2", ""))
    world.run()
    release = newest(world)
    assert asked(world, release)["model"]["digest"] == "unknown"
    (row,) = [fact for fact in world.facts(f"release/{release}") if isinstance(fact, facts.VersionAdopted)]
    assert words.sentence(row) == "houses v2, its digest is unknown"


def test_production_that_changes_while_people_think_begins_a_second_round_with_the_same_version() -> None:
    world = adopting()
    go_live(world, world.push("b"))
    world.register_elsewhere()
    world.run()
    release = newest(world)
    world.take_in(notices.EnvironmentAsked("houses", "production", "rollback", "ana@example.org", "bad answers"))
    world.patrol()
    world.run()
    assert world.state(release).round == 2
    assert world.specs[f"{release}-evaluate-2"].inputs["model"] == "version:houses:3"
    world.decide(release)
    world.run()
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "ana@example.org", "understood"))
    world.run()
    assert (world.ended(release), world.live()) == ("live", release)


def test_production_is_rolled_back_from_an_adopted_version_and_to_it() -> None:
    world = adopting()
    first = world.live()
    world.register_elsewhere()
    world.run()
    release = go_live(world, newest(world))
    for to, live in (("", first), ("v2", release)):
        back = notices.EnvironmentAsked("houses", "production", "rollback", "ana@example.org", "bad answers", to)
        world.take_in(back)
        world.run()
        assert world.live() == live
    again = world.push("b")
    world.run()
    assert asked(world, again)["replaces_note"] == adopted.CHAMPION_MAY_HAVE_SEEN


def test_people_who_are_asked_about_a_newer_release_are_asked_no_more_about_an_adopted_one() -> None:
    world = adopting()
    world.register_elsewhere()
    world.run()
    older = newest(world)
    world.push("b")
    world.run()
    assert (world.ended(older), line.standing(world.state(newest(world)))) == ("superseded", "ask")


@pytest.mark.parametrize("on_newer", ["finish", "queue", "cancel"])
def test_a_push_in_training_goes_on_beside_a_version_that_others_register_meanwhile(on_newer: str) -> None:
    world = adopting()
    world.projects["houses"] = replace(world.projects["houses"], on_newer=on_newer)  # type: ignore[arg-type]
    world.running.add("train")
    push = world.push("b")
    world.run()
    world.register_elsewhere()
    world.run()
    theirs = newest(world)
    assert [line.standing(world.state(each)) for each in (push, theirs)] == ["train", "ask"]
    world.running.clear()
    world.end_jobs()
    world.run()
    world.patrol()
    world.run()
    assert [line.standing(world.state(each)) for each in (push, theirs)] == ["ask", "ask"]
    assert go_live(world, push) == world.live()
    world.patrol()
    world.run()
    known = world.state(theirs)
    assert (line.standing(known), known.round) == ("ask", 2)
    assert go_live(world, theirs) == world.live()


def test_a_push_that_waits_for_approval_goes_live_after_a_version_that_others_registered_was_rejected() -> None:
    world = adopting()
    push = world.push("b")
    world.run()
    world.register_elsewhere()
    world.run()
    theirs = newest(world)
    world.decide(theirs, decision="reject")
    world.run()
    world.patrol()
    world.run()
    assert [world.ended(each) for each in (push, theirs)] == ["open", "rejected"]
    go_live(world, push)
    assert (world.ended(push), world.live()) == ("live", push)


def test_what_is_run_again_is_the_same_version_judged_again() -> None:
    world = adopting()
    world.failing["try"] = "the network was down"
    world.register_elsewhere()
    world.run()
    failed = newest(world)
    assert world.ended(failed) == "failed"
    world.failing.clear()
    world.take_in(notices.RerunAsked(failed, "bo@example.org", "the network is back", ""))
    world.run()
    release = go_live(world, newest(world))
    assert world.live() == release != failed
    assert world.specs[f"{release}-evaluate-1"].inputs["model"] == "version:houses:2"
    assert world.state(release).release.cause == "rerun"


def failed_adoption() -> tuple[World, notices.RerunAsked]:
    """Return a world in which an adopted release failed, and how a person asks for it again."""
    world = adopting()
    world.failing["try"] = "the network was down"
    world.register_elsewhere()
    world.run()
    world.failing.clear()
    return world, notices.RerunAsked(newest(world), "bo@example.org", "the network is back", "")


def test_what_is_run_again_is_not_judged_when_the_operator_ignores_it_now() -> None:
    world, again = failed_adoption()
    adopts = world.projects["houses"]
    world.projects["houses"] = replace(adopts, registered_elsewhere="ignore")
    with pytest.raises(Conflict) as refused:
        world.take_in(again)
    assert str(refused.value) == (
        'registered_elsewhere is "ignore" now, and others registered this version; '
        'to have such versions judged, set registered_elsewhere = "adopt" in projects.toml and run it again'
    )
    assert len(world.state_of_project().numbered) == 2
    world.projects["houses"] = adopts
    world.take_in(again)
    world.run()
    # What was asked while it was adopted is the same ask, and its release goes on.
    world.projects["houses"] = replace(adopts, registered_elsewhere="ignore")
    world.take_in(again)
    assert (len(world.state_of_project().numbered), line.standing(world.state(newest(world)))) == (3, "ask")


def test_what_is_run_again_lets_a_newer_commit_that_is_in_check_go_first() -> None:
    world, again = failed_adoption()
    world.running.add("check")
    push = world.push("b")
    world.run()
    said = (
        "release #3 of commit bbbbbbb is in training; it comes first: run it again when it passed check, or cancel it"
    )
    with pytest.raises(Conflict, match=f"^{said} first$"):
        world.take_in(again)
    # The project hears first that a commit passed; the process died before the release did, and it was cancelled.
    RUNNER.run(world.control.streams.add("project/houses", [facts.CommitPassed(push, 3, "b" * 40)]))
    world.take_in(notices.CancelAsked(push, "dee@example.org", "not this one"))
    world.run()
    with pytest.raises(
        Conflict, match=r"no commit of houses passed check .* push one, and run it again once it passed"
    ):
        world.take_in(again)


def test_new_data_are_trained_although_a_version_was_judged_with_them() -> None:
    world = adopting()
    world.projects["houses"] = replace(world.projects["houses"], data=replace(world.projects["houses"].data, quiet_seconds=60))  # type: ignore[type-var]  # fmt: skip  # noqa: E501
    world.data("in/february.csv")
    world.register_elsewhere()
    world.run()
    judged = newest(world)
    assert world.state(judged).release.data == world.state_of_project().data_version
    world.wait(minutes=2)
    world.tick()
    world.run()
    assert world.state(newest(world)).release.cause == "data"
    assert f"{newest(world)}-train-1" in world.jobs


def test_a_push_is_compared_with_what_was_trained_and_not_with_what_was_adopted() -> None:
    world = World()
    entry = replace(world.projects["houses"], registered_elsewhere="adopt", path="models/houses")
    world.projects["houses"] = entry
    files = {f"models/houses/{name}": text for name, text in FILES.items()}
    world.push("a", files)
    world.run()
    world.failing["evaluate"] = "no such column"
    world.register_elsewhere()
    world.run()
    release = world.push("b", files)
    world.run()
    ended = world.state(release).ended
    assert ended is not None
    assert (ended.how, ended.reason.endswith("(release #1)")) == ("unchanged", True)


def test_a_model_of_a_name_that_is_no_project_is_kept_with_what_is_nobodys() -> None:
    world = adopting()
    world.take_in(notices.ModelHeard("boats", "2", ""))
    assert world.inbox() == ["no release of ours has this name"]


def whole_adoption(dies_at: int, heals: str) -> World:
    """Let the process die at a point of a release that adopts; an event that nobody acknowledged comes again."""
    world = adopting()
    world.register_elsewhere(tells=False)
    world.passed, world.dies_at = 0, dies_at
    event = notices.ModelHeard("houses", "2", "")
    try:
        world.take_in(event)
    except Crash:
        survive(world, "patrol")
        if heals == "delivery" or len(world.state_of_project().numbered) == 1:
            world.take_in(event)
    until_rest(world, heals)
    release = newest(world)
    decide_and_rest(world, release, heals)
    return world


def beginning() -> int:
    """Return how many points there are until a job of the adopted release is over."""
    world = adopting()
    world.passed = 0
    world.register_elsewhere()
    while len(world.jobs) == 6:
        world.run_one()
    return world.passed


BEGINNING = beginning()


@pytest.mark.parametrize("heals", ["delivery", "patrol"])
def test_dying_at_any_point_of_an_adoption_ends_with_one_of_everything_in_production(heals: str) -> None:
    points = whole_adoption(0, "delivery").passed
    assert points > 200
    # Up to the first job every point; what follows is the line of every release, and every eighth is enough.
    for point in [*range(1, BEGINNING), *range(BEGINNING, points + 1, 8)]:
        world = whole_adoption(point, heals)
        first, release = world.state_of_project().numbered
        made = (len(world.versions), len(world.images), len(world.services), len(world.jobs), len(world.outbox))
        # The first release made six jobs, the adopted one two less: nothing was checked and trained for it.
        assert (world.ended(release), world.live(), made) == ("live", release, (2, 2, 4, 10, 4)), f"died at {point}"
        assert list(world.state_of_project().closed) == [first, release], f"died at {point}"
        carried = [fact for fact in world.facts(f"release/{release}") if isinstance(fact, facts.CarriedOver)]
        assert len(carried) == 1, f"died at {point}"
