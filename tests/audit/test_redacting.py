"""What a person wrote is taken out, and every line still proves itself."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from shared.backends.local.ledger import SqliteLedger
from shared.backends.memory import MemoryLedger
from shared.control import access
from shared.errors import Conflict, NotFound, NotUnderstood
from shared.release import audit, chain, facts, notices, redaction
from tests.audit.ledgers import checkpoint, live, place, signed, verified
from tests.stories.test_emergencies import broken, say
from tests.stories.test_rules import accept, asked, change, house
from tests.world import RUNNER, World
from tools.audit import redacting, telling
from tools.audit.place import Place
from tools.audit.redacting import Asked, Done

ASKED = Asked("cy@example.org", "she asked for it")


def redacted(world: World, about: str) -> Done:
    work = redacting.of_person if "@" in about else redacting.of_release
    return RUNNER.run(work(place(world), about, ASKED))


def whole(world: World) -> bytes:
    return b"".join(RUNNER.run(world.ledger.read(name)) for name in RUNNER.run(world.ledger.streams("")))


class Visitor:
    """Somebody who proved who they are."""

    email, how = "eve@example.org", "a personal link"


def test_what_people_wrote_in_a_release_is_gone_and_every_line_still_proves_itself() -> None:
    world = signed()
    release = live(world)
    told = facts.Told("decided 1 ana@example.org", "HOUSES_CHANNEL", "")
    RUNNER.run(world.control.streams.add(f"told/{release}", [told]))
    checkpoint(world)
    done = redacted(world, release)
    where = {f"release/{release}", "project/houses", f"told/{release}", "environment/houses/production"}
    assert set(done.lines) == where
    assert b"ana@example.org" not in world.ledger_bytes("environment/houses/production")
    assert b"decided 1 [redacted]" in world.ledger_bytes(f"told/{release}")
    assert b"dee@example.org" not in world.ledger_bytes("project/houses")
    said = world.ledger_bytes(f"release/{release}")
    assert b"ana@example.org" not in said
    assert b"because" not in said
    assert verified(world).findings == []
    assert redacted(world, release).lines == {}
    # The next checkpoint covers them as they are now, and what is appended fits behind them.
    world.restart()
    live(world, "b")
    assert checkpoint(world) == 2
    assert verified(world).whole


def test_a_line_that_was_redacted_by_nobody_who_says_so_is_found() -> None:
    world = signed()
    release = live(world)
    name = f"release/{release}"
    before = RUNNER.run(world.ledger.read("audit"))
    redacted(world, release)
    world.ledger.put_back("audit", before)
    found = {(one.stream, one.what) for one in verified(world).findings}
    assert found == {(each, "edited") for each in (name, "project/houses", "environment/houses/production")}


def test_what_was_redacted_and_put_back_is_found_line_by_line() -> None:
    world = signed()
    name = f"release/{live(world)}"
    before = world.ledger_bytes(name)
    done = redacted(world, name.removeprefix("release/"))
    checkpoint(world)
    world.ledger.put_back(name, before)
    told = [one for one in verified(world).findings if one.stream == name]
    assert len(told) == done.lines[name]
    assert {(one.what, one.said) for one in told} == {("edited", "it was redacted, and is not as that left it")}


def test_a_line_of_the_audit_itself_cannot_be_redacted_into_another_one() -> None:
    world = signed()
    release = live(world)
    checkpoint(world)
    lines = audit.lines_of(world.ledger_bytes("audit"))
    read = audit.read_line(lines[0])
    assert read is not None
    forged = redaction.taken_out(lines[0], read, chain.next_head("", lines[0]), b'{"number":1,"digest":"forged"}')
    world.ledger.put_back("audit", forged)
    told = verified(world)
    assert (told.wrong, [(one.stream, one.what) for one in told.findings]) == ((), [("audit", "edited")])
    assert release


def test_other_pushes_of_the_same_commit_are_redacted_with_its_release() -> None:
    world = signed()
    commit = world.commit("a")
    told = notices.Pushed(
        *("github", ("https://git.example.org/acme/houses",), "refs/heads/main", "0" * 40, commit),
        *("dee@example.org", "Dear Dee", "d1"),
    )
    release = world.take_in(told).body["releases"][0]["release"]
    row = facts.CameIn("github", "refs/heads/main", "recorded", "it waits", "d0", notice=notices.kept(told))
    RUNNER.run(world.control.streams.add("project/houses", [row]))
    world.run()
    world.decide(release)
    world.run()
    redacted(world, release)
    assert b"Dear Dee" not in whole(world)
    assert b"dee@example.org" not in whole(world)


def test_who_had_something_redacted_is_left_and_said() -> None:
    world = signed()
    redacted(world, live(world))
    assert "audit" in redacted(world, "cy@example.org").left


def test_a_redacted_text_is_in_no_file_of_the_ledger_while_a_stack_is_up(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path)

    async def story() -> None:
        for number in range(40):
            await ledger.append("release/a", b"eve.unique@example.org %d\n" % number, None)
        length = len(await ledger.read("release/a"))
        await ledger.rewrite("release/a", b"[redacted]\n", length)

    asyncio.run(story())
    assert sum(file.read_bytes().count(b"eve.unique") for file in tmp_path.iterdir()) == 0


def test_a_redacted_line_that_is_changed_again_is_named() -> None:
    world = signed()
    name = f"release/{live(world)}"
    redacted(world, name.removeprefix("release/"))
    lines = audit.lines_of(RUNNER.run(world.ledger.read(name)))
    number = next(n for n, line in enumerate(lines, start=1) if b'"kind":"Decided"' in line)
    lines[number - 1] = lines[number - 1].replace(b'"approve"', b'"reject"')
    world.ledger.put_back(name, b"".join(lines))
    assert (number, "edited") in [(one.line, one.what) for one in verified(world).findings]


def test_every_mention_of_a_person_is_taken_out_but_of_what_is_still_at_work() -> None:
    world = signed()
    first = live(world)
    RUNNER.run(access.seen(world.control.streams, Visitor(), f"read release/{first}"))
    second = world.push("b", by="Eve@Example.org")
    checkpoint(world)
    done = redacted(world, "eve@example.org")
    assert done.left == (f"release/{second}",)
    assert set(done.lines) == {"access/2026-03", "project/houses"}
    assert b"eve@example.org" not in world.ledger_bytes("project/houses").lower()
    assert verified(world).findings == []
    world.restart()
    world.run()
    assert world.state(second).ended or world.state(second).asked


@pytest.mark.parametrize("name", ["push", "release", "main", "first", "better"])
def test_a_name_that_is_a_word_of_the_ledger_leaves_it_readable_and_whole(name: str) -> None:
    world = signed()
    live(world)
    world.push("b", by="joana@example.org")
    RUNNER.run(redacting.of_person(place(world), "ana@example.org", ASKED))
    RUNNER.run(redacting.of_person(place(world), name, ASKED))
    world.restart()
    world.run()
    assert b"joana@example.org" in world.ledger_bytes("project/houses")
    assert verified(world).whole


def test_what_could_not_be_read_back_is_refused_before_anything_is_rewritten() -> None:
    world = signed()
    name = f"release/{live(world)}"
    before = whole(world)
    spoilt: dict[str, redacting.Change] = {
        "project/houses": redaction.without_texts,
        name: lambda data: data | {"commit": 7} if isinstance(data, dict) and "commit" in data else data,
    }
    with pytest.raises(Conflict, match=f"nothing was redacted: stream {name}, line 1: cannot be read"):
        RUNNER.run(redacting.redact(place(world), spoilt, ASKED))
    assert whole(world) == before


def test_where_a_person_stands_outside_of_texts_is_said() -> None:
    world = signed()
    live(world)
    row = facts.CameIn("github", "x", "recorded", "y", "sent by eve@example.org")
    RUNNER.run(world.control.streams.add("project/houses", [row]))
    assert redacted(world, "eve@example.org").stands == ("project/houses",)


def test_whoever_is_forgotten_agrees_to_weaker_rules_no_second_time() -> None:
    world = house()
    asked(world)
    change(world, required=(), quorum=1)
    assert accept(world, "ana").body["state"] == "waits"
    at = Place(world.ledger, world.artifacts, None, None, None)
    RUNNER.run(redacting.of_person(at, "ana@example.org", ASKED))
    world.restart()
    assert accept(world, "ana").body["state"] == "waits"
    assert accept(world, "ana").body["message"] == "You agreed already; somebody else must too."


def test_a_release_whose_broken_glass_waits_for_a_second_person_is_left() -> None:
    world, release = broken()
    assert world.state(release).ended is not None
    at = Place(world.ledger, world.artifacts, None, None, None)
    assert f"release/{release}" in RUNNER.run(redacting.of_person(at, "cy@example.org", ASKED)).left
    with pytest.raises(Conflict, match="waits for a second person"):
        RUNNER.run(redacting.of_release(at, release, ASKED))
    say(world, release, "eve", "confirm")
    world.restart()
    assert RUNNER.run(redacting.of_release(at, release, ASKED)).lines[f"release/{release}"]


def test_what_came_in_while_a_stream_was_redacted_stays_behind_it() -> None:
    class Busy(MemoryLedger):
        """One into which a row comes right before each first rewrite of a stream."""

        async def rewrite(self, stream: str, content: bytes, at: int) -> None:
            if stream == "project/houses" and at == len(await self.read(stream)) and not came:
                came.append(stream)
                await world.control.streams.add(stream, [facts.Heard("ModelRegistered", "meanwhile")])
            await super().rewrite(stream, content, at)

    came: list[str] = []
    world = signed()
    world.ledger = Busy()
    world.restart()
    release = live(world)
    assert "project/houses" in redacted(world, release).lines
    assert came
    assert b"meanwhile" in audit.lines_of(world.ledger_bytes("project/houses"))[-1]
    assert verified(world).whole


def test_what_is_at_work_or_not_there_or_names_half_of_everybody_is_refused() -> None:
    world = signed()
    release = world.push("a")
    with pytest.raises(Conflict, match="is still at work"):
        redacted(world, release)
    with pytest.raises(NotFound, match="there is no release 0123456789abcdef0123"):
        redacted(world, "0123456789abcdef0123")
    with pytest.raises(NotUnderstood, match="'a@b' is too short"):
        redacted(world, "a@b")


def test_what_ended_long_ago_is_redacted_and_what_ended_since_is_not() -> None:
    world = signed()
    first = live(world)
    RUNNER.run(access.seen(world.control.streams, Visitor(), f"read release/{first}"))
    world.now += timedelta(days=130)
    second = live(world, "b")
    RUNNER.run(access.seen(world.control.streams, Visitor(), f"read release/{second}"))
    done = RUNNER.run(redacting.older_than(place(world), 90, world.now, ASKED))
    assert {f"release/{first}", "access/2026-03"} <= set(done.lines)
    assert f"release/{second}" not in done.lines
    assert verified(world).findings == []
    rows = RUNNER.run(telling.accesses(place(world)))
    assert [(row["who"], row["what"].partition(" ")[0]) for row in rows] == [
        ("eve@example.org", "read"),
        ("ana@example.org", "approve"),
        ("[redacted]", "read"),
        ("[redacted]", "approve"),
    ]
    assert RUNNER.run(telling.accesses(place(world), "EVE@example.org")) == rows[:1]


def test_the_export_names_every_line_with_what_it_holds() -> None:
    world = signed()
    release = live(world)
    world.ledger.put_back("inbox", b"nonsense\n")

    async def rows(prefix: str) -> list[dict[str, object]]:
        return [row async for row in telling.exported(place(world), prefix)]

    told = RUNNER.run(rows("release/"))
    assert [row["line"] for row in told] == list(range(1, len(told) + 1))
    assert told[0]["kind"] == "ReleaseOpened"
    assert told[0]["stream"] == f"release/{release}"
    assert {row["signed"] for row in told} == {True}
    assert RUNNER.run(rows("inbox"))[0]["unreadable"] == "nonsense\n"


def test_a_stream_on_disk_is_put_anew_only_when_nothing_came_meanwhile(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path)

    async def story() -> bytes:
        for line in (b"one\n", b"two\n"):
            await ledger.append("release/a", line, None)
        with pytest.raises(Conflict, match="8 bytes long, not 4"):
            await ledger.rewrite("release/a", b"1\n", 4)
        await ledger.rewrite("release/a", b"1\n2\n", 8)
        assert await ledger.append("release/a", b"3\n", 4) == 6
        return await ledger.read("release/a")

    assert asyncio.run(story()) == b"1\n2\n3\n"
