"""What a signed ledger proves after a whole release: nothing was touched, or exactly this line was."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from shared.backends.memory import MemoryCheckpoints
from shared.backends.signing import Prover, Signer
from shared.errors import NotFound, NotUnderstood
from shared.release import facts, ids, notices
from shared.streams import AUDIT
from tests.audit.ledgers import KEY, checkpoint, live, place, signed, verified
from tests.stories.test_emergencies import broken, say
from tests.world import RUNNER, World
from tools.audit import served, telling
from tools.audit.place import Place
from tools.audit.served import Served, what_served
from tools.audit.verifying import verify


def test_every_line_of_a_release_is_signed_and_the_ledger_proves_itself() -> None:
    world = signed()
    live(world)
    assert checkpoint(world) == 1
    assert checkpoint(world) == 0
    told = verified(world)
    assert told.whole
    assert told.checkpoint == 1
    assert all(one.signed == one.lines for one in told.streams)
    assert {one.stream.partition("/")[0] for one in told.streams} == {"audit", "environment", "project", "release"}


def test_a_ledger_without_a_key_is_as_it_was() -> None:
    world = World()
    release = live(world)
    assert b'"sig"' not in world.ledger_bytes(f"release/{release}")
    assert checkpoint(world) == 0


def test_a_decision_that_was_forged_into_a_release_is_named_by_its_line() -> None:
    world = signed()
    release = live(world)
    checkpoint(world)
    name = f"release/{release}"
    content = world.ledger_bytes(name)
    number = 1 + next(n for n, line in enumerate(content.splitlines()) if b'"kind":"Decided"' in line)
    world.ledger.put_back(name, content.replace(b"ana@example.org", b"eve@example.org"))
    told = verified(world)
    assert (name, number, "edited") in [(one.stream, one.line, one.what) for one in told.findings]
    assert {one.stream for one in told.findings} == {name}


def test_a_checkpoint_that_is_gone_from_the_second_place_or_of_another_hand_is_missed() -> None:
    world = signed()
    live(world)
    checkpoint(world)
    world.push("b")
    world.run()
    assert checkpoint(world) == 2
    assert verified(world).whole
    assert world.checkpoints is not None
    last = world.checkpoints.kept.pop("000000000002.json")
    assert verified(world).wrong == ("checkpoint 2 is gone that the ledger tells of",)
    world.checkpoints.kept["000000000002.json"] = last.replace(b'"lines":', b'"lines":1')
    assert "checkpoint 2 was changed, or signed by a key that is not known here" in verified(world).wrong
    del world.checkpoints.kept["000000000001.json"]
    world.checkpoints.kept["000000000002.json"] = last
    assert verified(world).wrong == (
        "before checkpoint 2 at least one is gone",
        "checkpoint 1 is gone that the ledger tells of",
    )


def test_a_checkpoint_says_which_stream_does_not_go_on_as_it_was_and_covers_it_no_further() -> None:
    world = signed()
    release = live(world)
    checkpoint(world)
    name = f"release/{release}"
    lines = world.ledger_bytes(name).splitlines(keepends=True)
    world.ledger.put_back(name, b"".join(lines[:-2]))
    world.push("b")
    world.run()
    made = RUNNER.run(world.control.checkpointing.make())
    assert made is not None
    assert made.broken == (f"stream {name}: its first {len(lines)} lines are not those of the last checkpoint",)
    assert [one.what for one in verified(world).findings] == ["truncated"]


def test_a_checkpoint_names_new_lines_that_nobody_signed_so_that_somebody_hears_of_them_within_the_hour() -> None:
    world = signed()
    release = live(world)
    checkpoint(world)
    name = f"release/{release}"
    RUNNER.run(World(ledger=world.ledger).control.streams.add(name, [facts.Heard("ModelRegistered", "forged")]))
    world.push("b")
    made = RUNNER.run(world.control.checkpointing.make())
    assert made is not None
    number = world.ledger_bytes(name).count(b"\n")
    assert made.broken == (f"stream {name}, line {number}: no key that is known here signed it",)
    # What is wrong is covered all the same, so that it cannot be taken back unseen.
    assert (name, number) in [(one.stream, one.lines) for one in made.streams]
    world.push("c")
    again = RUNNER.run(world.control.checkpointing.make())
    assert again is not None
    assert again.broken == ()


def test_what_is_older_than_the_key_is_no_alarm_at_the_first_checkpoint() -> None:
    world = World()
    live(world)
    signer = Signer(KEY)
    world.sign, world.prover, world.checkpoints = signer, Prover.of(signer, []), MemoryCheckpoints()
    world.restart()
    world.push("b")
    made = RUNNER.run(world.control.checkpointing.make())
    assert made is not None
    assert made.broken == ()
    assert verified(world).whole


def test_checkpoints_that_are_older_than_the_key_count_and_the_first_signed_one_covers_everything() -> None:
    world = World(checkpoints=MemoryCheckpoints())
    live(world)
    assert checkpoint(world) == 1
    world.sign, world.prover = Signer(KEY), Prover.of(Signer(KEY), [])
    world.restart()
    # Nothing came, and yet it is due: until then nothing proves what is there.
    assert checkpoint(world) == 2
    assert checkpoint(world) == 0
    live(world, "b")
    assert checkpoint(world) == 3
    told = verified(world)
    assert (told.findings, told.wrong) == ([], ())
    assert world.checkpoints is not None
    world.checkpoints.kept["000000000001.json"] += b" "
    assert verified(world).wrong == ("checkpoint 2 does not follow checkpoint 1 as it is kept now",)


def test_what_is_foreign_or_broken_in_the_second_place_stops_no_checkpoint_and_is_named() -> None:
    world = signed()
    live(world)
    assert checkpoint(world) == 1
    assert world.checkpoints is not None
    world.checkpoints.kept |= {"lost+found": b"", "README.txt": b"the second place", "00.json": b"{}"}
    live(world, "b")
    assert checkpoint(world) == 2
    assert verified(world).whole
    world.checkpoints.kept["000000000002.json"] = b""
    live(world, "c")
    made = RUNNER.run(world.control.checkpointing.make())
    assert made is not None
    assert made.number == 3
    assert made.broken[0].startswith("checkpoint 000000000002.json cannot be read")
    told = verified(world)
    assert told.findings == []
    assert told.wrong[0].startswith("checkpoint 000000000002.json cannot be read")


def test_a_checkpoint_is_late_when_what_came_is_not_covered_for_two_hours() -> None:
    world = signed()

    def last() -> tuple[str, bool]:
        told = RUNNER.run(world.control.checkpointing.last())
        return str(told["checkpoint"])[11:16], bool(told["checkpoint_late"])

    live(world)
    assert last() == ("", False)
    world.now += timedelta(hours=3)
    assert last() == ("", True)
    checkpoint(world)
    assert last() == ("12:00", False)
    world.now += timedelta(hours=3)
    # Nothing came, so nothing was due.
    assert last() == ("12:00", False)
    world.push("b")
    assert last() == ("12:00", True)
    world.checkpoints = None
    world.restart()
    assert RUNNER.run(world.control.checkpointing.last()) == {}


def test_a_release_that_was_never_there_is_not_verified_and_one_that_is_gone_is_missed_without_any_checkpoint() -> None:
    world = signed()
    name = f"release/{live(world)}"
    with pytest.raises(NotFound, match="there is no stream release/nonsense"):
        RUNNER.run(verify(place(world), ["release/nonsense"]))
    world.ledger._streams.pop(name)
    for told in (verified(world), RUNNER.run(verify(place(world), [name]))):
        (one,) = told.findings
        assert (one.stream, one.what) == (name, "removed")
        assert "project/houses numbers it" in one.said


def test_a_release_that_is_marked_and_not_begun_is_no_loss() -> None:
    world = signed()
    name = f"release/{world.push('a')}"
    assert RUNNER.run(world.ledger.marks("open/"))
    world.ledger._streams.pop(name)
    assert verified(world).whole


def test_a_checkpoint_tells_once_that_a_covered_stream_vanished_though_nothing_else_changed() -> None:
    world = signed()
    name = f"release/{live(world)}"
    checkpoint(world)
    world.ledger._streams.pop(name)
    world.restart()
    made = RUNNER.run(world.control.checkpointing.make())
    assert made is not None
    assert made.broken == (f"stream {name} is gone",)
    assert checkpoint(world) == 0


def test_an_edited_row_of_the_audits_own_stream_is_a_finding_without_any_key() -> None:
    world = World(checkpoints=MemoryCheckpoints())
    live(world)
    checkpoint(world)
    before = world.ledger_bytes(AUDIT)
    for strange in (b'"1"', b'"\xff"'):
        world.ledger.put_back(AUDIT, before.replace(b'"number":1', b'"number":' + strange))
        told = RUNNER.run(verify(Place(world.ledger, world.artifacts, world.checkpoints, None, None)))
        assert [str(one) for one in told.findings] == ["audit, line 1: edited: it cannot be read"]


def test_an_earlier_key_signs_nothing_behind_the_first_checkpoint_of_the_new_one() -> None:
    world = signed()
    live(world)
    checkpoint(world)
    new = Signer(secrets.token_bytes(32))
    world.sign, world.prover = new, Prover.of(new, [Signer(KEY).public])
    world.restart()
    live(world, "b")
    both = place(world, Prover([new.public, Signer(KEY).public]))
    assert RUNNER.run(verify(both)).whole
    checkpoint(world)
    assert RUNNER.run(verify(both)).whole
    old = World(ledger=world.ledger, sign=Signer(KEY)).control.streams
    RUNNER.run(old.add("project/houses", [facts.Heard("ModelRegistered", "forged")]))
    (one,) = RUNNER.run(verify(both)).findings
    assert (one.stream, one.line, one.what) == (
        "project/houses",
        world.ledger_bytes(one.stream).count(b"\n"),
        "unsigned",
    )
    assert one.said == "it is signed by a key that another one had replaced by then"


def test_another_key_signs_on_and_what_the_earlier_one_signed_stays_proven() -> None:
    world = signed()
    live(world)
    new = Signer(secrets.token_bytes(32))
    world.sign = new
    world.restart()
    world.push("b")
    world.run()
    both = Prover([new.public, Signer(KEY).public])
    assert RUNNER.run(verify(place(world, both))).whole
    found = RUNNER.run(verify(place(world, Prover([new.public])))).findings
    assert {one.what for one in found} >= {"unsigned"}


def test_what_the_audit_tells_of_itself_is_believed_only_when_it_is_signed() -> None:
    world = signed()
    live(world)
    checkpoint(world)
    forged = facts.CheckpointMade(1, "0" * 64)
    RUNNER.run(World(ledger=world.ledger).control.streams.add(AUDIT, [forged]))
    told = verified(world)
    assert [(one.stream, one.what) for one in told.findings] == [(AUDIT, "unsigned")]
    assert told.wrong == ()


def asked(world: World, at: str) -> Served:
    return RUNNER.run(what_served(place(world), "houses", at))


def test_what_served_is_known_for_any_time_with_who_decided_and_of_what_it_was_made() -> None:
    world = signed()
    world.data()
    world.now = datetime(2026, 3, 1, 9, 12, 44, tzinfo=UTC)
    first = live(world)
    world.now = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)
    world.results["evaluate"] = {
        **{"verdict": "better", "metric": "rmse", "rows": 20, "candidate": 3.0, "champion": 3.5},
        **{"gain": 0.5, "low": 0.1, "high": 0.9},
    }
    second = live(world, "b")
    world.now = datetime(2026, 3, 6, 8, 0, tzinfo=UTC)
    world.take_in(notices.EnvironmentAsked("houses", "production", "rollback", "cy@example.org", "too slow"))
    world.run()
    checkpoint(world)
    assert [asked(world, at).decided.release for at in ("2026-03-03T14:00", "2026-03-05T09:00", "2026-03-07")] == [
        first,
        second,
        first,
    ]
    told = served.told(asked(world, "2026-03-03T14:00+00:00")).splitlines()
    alias, sealed = ids.alias(first), world.state(first).asked[1].evidence
    assert told[0] == f"v1 {alias}, live from 2026-03-01 09:12:44 (seen 2026-03-01 09:12:44) until 2026-03-05 08:00:00"
    assert told[1].startswith(f"approved by ana@example.org on evidence {sealed[:19]}…   policy sha256:")
    assert told[2].startswith("commit aaaaaaa by ")
    assert "(1 blobs), image sha256:" in told[2]
    assert told[3].startswith("chain verified to checkpoint 1, ")
    assert told[3].endswith("signatures good")
    assert "put back by cy@example.org" in served.told(asked(world, "2026-03-07"))


def test_between_a_decision_and_its_sight_the_one_before_is_named_too() -> None:
    world = signed()
    first = live(world)
    second = world.push("b")
    name = "environment/houses/production"
    decided = next(fact for fact in world.facts(name) if isinstance(fact, facts.LiveDecided))
    switched = structs.replace(decided, generation=2, release=second, version=2)
    for fact in (switched, facts.LiveSeen(2, second)):
        world.now += timedelta(hours=1)
        RUNNER.run(world.control.streams.add(name, [fact]))
        told = asked(world, "2026-03-03T10:30")
        assert (told.decided.release, told.before and told.before.release) == (second, first)
        seen = "was first seen to answer 2026-03-03 11:00:00" if told.seen else "was decided, and not seen to answer"
        assert served.told(told).splitlines()[1] == f"or still v1 {ids.alias(first)}: v2 {seen}"
    assert asked(world, "2026-03-03T11:00").before is None


def test_what_served_names_a_line_that_does_not_prove_itself() -> None:
    world = signed()
    live(world)
    name = "environment/houses/production"
    lines = world.ledger_bytes(name).splitlines(keepends=True)
    world.ledger.put_back(name, b"".join(lines[:-1]) + lines[-1].replace(b'"generation":1', b'"generation":9'))
    assert "NOT PROVEN: environment/houses/production, line" in served.told(asked(world, "2027-01-01"))


def test_before_anything_was_live_and_of_a_project_that_nobody_knows_it_says_so() -> None:
    world = signed()
    live(world)
    with pytest.raises(NotFound, match="nothing served houses at 2020-01-01: the first release went live 2026-03-03"):
        asked(world, "2020-01-01")
    with pytest.raises(NotFound, match="production of flights has no history here"):
        RUNNER.run(what_served(place(world), "flights", "2026-03-03"))
    with pytest.raises(NotUnderstood, match="'yesterday' is no time"):
        asked(world, "yesterday")


def test_a_broken_glass_is_told_with_what_was_served_and_in_the_log() -> None:
    world, release = broken()
    at = Place(world.ledger, world.artifacts, None, None, None)

    def said() -> str:
        return served.told(RUNNER.run(what_served(at, "houses", "2027-01-01"))).splitlines()[1]

    assert said() == "THE GLASS WAS BROKEN by cy@example.org (the shop is down), CONFIRMED BY NOBODY"
    say(world, release, "eve", "confirm")
    assert said() == "THE GLASS WAS BROKEN by cy@example.org (the shop is down), confirmed by eve@example.org"
    assert [row["what"].partition(f" {release}")[0] for row in RUNNER.run(telling.accesses(at))][:2] == [
        "BREAK THE GLASS of",
        "confirm the broken glass of",
    ]
