"""`projects.toml`, which the operator writes: where a project is, and what decides about its production.

What decides about production stands in the operator's file, never in the repository that asks for promotion.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from shared.release import ncrontab, people, written
from shared.release.ids import canonical, sha256
from shared.release.people import Delegation, Groups, Roles
from shared.release.project_file import Metric


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every table: a key nobody knows is refused, because a misspelt one would be ignored for ever."""


class DataPlace(_Table, frozen=True):
    """Where the data are; they count as whole when the place was quiet, or when a blob called `manifest` came."""

    container: str
    prefix: str = ""
    quiet_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 10.0
    manifest: str = ""
    """A name or a glob such as `*/_SUCCESS`; then nothing else asks for a training."""


class Holdout(_Table, frozen=True):
    """Which rows no training ever sees: a share of them by a hash of the row, or the newest file."""

    by: Literal["hash", "newest"] = "hash"
    fraction: Annotated[float, Meta(gt=0, lt=1)] = 0.2


class Policy(_Table, frozen=True):
    metric: Metric | None = None
    """Overrules the project's own choice of what is compared."""
    promote_when: Literal["better", "not worse"] = "better"
    min_gain: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    noise_loss: Annotated[float, Meta(gt=0, le=100)] = 0.10
    latency_ms: Annotated[float, Meta(gt=0, le=60_000)] = 250.0
    answer_days: Annotated[float, Meta(gt=0, le=365)] = 7.0


class Governor(_Table, frozen=True):
    """How often data, drift and schedules may train; pushes and people are not counted."""

    cooldown_minutes: Annotated[float, Meta(ge=0, le=100_000)] = 5.0
    per_hour: Annotated[int, Meta(ge=1, le=1_000)] = 4
    per_day: Annotated[int, Meta(ge=1, le=10_000)] = 24
    breaker: Annotated[int, Meta(ge=1, le=1_000)] = 3
    """After so many in a row that failed or learnt nothing new, the next waits for a push or a person."""


Source = Literal["github", "gitlab", "bitbucket", "azure-devops", "data", "drift"]
"""Who tells a project that there is something new."""
News = Literal["asked", "reminded", "decided", "live", "failed", "rolled back"]
GitHost = Literal["github", "gitlab", "azure-devops"]


class Tell(_Table, frozen=True):
    """Who is told outside what becomes of releases; only names of secrets stand here, never the secrets."""

    to: tuple[str, ...] = ()
    """Secrets that each hold the address of a channel, as Apprise writes it."""
    events: tuple[News, ...] = get_args(News)
    statuses: Literal["", "github", "gitlab", "azure-devops"] = ""
    """Which kind of host the repository is on, to say there at each commit how the steps stand; empty: it is not said.
    """
    token: str = ""
    """The secret that may write statuses; empty: the project's `credential`."""


class Project(_Table, frozen=True):
    """One entry of `projects.toml`: what the operator decides about a project."""

    repository: str
    approvers: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    branch: str = "main"
    path: str = ""
    watch: tuple[str, ...] = ()
    """Globs from the root of the repository, as .gitignore has them: a push that changes nothing below `path` and
    nothing that they match trains nothing. Without `path` they stand alone."""
    credential: str = ""
    """The name of the secret with which the repository is read, never its value."""
    quorum: Annotated[int, Meta(ge=1)] = 1
    self_approval: bool = False
    data: DataPlace | None = None
    holdout: Holdout = Holdout()
    policy: Policy = Policy()
    drift_monitors: tuple[str, ...] = ()
    governor: Governor = Governor()
    on_newer: Literal["finish", "cancel", "queue"] = "finish"
    """What becomes of a release in training when a newer one comes: it finishes, it is cancelled, or it goes first."""
    schedule: str = ""
    """NCRONTAB of five or six fields, in UTC."""
    registered_elsewhere: Literal["ignore", "adopt"] = "ignore"
    """What becomes of a model version of this project's name that no release made: a row that says so, or a release
    that begins at evaluate."""
    tell: Tell | None = None
    expect: Mapping[Source, Annotated[float, Meta(gt=0, le=100_000)]] = {}
    """How many hours a source may be silent before health tells so."""
    required: tuple[str, ...] = ()
    """Groups among the approvers, of each of which one must agree."""
    delegations: tuple[Delegation, ...] = ()
    roles: Roles | None = None
    groups: Groups = {}
    """The groups this entry names: its own, and those of the whole file."""
    outside_ci: str = ""
    """The name of a GitHub workflow or an Azure DevOps pipeline: nobody is asked about a release until it was green for
    exactly its commit."""

    @property
    def digest(self) -> str:
        """SHA-256 of the entry as it stands, recorded with every release."""
        entry = msgspec.to_builtins(self)
        for name, silent in SILENT.items():
            if getattr(self, name) == silent:
                # An entry that says nothing of it stays the one that open releases were opened with.
                del entry[name]
        # Who is told decides nothing about a release.
        del entry["tell"]
        return sha256(canonical(entry))


