"""The two files people write: what is wrong is said with file, line, key, what was found and what is allowed."""

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotUnderstood
from shared.release import config, ids, project_file, written
from shared.release.config import read_projects
from shared.release.people import Delegation, Roles
from shared.release.project_file import ProjectFile, read_project_file

FILE = '[data]\ntarget = "price"\n[evaluate]\nmetric = "rmse"\n'
KEYS_OF_TRAIN = (
    "allowed is script, requirements, arguments, seed, minutes, compute, image, conda, max_hours, pipeline_endpoint"
)
HOUSES = '[projects.houses]\nrepository = "https://git.example.org/houses.git"\napprovers = ["ana", "bo"]\n'
METRICS = "one of accuracy, average_precision, balanced_accuracy, f1, f1_macro, log_loss, mae, mape, medae, precision"


def test_a_project_file_of_four_lines_is_enough_and_the_rest_is_as_documented() -> None:
    read = read_project_file(FILE)
    assert read == ProjectFile(data=project_file.DataTable("price"), evaluate=project_file.EvaluateTable("rmse"))
    assert (read.train.script, read.score.script, read.test.paths) == ("train.py", "score.py", ("tests",))


def test_an_operators_file_is_read_by_the_names_of_the_projects() -> None:
    flights = HOUSES.replace("houses", "flights") + 'data = { container = "lake" }\nquorum = 2\n'
    read = read_projects(HOUSES + flights).projects
    assert list(read) == ["houses", "flights"]
    assert read["flights"].data == config.DataPlace("lake")
    assert read["houses"].policy == config.Policy()


def test_an_operators_file_may_have_no_project_yet() -> None:
    assert read_projects("[projects]\n").projects == {}


def test_the_digest_of_an_entry_changes_with_every_decision_of_the_operator_and_with_nothing_else() -> None:
    entry = read_projects(HOUSES).projects["houses"]
    assert read_projects("# a word\n" + HOUSES + "quorum = 1\n").projects["houses"].digest == entry.digest
    changes = [
        "quorum = 2",
        'registered_elsewhere = "adopt"',
        'branch = "release"',
        "self_approval = true",
        'secrets = ["A"]',
        "policy.min_gain = 0.1",
        'holdout.by = "newest"',
        'data.container = "lake"',
    ]
    digests = {read_projects(f"{HOUSES}{change}\n").projects["houses"].digest for change in changes}
    assert len(digests | {entry.digest}) == len(changes) + 1


