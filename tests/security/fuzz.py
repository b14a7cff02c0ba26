"""Whatever is sent, a verifier or reader of `shared/sources` answers with a value or with an error of ours.

`python -m tests.security.fuzz` sends each 20,000 inputs and prints what became of them.
In the same run each gets its valid payload, so that none is safe because it takes nothing.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from shared.errors import SignalboxError
from shared.release import tokens
from shared.release.notices import Ignored, Notice
from shared.sources import azure_devops, bitbucket, dead_letters, eventgrid, github, gitlab, identity, people, visits
from shared.sources.push import read_push
from shared.sources.signatures import Secret

PAYLOADS = Path(__file__).resolve().parents[1] / "sources" / "payloads"
INPUTS = 20_000
SECRETS = [Secret("houses", "HOUSES_PUSH", b"the first secret"), Secret("rents", "RENTS_PUSH", b"the second")]
KEY = b"a key that signs approval links"
NOW = 1_800_000_000
RELEASE, EVIDENCE = "0123456789abcdef0123", "sha256:" + "e" * 64
LINK = tokens.sign(KEY, tokens.Grant(RELEASE, "ana@example.org", EVIDENCE, NOW + 60))
PASS = tokens.sign_pass(KEY, tokens.Pass("ana@example.org", NOW + 60))
FORM = tokens.sign_form(KEY, "ana@example.org", RELEASE, EVIDENCE, NOW + 60)
SIGNED = "a signature of the body"
PRINCIPAL = {"auth_typ": "aad", "claims": [{"typ": "preferred_username", "val": "ana@example.org"}]}
GRID = ("run_completed", "run_failed", "model_registered", "model_deployed", "image_pushed", "blob_created")
DRIFTS = ("dataset_drift", "monitor_breach")

texts = st.text(max_size=30) | st.sampled_from(["", "\ud800", "\u202e", "é", "\x00", "9" * 5000, "refs/heads/main"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
)
odd_bytes = st.binary(max_size=60) | st.sampled_from(
    [b"{" * 100, b"[" * 5_000, b"\xff", b'{"a":NaN}', b'{"a":1,"a":2}']
)
headers = st.dictionaries(
    st.sampled_from(["Authorization", "Cookie", "Content-Type", "Origin", "Host"]), texts, max_size=3
)


def _places(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [at, *(place for key, value in inside for place in _places(value, (*at, key)))]


def _changed(document: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[place[0]] = _changed(document[place[0]], place[1:], new)
    return copy


@st.composite
def near(draw: st.DrawFn, valid: Any) -> Any:
    """Draw a document that differs from a valid one in up to three places."""
    document = valid
    for _ in range(draw(st.integers(0, 3))):
        document = _changed(document, draw(st.sampled_from(_places(document))), draw(values))
    return document


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def bodies(valid: Any) -> st.SearchStrategy[bytes]:
    """Draw bodies: near a valid one, cut short, of another shape, or no JSON at all."""
    whole = near(valid).map(_json)
    return (
        whole | st.tuples(whole, st.integers(0, 400)).map(lambda cut: cut[0][: cut[1]]) | values.map(_json) | odd_bytes
    )


class Reader(msgspec.Struct, frozen=True):
    """What is fuzzed: how it reads an input, inputs, and one that it must take."""

    name: str
    read: Callable[[Any], Any]
    inputs: st.SearchStrategy[Any]
    valid: Any


def _payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_bytes())


def _mac(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRETS[0].value, body, hashlib.sha256).hexdigest()


def _basic(password: bytes) -> str:
    return "Basic " + base64.b64encode(b"user:" + password).decode()


def _pushed(given: tuple[Mapping[str, str], bytes]) -> Any:
    """Read what a host sent with its proof; a signature is made anew, for nobody can draw one."""
    said, body = given
    proved = {name: _mac(body) if value == SIGNED else value for name, value in said.items()}
    return read_push({"Content-Length": str(len(body)), **proved}, body, SECRETS)[1]


def _trusts(host: Any, name: str, proves: Callable[[str, bytes], bool]) -> Callable[[tuple[str, bytes]], Any]:
    """Return what tells whom a host trusts by one header; it is an error to trust who proved nothing."""

    def read(given: tuple[str, bytes]) -> Any:
        value, body = given
        found = host.signed_by({name: value}, body, SECRETS)
        assert proves(value.strip(), body) or not found, "somebody was trusted who proved nothing"
        return found

    return read


def _is_mac(value: str, body: bytes) -> bool:
    return value in {"sha256=" + hmac.new(each.value, body, hashlib.sha256).hexdigest() for each in SECRETS}


def _is_secret(value: str, body: bytes) -> bool:
    return value.encode("utf-8", "replace") in {each.value for each in SECRETS}


def _is_password(value: str, body: bytes) -> bool:
    try:
        return base64.b64decode(value.partition(" ")[2].strip()).partition(b":")[2] in {each.value for each in SECRETS}
    except ValueError:
        return False


def _event(raw: Any) -> list[Notice]:
    event = eventgrid.normalise(raw)
    return [notice for read in dead_letters.READERS for notice in read(event)]


def _asked(given: tuple[str, Mapping[str, str], bytes]) -> Any:
    what, said, body = given
    named = {"Content-Type": "application/json", "Idempotency-Key": "k1", **said}
    match what:
        case "decision":
            return people.decision(KEY, NOW, RELEASE, {"token": LINK}, named, body)
        case "open":
            return people.open_request(named, body)
        case "environment":
            return people.environment_request("houses", "production", named, body)
        case "policy":
            return people.policy_request("houses", named, body)
        case "replay":
            return people.replay_request("e1/replay", named, body)
    return people.about_release(what, RELEASE, named, body)


def _token(token: str) -> Any:
    read: list[Any] = []
    for kind in (_link, _pass, _form):
        try:
            read.append(kind(token))
        except SignalboxError as error:
            refused = error
    if not read:
        raise refused
    assert token in (LINK, PASS, FORM), "a token was believed that we did not sign"
    return read


def _link(token: str) -> Any:
    return tokens.verify(KEY, token, NOW)


def _pass(token: str) -> Any:
    return tokens.verify_pass(KEY, token, NOW)


def _form(token: str) -> bool:
    tokens.check_form(KEY, token, "ana@example.org", RELEASE, EVIDENCE, NOW)
    return True


def _who(given: tuple[bool, Mapping[str, str], str]) -> Any:
    signed_in, said, token = given
    return identity.person(said, {"token": token}, KEY, NOW, signed_in)


def _visits(given: tuple[bool, Mapping[str, str], str]) -> Any:
    signed_in, said, token = given
    return visits.visitor(visits.Visit("pages", {"token": token}, said), KEY, NOW, signed_in)


def _asks(what: str, body: Any) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(what), headers, bodies(body))


def _cloud(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event in the schema of CloudEvents."""
    named = {"type": event["eventType"], "time": event["eventTime"], "source": event["topic"]}
    return {"specversion": "1.0", **named, **{key: event[key] for key in ("id", "subject", "data")}}