SILENT: dict[str, object] = {
    "registered_elsewhere": "ignore",
    "expect": {},
    "required": (),
    "delegations": (),
    "roles": None,
    "groups": {},
    "outside_ci": "",
}
"""What came into the entry after the first releases, and what it is when an entry does not say."""


class Projects(_Table, frozen=True):
    """All of `projects.toml`."""

    projects: Mapping[str, Project]
    groups: Groups = {}


_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
# What the app and its platform write themselves must never ask for a training: that would be a loop.
OURS = ("signalbox-", "azure-webjobs-", "$")
_CONTAINER = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_SECRET = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
# Over http a token goes to this machine and to no other.
_ON_A_HOST = re.compile(
    r"(https|ssh)://[^/]+/.|[^@/:]+@[^@/:]+:.|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?/.", re.IGNORECASE
)
# What .gitignore has no meaning for, or another one than people expect.
_NO_GLOB = re.compile(r"^\s*(#|!?/*\s*$)|[\[\]\\{}\x00-\x1f]|(^|[/!])\.{1,2}(/|$)")
_ONE_OF = re.compile(r"\[[!^]?(?:\w-\w|[\w.])+\]")
_GLOB = "a glob as .gitignore has them, from the root of the repository; for {a,b} write two"


def read_projects(text: str) -> Projects:
    """Read `projects.toml`; `NotUnderstood` names line, key, what was found and what is allowed."""
    file = "projects.toml"
    read = written.read(file, text, Projects)
    owners: dict[written.Keys, Groups] = {("groups",): read.groups}
    owners |= {("projects", name, "groups"): each.groups for name, each in read.projects.items()}
    for place, groups in owners.items():
        for name, allowed in people.wrong_about_groups(groups):
            raise written.refused(file, text, (*place, name), written.found(groups[name], allowed))
    read = Projects({name: _grouped(each, read.groups) for name, each in read.projects.items()}, read.groups)
    for name, project in read.projects.items():
        keys = ("projects", name)
        if not _NAME.fullmatch(name):
            allowed = 'a name of at most 63 lower-case letters, digits and "-" that begins with a letter'
            raise written.refused(file, text, keys, written.found(name, allowed))
        for place, problem in _wrong_about_people(project):
            raise written.refused(file, text, (*keys, *place), problem)
        if project.data and project.data.container.startswith(OURS):
            allowed = f"a container of your own; names that begin with {', '.join(OURS)} are the app's and its host's"
            raise written.refused(
                file, text, (*keys, "data", "container"), written.found(project.data.container, allowed)
            )
        if project.data and (wrong := _wrong_about_data(project.data)):
            raise written.refused(file, text, (*keys, "data", wrong[0]), wrong[1])
        if project.schedule:
            _due(file, text, (*keys, "schedule"), project.schedule)
        if wrong := next(_wrong_about_reading(project), None):
            raise written.refused(file, text, (*keys, wrong[0]), wrong[1])
    _of_one_credential(file, text, read.projects)
    return read


def _grouped(project: Project, groups: Groups) -> Project:
    """Return an entry with the groups it names; its own go before those of the whole file."""
    roles = project.roles or Roles()
    names = (*project.approvers, *project.required, *roles.viewer, *roles.operator, *roles.admin)
    return msgspec.structs.replace(project, groups=people.named(names, {**groups, **project.groups}))


