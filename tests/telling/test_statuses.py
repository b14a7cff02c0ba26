"""What git hosts are sent for a status, and what their answers mean: one suite for all of them."""

import asyncio
import json
import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from shared.backends.statuses import Account, HostStatuses, azure_devops, github, gitlab
from shared.backends.statuses.call import Said
from shared.errors import Blocked, Unavailable
from shared.release.config import GitHost
from shared.release.telling import Stands
from tests.telling.conftest import Sink

COMMIT = "a" * 40
TOKEN = "a-token-nobody-may-see"
LINK = "https://signalbox.example.org/api/pages/releases/r"
SAID = Said(COMMIT, "signalbox/prices/check", "pending", "14 tests", LINK)
RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())
HOSTS: list[GitHost] = ["github", "gitlab", "azure-devops"]
PATHS = {"github": "/acme/prices.git", "gitlab": "/acme/models/prices.git", "azure-devops": "/acme/models/_git/prices"}


def post(sink: Sink, host: GitHost, state: Stands = "pending") -> None:
    statuses = HostStatuses({"prices": Account(host, sink.url + PATHS[host], "HOST_TOKEN", TOKEN)})
    asyncio.run(statuses.post("prices", COMMIT, "signalbox/prices/check", state, "14 tests", LINK))


@pytest.mark.parametrize("state", ["pending", "success", "failure"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_sent_what_was_recorded_and_takes_it_as_often_as_it_is_told(
    host: GitHost, state: Stands, sink: Sink
) -> None:
    recorded = RECORDED[host]
    sink.answers = [(recorded["answer"]["status"], json.dumps(recorded["answer"]["body"]))]
    for _ in range(2):
        post(sink, host, state)
    expected = json.loads(json.dumps(recorded["request"]).replace("STATE", recorded["states"][state]))
    if host == "azure-devops":
        expected["authorization"] = f"Basic {b64encode(f':{TOKEN}'.encode()).decode()}"
    assert sink.got == [expected, expected]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_cannot_take_it_now_is_told_again(host: GitHost, status: int, sink: Sink) -> None:
    sink.answers = [(status, "{}")]
    with pytest.raises(Unavailable) as refused:
        post(sink, host)
    assert not isinstance(refused.value, Blocked)


@pytest.mark.parametrize("status", [203, 302, 400, 401, 403, 404, 422])
@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_will_not_take_it_is_not_asked_again_and_says_what_to_look_at(
    host: GitHost, status: int, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # A token never follows to where an answer points.
    sink.answers, sink.headers = [(status, f"you sent {TOKEN}")], {"Location": f"{sink.url}/elsewhere"}
    with pytest.raises(Blocked) as refused:
        post(sink, host)
    assert f"{host} did not take the status (it answered {status})" in str(refused.value)
    assert "HOST_TOKEN" in str(refused.value)
    assert "acme" not in str(refused.value)
    assert len(sink.got) == 1
    assert TOKEN not in str(refused.value) + caplog.text + repr(Account(host, "r", "HOST_TOKEN", TOKEN))


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_not_there_is_told_again(host: GitHost, sink: Sink) -> None:
    sink.url = "http://127.0.0.1:9"
    with pytest.raises(Unavailable, match="cannot be asked"):
        post(sink, host)


def test_gitlab_refuses_what_is_pending_already_and_that_is_no_failure(sink: Sink) -> None:
    for refusal in RECORDED["gitlab"]["stands"]:
        sink.answers = [(400, json.dumps(refusal))]
        post(sink, "gitlab")
    sink.answers = [(400, '{"message": "state does not have a valid value"}')]
    with pytest.raises(Blocked):
        post(sink, "gitlab")


def test_a_password_of_this_machine_for_that_host_is_not_sent_in_place_of_the_token(
    sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    post(sink, "github")
    assert sink.got[0]["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("host", "repository", "url"),
    [
        (github, "https://github.com/acme/prices.git", "https://api.github.com/repos/acme/prices/statuses/"),
        (github, "git@github.com:acme/prices.git", "https://api.github.com/repos/acme/prices/statuses/"),
        (github, "https://ghe.example.org/acme/prices/", "https://ghe.example.org/api/v3/repos/acme/prices/statuses/"),
        (github, "https://github.com.evil.example/a/b", "https://github.com.evil.example/api/v3/repos/a/b/statuses/"),
        (gitlab, "https://gitlab.com/a/b/c.git", "https://gitlab.com/api/v4/projects/a%2Fb%2Fc/statuses/"),
        (gitlab, "ssh://git@gl.example.org:2222/a/b.git", "https://gl.example.org/api/v4/projects/a%2Fb/statuses/"),
        (gitlab, "https://me@gl.example.org:8443/a/b", "https://gl.example.org:8443/api/v4/projects/a%2Fb/statuses/"),
        *(
            (azure_devops, repository, f"{home}/_apis/git/repositories/prices/commits/")
            for repository, home in {
                "https://dev.azure.com/acme/my%20models/_git/prices": "https://dev.azure.com/acme/my%20models",
                "https://acme@dev.azure.com/acme/models/_git/prices": "https://dev.azure.com/acme/models",
                "https://dev.azure.com/acme/_git/prices": "https://dev.azure.com/acme/prices",
                "git@ssh.dev.azure.com:v3/acme/models/prices": "https://dev.azure.com/acme/models",
                "https://acme.visualstudio.com/models/_git/prices": "https://acme.visualstudio.com/models",
                "https://acme.visualstudio.com/_git/prices": "https://acme.visualstudio.com/prices",
                "https://tfs.example.org/tfs/Main/models/_git/prices": "https://tfs.example.org/tfs/Main/models",
            }.items()
        ),
    ],
)
def test_the_address_is_derived_from_the_configured_repository(host: Any, repository: str, url: str) -> None:
    assert host.call(repository, TOKEN, SAID).url.partition(COMMIT)[0] == url
