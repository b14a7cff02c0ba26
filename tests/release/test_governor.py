"""The governor: when a training that data, drift or a schedule want is made, and why not yet."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.release import facts, governor, ids, ncrontab, project
from shared.release.config import Project, read_projects
from shared.release.facts import Fact, Governed
from shared.release.governor import Start

NOW = 1_772_528_400
COMMIT = "a" * 40
ENTRY = """
[projects.houses]
repository = "https://git.example.org/houses.git"
approvers = ["ana"]
data = { container = "houses", quiet_seconds = 10 }
"""


def rules(more: str = "") -> Project:
    return read_projects(ENTRY + more).projects["houses"]


def arrival(name: str = "may.csv", at: int = NOW) -> list[Fact]:
    row = facts.DataArrived("houses", name, 100, "1", "1")
    return [row, facts.TrainingWanted(f"data {name}", "data", name, f"data arrived: {name}", at)]


def drift(window: str = "w1", at: int = NOW) -> facts.TrainingWanted:
    key = f"drift m {window}"
    return facts.TrainingWanted(key, "drift", "m", f"drift seen by m in {window}", at, key)


def numbered(known: list[Fact], cause: facts.Cause = "push", commit: str = COMMIT, at: int = NOW) -> facts.Fact:
    state = project.fold(known)
    ask = "" if cause in ("push", "data") else f"{cause} {state.next_number}"
    release = ids.release_id("houses", commit, state.data_version, ask)
    return facts.ReleaseNumbered(release, state.next_number, commit, state.data_version, cause, ask, at=at)


def ended(known: list[Fact], cause: facts.Cause = "push", how: str = "live", at: int = NOW - 86400 * 7) -> list[Fact]:
    """Return what is known with one more release, which came to its end."""
    fact = numbered(known, cause, at=at)
    assert isinstance(fact, facts.ReleaseNumbered)
    return [*known, fact, facts.CommitPassed(fact.release, fact.number, COMMIT), facts.ReleaseClosed(fact.release, how)]


LIVE = ended([])


def chosen(known: list[Fact], more: str = "", now: int = NOW + 3600) -> Start | Governed | None:
    return governor.choose(project.fold(known), rules(more), now)


def why(known: list[Fact], more: str = "", now: int = NOW + 3600) -> str:
    found = chosen(known, more, now)
    assert isinstance(found, Governed), found
    assert found.decision == "waits"
    return found.why


def test_nothing_wanted_is_nothing_to_decide() -> None:
    assert chosen(LIVE) is None


def test_what_is_wanted_before_any_commit_waits_for_a_push() -> None:
    assert why(arrival()) == "commit"


def test_quiet_data_train_the_commit_that_passed() -> None:
    assert chosen([*LIVE, *arrival()]) == Start(COMMIT, "data", "", "data arrived: may.csv")


@pytest.mark.parametrize(("now", "quiet"), [(NOW, False), (NOW + 9, False), (NOW + 10, True)])
def test_data_that_go_on_arriving_wait_for_quiet(now: int, quiet: bool) -> None:
    assert isinstance(chosen([*LIVE, *arrival()], now=now), Start) is quiet


def test_data_that_never_stop_arriving_are_trained_after_sixty_quiet_times() -> None:
    rain = [fact for at in range(0, 605, 5) for fact in arrival(f"{at:04}.csv", NOW + at)]
    assert why([*LIVE, *rain], now=NOW + 599) == "quiet"
    start = chosen([*LIVE, *rain], now=NOW + 600)
    assert isinstance(start, Start)
    assert start.reason == "121 blobs arrived, the last is 0600.csv"


def test_a_manifest_needs_no_quiet() -> None:
    entry = ENTRY.replace("quiet_seconds = 10", 'quiet_seconds = 10, manifest = "_SUCCESS"')
    known = project.fold([*LIVE, *arrival("_SUCCESS")])
    assert isinstance(governor.choose(known, read_projects(entry).projects["houses"], NOW), Start)


def test_drift_needs_no_quiet_and_is_trained_even_on_what_was_trained_before() -> None:
    start = chosen([*LIVE, drift()], now=NOW)
    assert start == Start(COMMIT, "drift", "drift m w1", "drift seen by m in w1")


def test_a_thousand_drifts_are_one_training_and_its_reason_says_so() -> None:
    start = chosen([*LIVE, *[drift(f"w{each}") for each in range(1000)]])
    assert start == Start(COMMIT, "drift", "drift m w999", "drift seen by m in w999 (and 999 more)")


def test_new_data_and_drift_are_one_training_on_the_new_data() -> None:
    start = chosen([*LIVE, drift(), *arrival()])
    assert start == Start(COMMIT, "data", "", "data arrived: may.csv; drift seen by m in w1")


def test_data_that_a_push_took_along_are_in_its_release_already() -> None:
    known = arrival()
    first = numbered(known)
    assert isinstance(first, facts.ReleaseNumbered)
    merged = chosen([*known, first])
    reason = "these data and this commit are in release #1 already"
    assert merged == Governed("merged", "trained", reason, first.release)
    assert not project.fold([*known, first, merged]).wanted


def test_drift_that_came_with_data_in_a_release_already_is_trained_for_itself() -> None:
    known = [*arrival(), drift()]
    known = [*known, numbered(known), facts.ReleaseClosed(numbered(known).release, "live")]  # type: ignore[attr-defined]
    assert isinstance(chosen(known), Start)


@pytest.mark.parametrize("cause", ["push", "data", "person"])
def test_what_comes_during_a_training_waits_for_its_end(cause: facts.Cause) -> None:
    running = numbered(LIVE + arrival("june.csv"), cause, "b" * 40, NOW - 86400)
    known = [*LIVE, *arrival("june.csv"), running, *arrival()]
    assert why(known) == "running"
    assert isinstance(running, facts.ReleaseNumbered)
    for through in (
        facts.ReleaseClosed(running.release, "failed"),
        facts.ApprovalAsked(running.release, 2),
        facts.ReleaseParked(running.release),
    ):
        assert isinstance(chosen([*known, through]), Start), through
    resumed = [facts.ReleaseParked(running.release), facts.ReleaseResumed(running.release)]
    assert why([*known, *resumed]) == "running"


def test_a_retraining_gives_way_to_a_newer_one_when_the_operator_says_so_but_a_push_never_does() -> None:
    for cause, starts in (("data", True), ("push", False)):
        running = numbered(LIVE + arrival("june.csv"), cause, at=NOW - 86400)  # type: ignore[arg-type]
        found = chosen([*LIVE, *arrival("june.csv"), running, *arrival()], 'on_newer = "cancel"\n')
        assert isinstance(found, Start) is starts, cause


def test_a_cool_down_counts_from_the_last_retraining_and_not_from_pushes() -> None:
    known = ended(LIVE + arrival("june.csv"), "data", "kept", NOW)
    assert why([*known, *arrival()], now=NOW + 299) == "cooldown"
    assert isinstance(chosen([*known, *arrival()], now=NOW + 300), Start)
    pushed = ended(LIVE + arrival("june.csv"), "push", "kept", NOW)
    assert isinstance(chosen([*pushed, *arrival()], now=NOW + 299), Start)


def test_a_clock_that_was_ahead_once_stops_no_training_for_longer_than_its_rule() -> None:
    ahead = NOW + 365 * 86400
    began = ended(LIVE + arrival("june.csv"), "data", "kept", ahead)
    more = "governor = { per_hour = 1, per_day = 1 }\n"
    assert isinstance(chosen([*began, *arrival()], more), Start)
    assert isinstance(chosen([*LIVE, *arrival(at=ahead)]), Start)
    # A step of seconds is no reason to train sooner.
    assert why([*began, *arrival()], now=ahead - 5) == "cooldown"
    assert why([*LIVE, *arrival(at=NOW + 5)], now=NOW) == "quiet"


@pytest.mark.parametrize(("limit", "reason", "window"), [("per_hour", "hourly", 3600), ("per_day", "daily", 86400)])
def test_the_budget_opens_again_when_the_oldest_within_it_is_old_enough(limit: str, reason: str, window: int) -> None:
    known = LIVE
    for name, at in (("a.csv", NOW), ("b.csv", NOW + 1000)):
        known = ended(known + arrival(name), "data", "kept", at)
    known = [*known, *arrival()]
    more = f"governor = {{ {limit} = 2, cooldown_minutes = 0 }}\n"
    found = chosen(known, more, NOW + window - 1)
    assert isinstance(found, Governed)
    assert (found.why, found.until) == (reason, NOW + window)
    assert isinstance(chosen(known, more, NOW + window), Start)


def test_three_failures_in_a_row_break_the_loop_until_a_push_or_a_person() -> None:
    known = LIVE
    for name in ("a.csv", "b.csv", "c.csv"):
        assert isinstance(chosen([*known, *arrival(name)]), Start), name
        known = ended(known + arrival(name), "data", "failed")
    known = [*known, *arrival()]
    assert why(known) == "breaker"
    for how in ("unchanged", "stale"):
        others = numbered(known, commit="b" * 40)
        assert isinstance(others, facts.ReleaseNumbered)
        assert why([*known, others, facts.ReleaseClosed(others.release, how)]) == "breaker"
    assert isinstance(chosen(ended(known, "person", "failed") + arrival("d.csv")), Start)
    assert isinstance(chosen([*ended(known, "push", "failed"), drift()]), Start)


def test_fewer_failures_than_the_limit_break_nothing_also_when_there_was_nothing_before() -> None:
    known = ended(arrival("a.csv"), "data", "failed")
    assert isinstance(chosen([*known, *arrival()]), Start)


def test_training_the_same_again_and_again_breaks_the_loop_too() -> None:
    known = LIVE
    for window in ("w1", "w2", "w3"):
        known = ended([*known, drift(window)], "drift", "kept")
    assert why([*known, drift("w4")]) == "breaker"


@pytest.mark.parametrize("how", ["kept", "live", "rejected"])
def test_new_data_that_are_not_better_are_no_loop(how: str) -> None:
    known = LIVE
    for month in range(12):
        known = ended(known + arrival(f"{month}.csv"), "data", how)
    assert isinstance(chosen([*known, *arrival()]), Start)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.sampled_from(["data", "drift", "push", "person", "live", "failed", "asked", "waits"]), max_size=15
    ),
    now=st.integers(NOW, NOW + 100_000),
)
def test_whatever_came_before_nothing_wanted_is_lost_and_a_start_answers_all_of_it(rows: list[str], now: int) -> None:
    known: list[Fact] = []
    for at, row in enumerate(rows):
        state = project.fold(known)
        last = next(reversed(state.numbered.values()), None)
        match row:
            case "data":
                known += arrival(f"{at}.csv", NOW + at)
            case "drift":
                known.append(drift(f"w{at}", NOW + at))
            case "push" | "person":
                known.append(numbered(known, row, f"{at:040x}", NOW + at))  # type: ignore[arg-type]
            case "waits":
                known.append(Governed("waits", "quiet", "not yet"))
            case "asked" if last:
                known.append(facts.ApprovalAsked(last.release, last.number))
            case how if last:
                known.append(facts.ReleaseClosed(last.release, how))
    state = project.fold(known)
    found = governor.choose(state, rules(), now)
    assert (found is None) == (not state.wanted)
    if isinstance(found, Start):
        release = ids.release_id("houses", found.commit, state.data_version, found.ask)
        assert release not in state.numbered
        opened = facts.ReleaseNumbered(
            release, state.next_number, found.commit, state.data_version, found.cause, found.ask
        )
        after = project.fold([*known, opened])
        assert not after.wanted
        assert {key for key, by in after.keys.items() if by == release} == set(state.wanted)


def test_a_repeat_wants_nothing_more_and_leads_to_its_release() -> None:
    known = [*LIVE, drift()]
    opened = numbered(known, "drift")
    assert isinstance(opened, facts.ReleaseNumbered)
    state = project.fold([*known, opened, drift()])
    assert not state.wanted
    assert state.keys["drift m w1"] == opened.release


def test_an_arrival_that_is_known_or_older_is_held_already() -> None:
    state = project.fold([facts.DataArrived("houses", "a.csv", 1, "e2", "2")])
    assert state.holds(facts.DataArrived("houses", "a.csv", 1, "e2", "2"))
    assert state.holds(facts.DataArrived("houses", "a.csv", 1, "e1", "1"))
    assert not state.holds(facts.DataArrived("houses", "a.csv", 1, "e3", "3"))
    assert not state.holds(facts.DataArrived("houses", "b.csv", 1, "e1", "1"))


def test_the_last_word_about_a_schedule_stands() -> None:
    known: list[Fact] = [facts.ScheduleSet("0 2 * * *", 5), facts.ScheduleSet("0 3 * * *", 9)]
    assert project.fold(known).schedule == known[1]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("0 0 2 * * *", "0 0 2 * * *"),
        ("30 9 * January Mon-Friday", "0 30 9 * Jan Mon-Fri"),
        ("*/10 0-30/5 1,2 * * 0", "*/10 0-30/5 1,2 * * 0"),
    ],
)
def test_a_schedule_is_read_as_six_fields(text: str, fields: str) -> None:
    assert ncrontab.six_fields(text) == fields


@pytest.mark.parametrize("text", ["", "* * * *", "@daily", "0 0 0 L * *", "0 0 0 * * 7", "0 0 0 ? * *", "a b c d e f"])
def test_what_azure_would_refuse_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match="NCRONTAB"):
        ncrontab.six_fields(text)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("60 * * * * *", 1),
        ("0 0-60 * * * *", 2),
        ("0 0 25 * * *", 3),
        ("0 0 0 0 * *", 4),
        ("0 0 0 1,32 * *", 4),
        ("0 0 0 * 13 *", 5),
        ("0 0 0 * Foo *", 5),
        ("0 0 0 * * Friends", 6),
        ("\u0663 * * * * *", 1),
    ],
)
def test_a_schedule_that_could_never_come_due_is_none(text: str, field: int) -> None:
    with pytest.raises(ValueError, match=f"field {field} .* is not NCRONTAB"):
        ncrontab.six_fields(text)


def test_a_copy_of_what_is_known_grows_apart_from_it() -> None:
    known = project.fold([*LIVE, *arrival()])
    apart = project.copied(known)
    assert apart == known
    project.learn(apart, drift())
    project.learn(apart, facts.ReleaseParked("b" * 20))
    assert (len(apart.wanted), len(known.wanted), known.aside) == (2, 1, set())


def adopted(known: list[Fact], how: str = "") -> list[Fact]:
    """Return what is known with one more release, of a version that others registered."""
    fact = numbered(known, "adopted")
    assert isinstance(fact, facts.ReleaseNumbered)
    new = msgspec.structs.replace(fact, version=facts.VersionSeen("houses", 7, "sha256:m"))
    return [*known, new, *([facts.ReleaseClosed(new.release, how)] if how else [])]


def test_data_that_a_version_of_others_was_judged_with_are_still_to_be_trained() -> None:
    known = adopted([*LIVE, *arrival()], "kept")
    assert chosen(known) == Start(COMMIT, "data", "", "data arrived: may.csv")


def test_a_version_that_is_judged_is_waited_for_and_said_to_be_judged() -> None:
    known = adopted([*LIVE, *arrival()])
    assert why(known) == "running"
    waits = chosen(known)
    assert isinstance(waits, Governed)
    assert waits.reason == "it waits for release #2, which is being judged"


def test_a_version_that_others_registered_does_not_mend_a_broken_loop() -> None:
    known = LIVE
    for _ in range(3):
        known = ended(known, "drift", "failed")
    assert why([*adopted(known, "live"), drift()]) == "breaker"