def _wrong_about_people(project: Project) -> Iterator[tuple[written.Keys, str]]:
    """Yield the key and what to say of it, for each thing that is wrong about who decides."""
    found = written.found
    named: list[tuple[written.Keys, tuple[str, ...]]] = [(("approvers",), project.approvers)]
    if project.roles:
        roles = msgspec.structs.asdict(project.roles)
        named += [(("roles", role), who) for role, who in roles.items()]
    for keys, names in named:
        for who in names:
            if who.startswith("@") and who[1:] not in project.groups:
                yield keys, found(who, "a person's address, or @ and the name of a group in [groups]")
    approvers = people.resolved(project.approvers, project.groups)
    if not approvers:
        yield ("approvers",), found([], "at least one approver")
    if project.quorum > len(approvers):
        yield ("quorum",), found(project.quorum, f"at least 1 and at most {len(approvers)}, the number of approvers")
    for name in project.required:
        if name not in project.approvers or not name.startswith("@"):
            yield ("required",), found(name, "a group that stands among the approvers, such as @risk")
    for each in project.delegations:
        if not people.among(each.giver, approvers):
            yield ("delegations", "from"), found(each.giver, f"one of the approvers: {', '.join(approvers)}")
        if each.to.startswith("@") or not each.to.strip() or people.same(each.to, each.giver):
            yield ("delegations", "to"), found(each.to, "the address of another person")


def _due(file: str, text: str, keys: written.Keys, schedule: str) -> None:
    try:
        ncrontab.six_fields(schedule)
    except ValueError as error:
        allowed = f'an NCRONTAB such as "0 0 2 * * *": it {error}'
        raise written.refused(file, text, keys, written.found(schedule, allowed)) from error


def _wrong_about_data(place: DataPlace) -> tuple[str, str] | None:
    """Return the key and what to say of it when no blob that comes could ever be what is waited for."""
    if not _CONTAINER.fullmatch(place.container):
        return "container", written.found(place.container, "a container: 3 to 63 lower-case letters, digits and -")
    # Names are whole: a manifest without the prefix would be waited for for ever.
    sure = re.split(r"[*?\[]", place.manifest, maxsplit=1)[0]
    common = len(place.prefix) if sure == place.manifest else min(len(sure), len(place.prefix))
    if place.manifest and sure[:common] != place.prefix[:common]:
        allowed = f'a name or a glob of whole names, which all begin with the prefix "{place.prefix}"'
        return "manifest", written.found(place.manifest, allowed)
    return None


def _wrong_about_reading(project: Project) -> Iterator[tuple[str, str]]:
    """Yield the key and what to say of it, for each thing that is wrong about where the code comes from."""
    if _has_password(project.repository):
        yield "repository", "holds a password, allowed is an address without one: put it into a secret (`credential`)"
    if project.credential and not _SECRET.fullmatch(project.credential):
        # It may be the token itself that stands there: it is not repeated.
        yield "credential", "is no name of a secret, allowed are capital letters, digits and _: never the secret itself"
    yield from _wrong_about_telling(project)
    for glob in project.watch:
        falling = any(first > last for first, last in re.findall(r"(\w)-(\w)", "".join(_ONE_OF.findall(glob))))
        if falling or _NO_GLOB.search(_ONE_OF.sub("x", glob)):
            yield "watch", written.found(glob, _GLOB)


def _wrong_about_telling(project: Project) -> Iterator[tuple[str, str]]:
    tell = project.tell
    if tell is None:
        return
    for name in (*tell.to, *([tell.token] if tell.token else [])):
        if not _SECRET.fullmatch(name):
            # An address of Apprise holds its secret, so it is not repeated.
            yield "tell", "names no secret, allowed are capital letters, digits and _: never an address or a token"
    if tell.statuses and not tell.token and not project.credential:
        yield "tell", "wants statuses and has no token, allowed is the name of the secret that may write them (`token`)"
    if tell.statuses and not _ON_A_HOST.match(project.repository):
        allowed = "a repository on a git host, over https or ssh, or on this machine"
        yield "tell", f"wants statuses, allowed for {allowed}, and {project.repository} is none"


def _has_password(address: str) -> bool:
    authority = address.partition("://")[2].partition("/")[0]
    return ":" in authority.rpartition("@")[0]


def _of_one_credential(file: str, text: str, projects: Mapping[str, Project]) -> None:
    """Refuse two credentials for one repository: it is read once for all of its projects."""
    first: dict[str, str] = {}
    for name, project in projects.items():
        other = first.setdefault(project.repository, name)
        if projects[other].credential != project.credential:
            problem = f"is another one than that of {other}, allowed is one credential for one repository"
            raise written.refused(file, text, ("projects", name, "credential"), problem)