def almost(valid: str) -> st.SearchStrategy[str]:
    """Draw texts that differ from a valid one in one character, or that are a part of it."""
    place = st.integers(0, len(valid) - 1)
    changed = st.tuples(place, st.characters()).map(lambda to: valid[: to[0]] + to[1] + valid[to[0] + 1 :])
    return changed | place.map(lambda end: valid[:end]) | place.map(lambda start: valid[start:])


def _cut_and_mixed(whole: tuple[str, ...]) -> st.SearchStrategy[str]:
    parts = [part for each in whole for part in each.split(".")]
    return (
        st.lists(st.sampled_from(parts) | texts, max_size=4).map(".".join)
        | texts
        | st.sampled_from(whole).flatmap(almost)
    )


def _principal(document: Any) -> str:
    return base64.b64encode(_json(document)).decode()


PUSH, DEVOPS = _payload("github.push"), _payload("azure_devops.push")
BASIC = {"Authorization": _basic(b"the first secret")}
ASKED = {
    "decision": {"decision": "approve", "reason": "", "evidence": EVIDENCE},
    "open": {"project": "houses", "reason": "r", "by": "dee"},
    "cancel": {"reason": "r", "by": "dee"},
    "rerun": {"reason": "r", "by": "dee"},
    "replay": {"reason": "r", "by": "dee"},
    "policy": {"digest": EVIDENCE, "reason": "r", "by": "dee"},
    "environment": {"action": "rollback", "reason": "r", "by": "dee", "to": "v1"},
}
FORM_TYPE = "application/x-www-form-urlencoded"
_events = st.sampled_from(["push", "ping", "pull_request", "é", ""])
_kinds = st.sampled_from(["application/json", FORM_TYPE, "text/plain"])
_github_headers = st.fixed_dictionaries({"X-GitHub-Event": _events, "Content-Type": _kinds})
_grid = [_payload(name) for name in (*GRID, *DRIFTS)]
_clouds = [_cloud(event) for event in _grid]
_good = _basic(b"the second")
_signatures = almost(_mac(b"{}")) | st.text(max_size=80) | st.binary(max_size=32).map(lambda mac: "sha256=" + mac.hex())
_signed = st.tuples(_signatures, odd_bytes | st.just(b"{}"))
_worded = st.tuples(almost("the second") | texts, odd_bytes)
_passwords = st.tuples(almost(_good) | texts | st.binary(max_size=30).map(_basic), odd_bytes)


