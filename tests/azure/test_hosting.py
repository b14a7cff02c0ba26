"""Staging: one service a release, made once, asked with its key; and what people read when it does not come up."""

import json
import urllib.error
import urllib.request

from tests.azure.releases import RELEASE, Tiny

ROWS = json.dumps({"data": [{"a": 1, "b": 1}, {"a": 0, "b": 2}]}).encode()


def scored(url: str, key: str, body: bytes = ROWS) -> list[float]:
    """Ask a service as its users do."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
        found: list[float] = json.loads(answer.read())
    return found


def key_of(tiny: Tiny, service: str) -> str:
    """Return the key of a service, as its owner gets it."""
    from azureml.core import Webservice

    return str(tiny.azure.now("a key", lambda workspace: Webservice(workspace, service).get_keys()[0]))


def test_a_release_is_registered_packaged_deployed_and_answers(tiny: Tiny) -> None:
    image = tiny.package()

    slot = tiny.deploy("staging", RELEASE, image)
    service = tiny.stands(slot)

    assert (service.status, service.image) == ("answering", image), service.log
    assert scored(service.url, key_of(tiny, f"r{slot}")) == [5, 6]
