"""check: is the commit ours, can its settings be read, are data and code sound?

Before anything of a commit runs, the configured repository is asked whether it is on the configured branch.
"""

import msgspec
from msgspec import Struct

from shared.errors import NotUnderstood, StepFailed
from shared.ports import Place
from shared.release import ids
from shared.release.facts import Checked, CodeRead, Fact, NewerBegun, ReleaseEnded, ReleaseNumbered
from shared.release.project_file import ProjectFile, read_project_file
from shared.release.state import State, fold
from shared.steps import outside_ci
from shared.steps.snapshot import read_member, regular_files
from shared.steps.turn import Ended, Found, Pending, Turn, Wanted, look_at_job, read_result
from shared.streams import project_stream, release_stream

CHECK_SECONDS = 900
UNTRIED = ("stale", "unchanged", "cancelled", "superseded")
"""How a release ends that does not tell what its commit is worth."""
PAST_GIVING_WAY = ("ask", "promote")
"""The steps of a release that is not in training any more: people are asked about it."""


class _Result(Struct, frozen=True):
    tests: int
    rows: int
    columns: tuple[str, ...]
    content: str
    schema: msgspec.Raw
    environment: str = ""
    notes: tuple[str, ...] = ()


async def look(turn: Turn) -> Found:
    """Read the code once, then look at the check job; older releases give way to it when the operator says so."""
    return _begun(turn, await _found(turn, turn.job_name("check")))


async def _found(turn: Turn, name: str) -> Found:
    if turn.state.code is not None:
        return await _look_at_job(turn, name, ())
    if turn.project.on_newer == "queue" and (older := before(turn)):
        return Pending(f"release #{older[0].number}", "the end of a training (on_newer is queue)")
    place = await _place(turn)
    if stale := _stale(turn, place):
        return Ended((stale,))
    if over := await _unchanged(turn) or outside_ci.failed(turn):
        return Ended((over,))
    snapshot = await turn.outside.repository.snapshot(
        turn.project.repository, turn.project.branch, turn.release.commit, turn.project.path
    )
    settings = settings_in(snapshot)
    code = CodeRead(
        code=ids.sha256(snapshot),
        settings=msgspec.json.encode(settings).decode(),
        author=place.author,
        email=place.email,
        message=place.message,
    )
    await turn.outside.artifacts.put(snapshot)
    return await _look_at_job(turn, name, (code,))


def _begun(turn: Turn, found: Found) -> Found:
    """Let the act that begins a release tell older ones of it: only what was found on the branch gets so far."""
    older = before(turn)
    if turn.project.on_newer != "cancel" or not older or not isinstance(found, Wanted):
        return found

    async def begin() -> tuple[str, ...]:
        begun = NewerBegun(turn.release.release, turn.release.number)
        await turn.streams.add(project_stream(turn.release.project), [begun])
        await found.act()
        return tuple(other.release for other in older)

    return msgspec.structs.replace(found, act=begin)


def giving_way(turn: Turn) -> list[str]:
    """Return the older releases in training that are to give way to this one, if it began."""
    began = turn.known.begun >= turn.release.number
    return [other.release for other in before(turn)] if began else []


def before(turn: Turn) -> list[ReleaseNumbered]:
    """Return the older releases of the project that are in training."""
    return [other for other in turn.known.running if other.number < turn.release.number]


def overtaken(turn: Turn) -> Fact | None:
    """Say that a newer release began and this one, still in training, gives way to it (`on_newer = "cancel"`)."""
    through = turn.release.release in turn.known.asked
    if through or turn.known.begun <= turn.release.number or turn.step in PAST_GIVING_WAY:
        return None
    reason = f"the newer release #{turn.known.begun} began, and on_newer is cancel"
    return ReleaseEnded("superseded", turn.step, reason, "Nothing is to be done: look at the newer one")


async def _place(turn: Turn) -> Place:
    others = [other for other in turn.known.numbered.values() if other.commit != turn.release.commit]
    if turn.release.cause == "rerun":
        # What changed nothing since is not on its way: the commit that is run again is as new.
        others = [other for other in others if turn.known.closed.get(other.release) != "unchanged"]
    # The newer ones first: the first that comes after this commit is named.
    others.sort(key=lambda other: other.number < turn.release.number)
    return await turn.outside.repository.place(
        turn.project.repository,
        turn.project.branch,
        turn.release.commit,
        tuple(other.commit for other in others),
    )