WRONG_FILES = [
    # An unknown key, in every way TOML has to write it.
    (
        FILE + '[train]\nscirpt = "a.py"\n',
        'signalbox.toml, line 6: scirpt = "a.py": train.scirpt is not known here, '
        + KEYS_OF_TRAIN
        + '. Did you mean "script"?',
    ),
    (
        "train = { sead = 3 }\n" + FILE,
        "signalbox.toml, line 1: train = { sead = 3 }: train.sead is not known here, "
        + KEYS_OF_TRAIN
        + '. Did you mean "seed"?',
    ),
    (
        'train."zzz" = 3\n' + FILE,
        'signalbox.toml, line 1: train."zzz" = 3: train.zzz is not known here, ' + KEYS_OF_TRAIN,
    ),
    (
        FILE + "[trian]\nseed = 3\n",
        "signalbox.toml, line 5: [trian]: trian is not known here, "
        'allowed is data, evaluate, train, score, test. Did you mean "train"?',
    ),
    # A key that must be there.
    ("", "signalbox.toml: data is missing, allowed is a table with target, files, schema"),
    (
        FILE.replace("target", "# target"),
        "signalbox.toml, line 1: [data]: data.target is missing, allowed is a text",
    ),
    (
        '[data]\ntarget = "price"\n[evaluate]\n',
        f"signalbox.toml, line 3: [evaluate]: evaluate.metric is missing, allowed is {METRICS}",
    ),
    # A value of another kind.
    (
        FILE.replace('"price"', "3"),
        "signalbox.toml, line 2: target = 3: data.target is 3, allowed is a text",
    ),
    (
        FILE.replace("rmse", "rsme"),
        f'signalbox.toml, line 4: metric = "rsme": evaluate.metric is "rsme", allowed is {METRICS}',
    ),
    (
        FILE + '[score]\ninput = "record"\n',
        'signalbox.toml, line 6: input = "record": score.input is "record", '
        'allowed is one of records, rows. Did you mean "records"?',
    ),
    (
        FILE + '[train]\nseed = "7"\n',
        'signalbox.toml, line 6: seed = "7": train.seed is "7", '
        "allowed is a whole number at least 0 and at most 4294967295",
    ),
    (
        FILE + "[train]\nseed = 7.5\n",
        "signalbox.toml, line 6: seed = 7.5: train.seed is 7.5, allowed is a whole number at least 0 and at most",
    ),
    (
        FILE + "[train]\nseed = 1979-05-27\n",
        'signalbox.toml, line 6: seed = 1979-05-27: train.seed is "1979-05-27", allowed is a whole number',
    ),
    (
        FILE + '[train]\narguments = [\n  "--data",\n  3,\n]\n',
        "signalbox.toml, line 6: arguments = [: train.arguments[1] is 3, allowed is a text",
    ),
    (
        FILE + '[test]\npaths = "tests"\n',
        'signalbox.toml, line 6: paths = "tests": test.paths is "tests", allowed is a list of texts',
    ),
    (
        'data = "price"\n[evaluate]\nmetric = "rmse"\n',
        'signalbox.toml, line 1: data = "price": data is "price", allowed is a table with target, files, schema',
    ),
    # A value out of its bounds.
    (
        FILE + "[train]\nminutes = 0\n",
        "signalbox.toml, line 6: minutes = 0: train.minutes is 0, allowed is a number above 0 and at most 1440",
    ),
    (FILE + "[train]\nminutes = nan\n", "train.minutes is NaN, allowed is a number above 0 and at most 1440"),
    (FILE + "[train]\nminutes = inf\n", "train.minutes is Infinity, allowed is a number above 0 and at most 1440"),
    (FILE + "[train]\nseed = -1\n", "train.seed is -1, allowed is a whole number at least 0 and at most 4294967295"),
    # A path that leaves the project.
    (
        FILE + '[train]\nscript = "/etc/train.py"\n',
        'line 6: script = "/etc/train.py": train.script is "/etc/train.py", allowed is a path within the project',
    ),
    (
        FILE + '[train]\nrequirements = "../requirements.txt"\n',
        'train.requirements is "../requirements.txt", allowed is a path within the project',
    ),
    (
        FILE + '[score]\nscript = "a/../../score.py"\n',
        'score.script is "a/../../score.py", allowed is a path within the project',
    ),
    (
        FILE + '[test]\npaths = ["tests", "../other"]\n',
        'line 6: paths = ["tests", "../other"]: test.paths[1] is "../other", allowed is a path within the project',
    ),
    (
        FILE.replace("[evaluate]", 'schema = "../schema.py:check"\n[evaluate]'),
        'line 3: schema = "../schema.py:check": data.schema is "../schema.py", allowed is a path within the project',
    ),
    (
        FILE + '[train]\npipeline_endpoint = "http://ml.example.org/pipelines/5b6c"\n',
        "allowed is the REST address of a published pipeline, https://...",
    ),
    (FILE + '[train]\nconda = "../env.yml"\n', 'train.conda is "../env.yml", allowed is a path within the project'),
    # No TOML at all.
    ("[data\n", "signalbox.toml is no TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
    ("a = " + "[" * 20_000, "signalbox.toml is no TOML: maximum recursion depth exceeded"),
    ("a = " + "1" * 5000, "signalbox.toml is no TOML: Exceeds the limit"),
]


@pytest.mark.parametrize(("text", "message"), WRONG_FILES, ids=[message[:60] for _, message in WRONG_FILES])
def test_a_wrong_signalbox_toml_is_refused_with_file_line_key_found_and_allowed(text: str, message: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_project_file(text)
    assert message in str(refused.value)
    assert str(refused.value).startswith("signalbox.toml")


WRONG_PROJECTS = [
    ("", "projects.toml: projects is missing, allowed is a table of tables"),
    (
        HOUSES.replace("projects.", "project."),
        "projects.toml, line 1: [project.houses]: project is not known here, "
        'allowed is projects, groups. Did you mean "projects"?',
    ),
    ("projects = 3\n", "projects.toml, line 1: projects = 3: projects is 3, allowed is a table of tables"),
    (
        "[projects]\nhouses = 3\n",
        "projects.toml, line 2: houses = 3: projects.houses is 3, allowed is a table with repository, approvers",
    ),
    (
        HOUSES.replace("approvers", "approver"),
        'projects.toml, line 3: approver = ["ana", "bo"]: projects.houses.approver is not known here, '
        "allowed is repository, approvers, secrets, branch, path, watch, credential, quorum, self_approval, data, "
        "holdout, policy, drift_monitors, governor, on_newer, schedule, registered_elsewhere, tell, expect, required, "
        "delegations, roles, groups, outside_ci. "
        'Did you mean "approvers"?',
    ),
    (
        "[projects.houses]\napprovers = []\n",
        "projects.toml, line 1: [projects.houses]: projects.houses.repository is missing, allowed is a text",
    ),
    (
        "[projects.houses]\nrepository = 'r'\n",
        "projects.toml, line 1: [projects.houses]: projects.houses.approvers is missing, allowed is a list of texts",
    ),
    (
        HOUSES + 'holdout = { by = "hsah" }\n',
        'projects.toml, line 4: holdout = { by = "hsah" }: projects.houses.holdout.by is "hsah", '
        'allowed is one of hash, newest. Did you mean "hash"?',
    ),
    (
        HOUSES + '[projects.houses.holdout]\nby = "random"\n',
        'projects.toml, line 5: by = "random": projects.houses.holdout.by is "random", allowed is one of hash, newest',
    ),
    (
        HOUSES + 'policy.promote_when = "worse"\n',
        'projects.toml, line 4: policy.promote_when = "worse": projects.houses.policy.promote_when is "worse", '
        'allowed is one of better, not worse. Did you mean "not worse"?',
    ),
    (
        HOUSES + HOUSES.replace("houses]", "flights]") + 'data = { container = "lake", prefx = "in/" }\n',
        'projects.toml, line 7: data = { container = "lake", prefx = "in/" }: projects.flights.data.prefx '
        'is not known here, allowed is container, prefix, quiet_seconds, manifest. Did you mean "prefix"?',
    ),
    (
        HOUSES + '[projects.houses.data]\nprefix = "in/"\n',
        "projects.toml, line 4: [projects.houses.data]: projects.houses.data.container is missing, allowed is a text",
    ),
    (HOUSES + "data = 3\n", "projects.houses.data is 3, allowed is a table with container, prefix, quiet_"),
    (HOUSES + 'self_approval = "yes"\n', 'projects.houses.self_approval is "yes", allowed is true or false'),
    (HOUSES + "holdout.fraction = 1\n", "projects.houses.holdout.fraction is 1, allowed is a number above 0 and below"),
    (HOUSES + "holdout.fraction = nan\n", "projects.houses.holdout.fraction is NaN, allowed is a number above 0"),
    (
        HOUSES + "policy.min_gain = -0.1\n",
        "policy.min_gain is -0.1, allowed is a number at least 0 and at most 1000000",
    ),
    (HOUSES + "policy.min_gain = inf\n", "projects.houses.policy.min_gain is Infinity, allowed is a number at least 0"),
    (HOUSES + "policy.noise_loss = 0\n", "projects.houses.policy.noise_loss is 0, allowed is a number above 0"),
    (HOUSES + "policy.latency_ms = 0\n", "projects.houses.policy.latency_ms is 0, allowed is a number above 0"),
    (HOUSES + "policy.answer_days = 0\n", "policy.answer_days is 0, allowed is a number above 0 and at most 365"),
    (HOUSES + "quorum = 0\n", "projects.houses.quorum is 0, allowed is a whole number at least 1"),
    (
        HOUSES + "quorum = 3\n",
        "projects.toml, line 4: quorum = 3: projects.houses.quorum is 3, "
        "allowed is at least 1 and at most 2, the number of approvers",
    ),
    (
        HOUSES.replace('"bo"', '"ana"') + "quorum = 2\n",
        "projects.houses.quorum is 2, allowed is at least 1 and at most 1, the number of approvers",
    ),
    (
        HOUSES.replace('"ana", "bo"', ""),
        "projects.toml, line 3: approvers = []: projects.houses.approvers is [], allowed is at least one approver",
    ),
    (
        HOUSES.replace("[projects.houses]", '[projects."My Houses"]'),
        'projects.toml, line 1: [projects."My Houses"]: projects.My Houses is "My Houses", '
        "allowed is a name of at most 63 lower-case letters, digits",
    ),
    (
        HOUSES + 'schedule = "0 2 * *"\n',
        'projects.toml, line 4: schedule = "0 2 * *": projects.houses.schedule is "0 2 * *", '
        'allowed is an NCRONTAB such as "0 0 2 * * *": it has 4 fields; NCRONTAB has 6 (seconds first) or 5',
    ),
    (HOUSES + 'schedule = "@daily * * * *"\n', "field 2 ('@daily') is not NCRONTAB"),
    (
        HOUSES + 'data = { container = "signalbox-dead-letter" }\n',
        'projects.houses.data.container is "signalbox-dead-letter", allowed is a container of your own; '
        "names that begin with signalbox-, azure-webjobs-, $ are the app's and its host's",
    ),
    (
        HOUSES + 'data = { container = "houses", prefix = "in/", manifest = "_SUCCESS" }\n',
        'projects.houses.data.manifest is "_SUCCESS", allowed is a name or a glob of whole names, which all begin with '
        'the prefix "in/"',
    ),
    (HOUSES + 'data = { container = "houses", prefix = "in/", manifest = "out/*" }\n', 'begin with the prefix "in/"'),
    (HOUSES + 'data = { container = "Houses" }\n', 'data.container is "Houses", allowed is a container: 3 to 63'),
    (HOUSES + 'data = { container = "houses/in" }\n', "3 to 63 lower-case letters, digits and -"),
    (HOUSES + 'on_newer = "stop"\n', 'projects.houses.on_newer is "stop", allowed is one of cancel, finish, queue'),
    (HOUSES + "governor.per_hour = 0\n", "governor.per_hour is 0, allowed is a whole number at least 1 and at most"),
    (
        HOUSES.replace("//git", "//robot:hunter2@git"),
        'projects.toml, line 2: repository = "https://...@git.example.org/houses.git": projects.houses.repository '
        "holds a password, allowed is an address without one: put it into a secret (`credential`)",
    ),
    (
        HOUSES + 'credential = "ghp_hunter2"\n',
        'projects.toml, line 4: credential = "...": projects.houses.credential is no name of a secret, '
        "allowed are capital letters, digits and _: never the secret itself",
    ),
    (
        'projects.houses = { repository = "r", approvers = ["ana"], credential = "ghp_hunter2" }\n',
        'projects.toml, line 1: projects.houses = { repository = "r", approvers = ["ana"], credential = "..." }: ',
    ),
    (
        HOUSES + HOUSES.replace("houses]", "flights]") + 'credential = "ACME_READ"\n',
        "projects.flights.credential is another one than that of houses, allowed is one credential for one repository",
    ),
    (
        HOUSES + 'watch = ["libs/**", "libs/{a,b}"]\n',
        'projects.toml, line 4: watch = ["libs/**", "libs/{a,b}"]: projects.houses.watch is "libs/{a,b}", '
        "allowed is a glob as .gitignore has them, from the root of the repository; for {a,b} write two",
    ),
    (HOUSES + 'watch = "libs/**"\n', 'projects.houses.watch is "libs/**", allowed is a list of texts'),
    *(
        (HOUSES + f"watch = ['{glob}']\n", "projects.houses.watch is ")
        for glob in ("", " ", "#libs", "!", "/", "../libs", "libs/..", "!./libs", "a[", "[]a]", "[z-a]", "[[a]", "a\\")
    ),
    (HOUSES + "[projects.houses]\n", "projects.toml is no TOML: Cannot declare ('projects', 'houses') twice"),
]


@pytest.mark.parametrize(("text", "message"), WRONG_PROJECTS, ids=[message[:60] for _, message in WRONG_PROJECTS])
def test_a_wrong_projects_toml_is_refused_with_file_line_key_found_and_allowed(text: str, message: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_projects(text)
    assert message in str(refused.value)
    assert str(refused.value).startswith("projects.toml")


@pytest.mark.parametrize("wrong", ["ghp_hunter2", "robot:hunter2"])
def test_what_may_be_a_credential_is_not_repeated(wrong: str) -> None:
    for line in (
        f'credential = "{wrong}"',
        f"credential = '{wrong}'",
        f'"credential"="{wrong}"',
        f"credential = {wrong}",
    ):
        with pytest.raises(NotUnderstood) as refused:
            read_projects(f"{HOUSES}{line.format(wrong)}\nquorum = 3\n")
        assert "hunter2" not in str(refused.value)


def test_where_the_code_comes_from_is_read_as_written() -> None:
    globs = ["libs/**", "!*.md", "/setup.cfg", "models/[a-z0-9].py", ".config/", "x?/*"]
    text = HOUSES.replace("https://", "https://acme@")
    read = read_projects(f'{text}path = "models/houses"\nwatch = {globs}\ncredential = "ACME_READ_2"\n')
    houses = read.projects["houses"]
    assert (houses.path, houses.watch, houses.credential) == ("models/houses", tuple(globs), "ACME_READ_2")
    assert read_projects(HOUSES).projects["houses"].digest != houses.digest


def test_a_value_too_long_to_repeat_is_cut() -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_project_file(FILE + f'[score]\ninput = "{"x" * 5000}"\n')
    assert len(str(refused.value)) < 400
    assert "xxx..., allowed is one of records, rows" in str(refused.value)


KEYS = st.sampled_from(
    ["data", "target", "evaluate", "metric", "train", "seed", "projects", "houses", "x y", "holdout"]
)
VALUES = st.recursive(
    st.one_of(st.integers(), st.floats(), st.booleans(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(raw=st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_stands_in_a_file_is_read_or_refused_and_nothing_else(raw: dict[str, object]) -> None:
    text = written_as_toml(raw)
    assert refusal(read_project_file, text).startswith(("signalbox.toml", "nothing"))
    assert refusal(read_projects, text).startswith(("projects.toml", "nothing"))


def refusal(read: Callable[[str], object], text: str) -> str:
    try:
        read(text)
    except NotUnderstood as refused:
        return str(refused)
    return "nothing is wrong"


def written_as_toml(raw: dict[str, object]) -> str:
    return "\n".join(f'"{key}" = {inline(value)}' for key, value in raw.items())


def inline(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f'"{key}" = {inline(inner)}' for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case float():
            return str(value)
        case _:
            return msgspec.json.encode(value).decode()


def test_the_way_to_a_value_is_written_as_people_write_it() -> None:
    assert written.dotted(("test", "paths", 1)) == "test.paths[1]"


BELOW = [("in/", "in/_SUCCESS"), ("in/", "*/_SUCCESS"), ("in/", "i?/x"), ("", "x"), ("", "")]


@pytest.mark.parametrize(("prefix", "manifest"), BELOW)
def test_a_manifest_that_may_come_below_the_prefix_is_taken(prefix: str, manifest: str) -> None:
    data = f'data = {{ container = "houses", prefix = "{prefix}", manifest = "{manifest}" }}\n'
    place = read_projects(HOUSES + data).projects["houses"].data
    assert place is not None
    assert place.manifest == manifest


CAME_LATER: dict[str, Any] = {
    "registered_elsewhere": "adopt",
    "expect": {"data": 24.0},
    "required": ("@risk",),
    "delegations": (Delegation("ana", "dee", date(2026, 12, 1)),),
    "roles": Roles(viewer=("bo",)),
    "groups": {"risk": ("cy",)},
    "outside_ci": "tests",
}


@pytest.mark.parametrize("name", CAME_LATER)
def test_an_entry_that_says_nothing_of_what_came_later_keeps_the_digest_it_had(name: str) -> None:
    entry = read_projects(HOUSES).projects["houses"]
    known = {key: value for key, value in msgspec.to_builtins(entry).items() if key not in {*CAME_LATER, "tell"}}
    assert entry.digest == ids.sha256(ids.canonical(known))
    assert msgspec.structs.replace(entry, **{name: CAME_LATER[name]}).digest != entry.digest


def test_who_is_told_changes_no_digest_of_an_entry() -> None:
    entry = read_projects(HOUSES).projects["houses"]
    told = read_projects(HOUSES + TELL + 'to = ["TEAM_SLACK"]\n').projects["houses"]
    assert told.tell is not None
    assert told.tell.events == ("asked", "reminded", "decided", "live", "failed", "rolled back")
    assert told.digest == entry.digest


TELL = "[projects.houses.tell]\n"
ON_HOST = HOUSES.replace(read_projects(HOUSES).projects["houses"].repository, "{}")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('to = ["slack://hook-token/of/ours"]', "names no secret"),
        ('statuses = "github"\ntoken = "ghp_hook-token"', "names no secret"),
        ('statuses = "github"', "has no token, allowed is the name of the secret"),
        ('statuses = "bitbucket"\ntoken = "HOST"', "allowed is one of"),
        ('events = ["lived"]', "allowed is one of"),
    ],
)
def test_a_wrong_table_of_who_is_told_is_refused_without_what_may_be_a_secret(entry: str, said: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_projects(HOUSES + TELL + entry + "\n")
    assert said in str(refused.value)
    assert "hook-token" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "/srv/git/houses.git",
        "file:///srv/git/houses.git",
        "https://git.example.org",
        "http://git.example.org/a/b.git",
        "http://127.0.0.1.example.org/a/b",
        "http://localhost@git.example.org/a/b",
    ],
)
def test_statuses_are_for_a_repository_on_a_git_host_and_their_token_goes_nowhere_in_plain(address: str) -> None:
    with pytest.raises(NotUnderstood, match="allowed for a repository on a git host"):
        read_projects(ON_HOST.format(address) + TELL + 'statuses = "gitlab"\ntoken = "HOST"\n')


@pytest.mark.parametrize(
    "address", ["https://h.example/a/b", "git@h.example:a/b.git", "ssh://git@h.example/a", "http://127.0.0.1:80/a"]
)
def test_a_repository_on_a_git_host_may_have_statuses(address: str) -> None:
    read = read_projects(ON_HOST.format(address) + TELL + 'statuses = "gitlab"\ntoken = "HOST"\n')
    assert read.projects["houses"].tell is not None