def _sent() -> Iterator[tuple[str, dict[str, str], st.SearchStrategy[dict[str, str]], Any]]:
    """Yield what each host sends: its headers, others that it may send, and a payload."""
    signed = {"X-Hub-Signature-256": SIGNED, "Content-Type": "application/json"}
    for event in ("push", "workflow_run"):
        kinds = st.fixed_dictionaries({"X-GitHub-Event": _events, "Content-Type": _kinds}).map(
            lambda more: signed | more
        )
        yield f"github: {event}", signed | {"X-GitHub-Event": event}, kinds, _payload(f"github.{event}")
    token = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "the second"}
    yield "gitlab: push", token, _events.map(lambda event: token | {"X-Gitlab-Event": event}), _payload("gitlab.push")
    bucket = {"X-Event-Key": "repo:push", "X-Hub-Signature": SIGNED}
    keys = st.sampled_from(["repo:push", "repo:fork", "é"]).map(lambda event: bucket | {"X-Event-Key": event})
    yield "bitbucket: push", bucket, keys, _payload("bitbucket.push")
    for event in ("push", "build"):
        yield f"azure devops: {event}", BASIC, st.just(BASIC), _payload(f"azure_devops.{event}")


_proofs = texts | near(PRINCIPAL).map(_principal) | st.just(f"Bearer {PASS}") | st.just(f"signalbox={PASS}")
_visitors = st.tuples(
    st.booleans(),
    st.dictionaries(st.sampled_from([identity.PRINCIPAL, "Authorization", "Cookie"]), _proofs),
    texts,
)
_visitor = (True, {identity.PRINCIPAL: _principal(PRINCIPAL)}, "")

READERS = (
    Reader("github: verifier", _trusts(github, "X-Hub-Signature-256", _is_mac), _signed, (_mac(b"{}"), b"{}")),
    Reader("gitlab: verifier", _trusts(gitlab, "X-Gitlab-Token", _is_secret), _worded, ("the second", b"{}")),
    Reader("bitbucket: verifier", _trusts(bitbucket, "X-Hub-Signature", _is_mac), _signed, (_mac(b"{}"), b"{}")),
    Reader("azure devops: password", _trusts(azure_devops, "Authorization", _is_password), _passwords, (_good, b"{}")),
    Reader("azure devops: header", _trusts(azure_devops, azure_devops.PROOF, _is_secret), _worded, ("the second", b"")),
    *(
        Reader(name, _pushed, st.tuples(st.just(said) | kinds, bodies(valid)), (said, _json(valid)))
        for name, said, kinds, valid in _sent()
    ),
    Reader("any host: headers", _pushed, st.tuples(headers, bodies(PUSH)), (BASIC, _json(DEVOPS))),
    Reader("event grid: its schema", _event, st.sampled_from(_grid).flatmap(near) | values, _grid[0]),
    Reader("event grid: cloud events", _event, st.sampled_from(_clouds).flatmap(near), _clouds[0]),
    Reader("dead letters", dead_letters.told, bodies([_grid[0]]), _json([_grid[0]])),
    *(Reader(f"people: {what}", _asked, _asks(what, body), (what, {}, _json(body))) for what, body in ASKED.items()),
    Reader("tokens", _token, _cut_and_mixed((LINK, PASS, FORM)), LINK),
    Reader("identity", _who, _visitors, _visitor),
    Reader("visits", _visits, _visitors, _visitor),
)


def _outcome(answer: Any) -> str:
    if isinstance(answer, list) and answer and all(isinstance(each, Ignored) for each in answer):
        return "ignored"
    return "taken" if answer else "nothing"


def fuzz(reader: Reader, inputs: int) -> Counter[str]:
    """Send so many inputs; return what became of them. An error that is not ours, or one of 500, is raised."""
    seen: Counter[str] = Counter()

    def once(given_input: Any) -> None:
        try:
            seen[_outcome(reader.read(given_input))] += 1
        except SignalboxError as error:
            if error.status >= 500:
                raise
            seen[type(error).__name__] += 1

    run = settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run(example(reader.valid)(given(reader.inputs)(once)))()
    assert _outcome(reader.read(reader.valid)) == "taken", f"{reader.name} does not take what is valid"
    return seen


def _run(number: int, inputs: int) -> str:
    reader = READERS[number]
    seen = fuzz(reader, inputs)
    return f"{reader.name:24}{seen.total():8,}  " + ", ".join(f"{count:,} {name}" for name, count in seen.most_common())


def asked(examples: int) -> str:
    """Send so many requests of each kind to the whole app over one world."""
    from shared import wiring
    from tests.functions.conftest import SECRET, App
    from tests.security import asking
    from tests.security.serving import Served
    from tests.world import World

    world = World()
    wiring.use(wiring.Wired(world.control, world.settings(SECRET), 0))
    world.now = wiring.now()
    return asking.told(*asking.ask(Served(App(world)), examples))


def main(arguments: list[str]) -> int:
    """Fuzz every reader, two at once, and print what became of the inputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    inputs = parser.parse_args(arguments).inputs
    with ProcessPoolExecutor(2) as pool:
        for line in pool.map(_run, range(len(READERS)), [inputs] * len(READERS)):
            print(line, flush=True)
    print(
        f"{len(READERS)} verifiers and readers, {inputs:,} inputs each: no error but ours, and each took its valid one"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