def _stale(turn: Turn, place: Place) -> Fact | None:
    """A commit that is not on the branch, or older than one taken in, was pushed by nobody now."""
    commit, branch = turn.release.commit[:7], turn.project.branch
    if not place.on_branch:
        reason = f"commit {commit} is not on branch {branch} of the configured repository"
        return ReleaseEnded("stale", "check", reason, f"Push it to {branch}; nothing else is needed")
    if turn.release.cause in ("push", "rerun") and place.older_than:
        reason = f"commit {commit} is older than {place.older_than[0][:7]}, which was taken in already"
        return ReleaseEnded("stale", "check", reason, "Nothing is to be done: the newer commit is on its way")
    return None


async def _unchanged(turn: Turn) -> Fact | None:
    """A push that changes nothing of this project trains nothing: it was for others in the same repository."""
    path = "/".join(part for part in turn.project.path.split("/") if part not in ("", "."))
    watch, commit = turn.project.watch, turn.release.commit
    if turn.release.cause != "push" or not (path or watch):
        return None
    earlier = await _compared_with(turn)
    if earlier is None:
        return None
    before = earlier.release
    if not await turn.outside.repository.same(turn.project.repository, commit, before.commit, path, watch):
        return None
    where = " or ".join([f"under {path}"] * bool(path) + [f"matching {', '.join(watch)}"] * bool(watch))
    reason = f"nothing {where} changed since {before.commit[:7]} (release #{before.number})"
    advice = "Nothing is to be done: this push was for others. To train it all the same, run it again"
    if earlier.ended and earlier.ended.how in ("failed", "rejected", "expired"):
        advice = f"Release #{before.number} ended as {earlier.ended.how}: once its cause is mended, run that again"
    return ReleaseEnded("unchanged", "check", reason, advice)


async def _compared_with(turn: Turn) -> State | None:
    """Return the newest earlier release whose trial says something about this commit; None when there is none.

    One that ended untried says nothing, nor does one whose code is still to be read, for it may yet end as stale:
    what they would have trained must not be lost.
    Nor does any once the operator's entry is another: what decides about the project is not what it was.
    """
    for numbered in reversed(turn.known.trainings):
        how = turn.known.closed.get(numbered.release)
        if numbered.number >= turn.release.number or numbered.commit == turn.release.commit or how in UNTRIED:
            continue
        earlier = fold((await turn.streams.read(release_stream(numbered.release))).facts)
        tried = earlier.code is not None if earlier.ended is None else earlier.ended.how not in UNTRIED
        if tried:
            return earlier if earlier.release.policy == turn.release.policy else None
    return None


def settings_in(snapshot: bytes) -> ProjectFile:
    """Read the settings of a commit; `StepFailed` names what is wrong with them or which file they miss."""
    text = read_member(snapshot, "signalbox.toml")
    if text is None:
        raise StepFailed("there is no signalbox.toml at this commit", "Add one (README, A project) and push again")
    try:
        settings = read_project_file(text.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise StepFailed("signalbox.toml is not UTF-8 text", "Save it as UTF-8 and push again") from None
    except NotUnderstood as error:
        raise StepFailed(str(error), "Fix the file and push again; nothing else is needed") from error
    there = regular_files(snapshot)
    for key, path in _scripts(settings):
        if path.removeprefix("./") not in there:
            advice = "Fix the path or add the file, and push again"
            raise StepFailed(f'signalbox.toml: {key} = "{path}": no such file at this commit', advice)
    return settings


def _scripts(settings: ProjectFile) -> list[tuple[str, str]]:
    named = [
        ("train.script", settings.train.script),
        ("train.requirements", settings.train.requirements),
        ("score.script", settings.score.script),
    ]
    schema = settings.data.schema.partition(":")[0]
    return [*named, ("data.schema", schema)] if schema else named


async def _look_at_job(turn: Turn, name: str, facts: tuple[CodeRead, ...]) -> Found:
    known = turn if not facts else msgspec.structs.replace(turn, state=_with_code(turn.state, facts[0]))

    def ended(result: str, seconds: float) -> Checked:
        read = read_result(result, _Result, name)
        return Checked(
            round=turn.round,
            environment=read.environment,
            tests=read.tests,
            rows=read.rows,
            columns=read.columns,
            content=read.content,
            schema=bytes(read.schema).decode(),
            notes=read.notes,
            seconds=seconds,
        )

    file = known.file
    settings = {"schema": file.data.schema, "tests": list(file.test.paths)}
    return await look_at_job(turn, name, lambda: known.job("check", name, {}, settings, CHECK_SECONDS), ended, facts)


def _with_code(state: State, code: CodeRead) -> State:
    """Return a copy that knows the code; what was folded stays as it is."""
    return msgspec.structs.replace(state, code=code)
