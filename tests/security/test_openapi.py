"""The description of what can be asked holds, and nothing that fits it, or nearly does, breaks the app."""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shared import openapi
from shared.sources import people
from tests.functions.conftest import App
from tests.security import asking
from tests.security.serving import Served


@pytest.fixture
def served(app: App) -> Served:
    return Served(app)


def described(served: Served) -> dict[str, Any]:
    return openapi.document(route for _, route, _ in served.routes)


def test_every_route_of_the_app_is_described_and_nothing_else(served: Served) -> None:
    routed = {(route.function, method) for _, route, _ in served.routes for method in route.methods}
    told = {(each.function, each.method) for each in openapi.OPERATIONS}
    assert told == routed, "say in shared/openapi.py what can be asked of it"
    templates = {route.function: template for template, route, _ in served.routes}
    for each in openapi.OPERATIONS:
        assert templates[each.function].match(each.path) is not None, f"{each.path} does not lead to {each.function}"


@pytest.mark.parametrize("each", [each for each in openapi.OPERATIONS if each.function != "on_push" and each.bodies])
def test_a_body_that_is_described_is_the_one_that_is_read(app: App, each: openapi.Operation) -> None:
    (shape,) = each.bodies
    release = app.world.push("a")
    app.world.run()
    path = each.path.format(release=release, project="houses", environment="production", event="1")
    template, _, function = next(found for found in Served(app).routes if found[1].function == each.function)
    match = template.match(path)
    assert match is not None
    body = json.dumps({"nothing of ours": 1}).encode()
    headers = {
        "content_type": "application/json",
        "idempotency_key": "k1",
        "authorization": f"Bearer {app.token(release)}",
    }
    answer = app.http(function, each.method, body, {}, dict(match), **headers)
    fields = ", ".join(shape.__struct_fields__)
    assert answer.status_code == 400
    assert f"The fields are {fields}." in answer.get_body().decode()


def test_the_description_is_openapi(served: Served) -> None:
    told = described(served)
    assert told["openapi"] == "3.1.0"
    references = set(re.findall(r'"#/components/schemas/([\w.]+)"', json.dumps(told)))
    assert references == set(told["components"]["schemas"])
    decision = told["components"]["schemas"][people.DecisionBody.__name__]
    assert decision["required"] == ["decision"]
    assert decision["properties"].keys() == set(msgspec.structs.asdict(people.DecisionBody("approve")))


def test_whatever_fits_the_description_or_nearly_does_is_answered_below_500(
    served: Served, record_property: Callable[[str, object], None]
) -> None:
    operations, seen = asking.ask(served, 8)
    record_property("figures", asking.told(operations, seen))
    assert {200, 202, 400, 403, 404} <= seen.keys()


def test_an_answer_of_500_is_found(app: App) -> None:
    class Broken(Served):
        def _asked(self, method: str, path: str, *given: Any) -> tuple[int, dict[str, str], bytes]:
            return super()._asked(method, path, *given) if path in ("openapi.json", "push") else (500, {}, b"")

    with pytest.raises(AssertionError, match="500"):
        asking.ask(Broken(app), 2)
