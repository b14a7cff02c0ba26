"""What can be asked over HTTP, for programs: OpenAPI 3.1, made from the routes of the app and the shapes it reads.

A route of the app may stand for several operations; which they are is said here once, and a test holds both together.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from shared.sources import azure_devops, bitbucket, github, gitlab, people

JSON, FORM, HTML, TEXT = "application/json", "application/x-www-form-urlencoded", "text/html", "text/plain"
REF = "#/components/schemas/{name}"
REFUSALS = {
    "400": "It cannot be read; the error says what to change.",
    "401": "Who sent it is not proven.",
    "403": "Who sent it may not do this.",
    "404": "There is no such thing.",
    "409": "Something else was recorded first; the error says what.",
    "411": "The body came without its length.",
    "413": "The body is too large.",
    "503": "It cannot be answered now; the same request may be sent again.",
}


class Operation(Struct, frozen=True):
    """One thing that can be asked: by which function and method, below which path, and what its body may be."""

    function: str
    method: str
    path: str
    says: str
    bodies: tuple[Any, ...] = ()
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    answers: tuple[str, ...] = (JSON,)
    forms: bool = False


class Route(Struct, frozen=True):
    """A route as the app's own index has it."""

    function: str
    route: str
    methods: tuple[str, ...]
    open: bool
    """Anybody may ask: who it is, the function itself finds out."""


TOKEN = ("token",)
KEY = ("Idempotency-Key",)
PAGE = (JSON, HTML)
PUSHES = (github.Push, gitlab.Push, bitbucket.Push, azure_devops.Delivery)
OPERATIONS = (
    Operation("on_push", "POST", "push", "A git host says that a branch moved, or what its CI found", PUSHES),
    Operation("approve", "GET", "approvals/{release}", "What an approver is asked", query=TOKEN, answers=PAGE),
    Operation(
        "approve",
        "POST",
        "approvals/{release}",
        "An approver decides",
        (people.DecisionBody,),
        query=TOKEN,
        answers=PAGE,
        forms=True,
    ),
    Operation("releases", "GET", "releases", "Every release", query=("project",)),
    Operation("releases", "POST", "releases", "Open a release on demand", (people.OpenBody,), headers=KEY),
    Operation("releases", "GET", "releases/{release}", "One release"),
    Operation("releases", "GET", "releases/{release}/evidence", "What people are asked to approve, byte for byte"),
    Operation("releases", "GET", "releases/{release}/log", "A job's log", query=("step",), answers=(TEXT,)),
    Operation("releases", "GET", "releases/{release}/{view}", "Another view of a release"),
    Operation("releases", "POST", "releases/{release}/cancel", "Cancel it", (people.CancelBody,)),
    Operation("releases", "POST", "releases/{release}/resume", "Let what is parked go on", (people.CancelBody,)),
    Operation("releases", "POST", "releases/{release}/rerun", "Run it again", (people.CancelBody,), headers=KEY),
    Operation("environments", "GET", "environments", "What is live, and who is asked"),
    Operation("environments", "GET", "environments/{project}", "What is live of a project"),
    Operation(
        "environments",
        "POST",
        "environments/{project}/{environment}",
        "Roll back, hold or lift",
        (people.EnvironmentBody,),
    ),
    Operation("events", "GET", "events", "What came in, and what became of it", query=("limit",)),
    Operation("events", "GET", "events/{project}", "What came in for a project", query=("limit",)),
    Operation("events", "POST", "events/{event}/replay", "Take something in once more", (people.ReplayBody,)),
    Operation("policies", "GET", "policies/{project}", "Who may approve, and which change of that waits"),
    Operation("policies", "POST", "policies/{project}", "Put a changed policy in force", (people.PolicyBody,)),
    Operation("pages", "GET", "pages", "A person looks around", query=TOKEN, answers=(HTML,)),
    Operation("pages", "GET", "pages/releases", "Every release", query=("project", "upto"), answers=(HTML,)),
    Operation("pages", "GET", "pages/releases/{release}", "A release", query=TOKEN, answers=(HTML,)),
    Operation("pages", "GET", "pages/releases/{release}/{view}", "Its evidence, or a job's log", answers=(JSON, TEXT)),
    Operation("pages", "GET", "pages/events", "What came in", query=("project", "upto"), answers=(HTML,)),
    Operation("pages", "GET", "pages/assets/{asset}", "A file that pages need", answers=("text/css",)),
    Operation("health", "GET", "health", "Is the app whole?"),
    Operation("openapi", "GET", "openapi.json", "This description"),
)


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the description of these routes."""
    served = {route.function: route for route in routes}
    told = [each for each in OPERATIONS if each.function in served and each.method in served[each.function].methods]
    shapes = list(dict.fromkeys(shape for each in told for shape in each.bodies))
    made, components = msgspec.json.schema_components(shapes, schema_hook=_anything, ref_template=REF)
    schemas = dict(zip(shapes, made, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in told:
        paths.setdefault(f"/api/{each.path}", {})[each.method.lower()] = _operation(
            each, served[each.function], schemas
        )
    key = {"type": "apiKey", "in": "header", "name": "x-functions-key"}
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Signalbox", "version": "1"},
        "paths": paths,
        "components": {"schemas": components | {"Error": error}, "securitySchemes": {"function_key": key}},
    }


def _anything(shape: type) -> dict[str, Any]:
    """Return the schema of what is read further only where it is of use."""
    return {"description": "anything"}


def _operation(each: Operation, route: Route, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"summary": each.says, "parameters": list(_parameters(each))}
    if each.bodies:
        read = [schemas[shape] for shape in each.bodies]
        body = {"schema": read[0] if len(read) == 1 else {"anyOf": read}}
        told["requestBody"] = {"required": True, "content": {JSON: body} | ({FORM: body} if each.forms else {})}
    if not route.open:
        told["security"] = [{"function_key": []}]
    answer: dict[str, dict[str, Any]] = {kind: {} for kind in each.answers}
    refused = {"application/json": {"schema": {"$ref": REF.format(name="Error")}}}
    refused |= {HTML: {}} if HTML in each.answers else {}
    told["responses"] = {status: {"description": "The answer.", "content": answer} for status in ("200", "202")}
    told["responses"] |= {status: {"description": says, "content": refused} for status, says in REFUSALS.items()}
    return told


def _parameters(each: Operation) -> Iterator[dict[str, Any]]:
    text = {"type": "string"}
    for name in (part[1:-1] for part in each.path.split("/") if part.startswith("{")):
        yield {"name": name, "in": "path", "required": True, "schema": text}
    for name in each.query:
        yield {"name": name, "in": "query", "schema": text}
    for name in each.headers:
        yield {"name": name, "in": "header", "schema": text}
