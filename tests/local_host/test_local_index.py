"""What the real host refuses when it indexes an app is refused here too."""

import typing
from collections.abc import Callable, Sequence
from typing import Any

import azure.functions as func
import pytest

from tools.local.index import Function, NotIndexed, index

Declare = Callable[[func.FunctionApp], Any]


def indexed(declare: Declare) -> Sequence[Function]:
    app = func.FunctionApp()
    declare(app)
    return index(app.get_functions())


def extra_parameter(app: func.FunctionApp) -> None:
    @app.route()
    def wrong(req: func.HttpRequest, more: int = 1) -> func.HttpResponse:
        raise NotImplementedError


def other_name(app: func.FunctionApp) -> None:
    @app.queue_trigger(arg_name="msg", queue_name="q", connection="c")
    def wrong(message: func.QueueMessage) -> None:
        raise NotImplementedError


def dict_for_an_event(app: func.FunctionApp) -> None:
    @app.event_grid_trigger(arg_name="event")
    def wrong(event: dict) -> None:  # type: ignore[type-arg]
        raise NotImplementedError


def union_for_an_event(app: func.FunctionApp) -> None:
    @app.event_grid_trigger(arg_name="event")
    def wrong(event: func.EventGridEvent | func.CloudEvent) -> None:
        raise NotImplementedError


def union_for_a_message(app: func.FunctionApp) -> None:
    @app.queue_trigger(arg_name="msg", queue_name="q", connection="c")
    def wrong(msg: func.QueueMessage | None) -> None:
        raise NotImplementedError


def answer_that_is_a_dict(app: func.FunctionApp) -> None:
    @app.route()
    def wrong(req: func.HttpRequest) -> dict:  # type: ignore[type-arg]
        raise NotImplementedError


def optional_answer(app: func.FunctionApp) -> None:
    @app.route()
    def wrong(req: func.HttpRequest) -> func.HttpResponse | None:
        raise NotImplementedError


def small_list_for_an_output(app: func.FunctionApp) -> None:
    @app.route()
    @app.queue_output(arg_name="out", queue_name="q", connection="c")
    def wrong(req: func.HttpRequest, out: func.Out[list[str]]) -> func.HttpResponse:
        raise NotImplementedError


def output_that_is_no_out(app: func.FunctionApp) -> None:
    @app.route()
    @app.queue_output(arg_name="out", queue_name="q", connection="c")
    def wrong(req: func.HttpRequest, out: str) -> func.HttpResponse:
        raise NotImplementedError


def other_context(app: func.FunctionApp) -> None:
    @app.route()
    def wrong(req: func.HttpRequest, context: int) -> func.HttpResponse:
        raise NotImplementedError


def unknown_name_in_an_annotation(app: func.FunctionApp) -> None:
    @app.route()
    def wrong(req: "NowhereDefined") -> func.HttpResponse:  # type: ignore[name-defined] # noqa: F821
        raise NotImplementedError


def reserved_route(app: func.FunctionApp) -> None:
    @app.route(route="admin/wrong")
    def wrong(req: func.HttpRequest) -> func.HttpResponse:
        raise NotImplementedError


def bad_schedule(app: func.FunctionApp) -> None:
    @app.timer_trigger(arg_name="timer", schedule="@hourly")
    def wrong(timer: func.TimerRequest) -> None:
        raise NotImplementedError


def setting_that_is_not_set(app: func.FunctionApp) -> None:
    @app.timer_trigger(arg_name="timer", schedule="%NOBODY_SET_THIS%")
    def wrong(timer: func.TimerRequest) -> None:
        raise NotImplementedError


def trigger_we_do_not_have(app: func.FunctionApp) -> None:
    @app.blob_trigger(arg_name="blob", path="p", connection="c")
    def wrong(blob: func.InputStream) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    "declare",
    [
        extra_parameter, other_name, dict_for_an_event, union_for_an_event, union_for_a_message,
        answer_that_is_a_dict, optional_answer, small_list_for_an_output, output_that_is_no_out, other_context,
        unknown_name_in_an_annotation, reserved_route, bad_schedule, setting_that_is_not_set, trigger_we_do_not_have,
    ],
)  # fmt: skip
def test_a_function_that_the_host_refuses_is_refused_with_its_name(declare: Declare) -> None:
    with pytest.raises(NotIndexed, match=r"wrong|NOBODY_SET_THIS"):
        indexed(declare)


def test_two_functions_with_the_same_route_and_method_are_refused() -> None:
    def both(app: func.FunctionApp) -> None:
        @app.route(route="same/{a}", methods=["GET", "POST"])
        def one(req: func.HttpRequest) -> func.HttpResponse:
            raise NotImplementedError

        @app.route(route="SAME/{b}", methods=["POST"])
        def two(req: func.HttpRequest) -> func.HttpResponse:
            raise NotImplementedError

    with pytest.raises(NotIndexed, match=r"two and one have the same route and method \(POST\)"):
        indexed(both)


def test_the_same_route_with_other_methods_is_taken() -> None:
    def both(app: func.FunctionApp) -> None:
        @app.route(route="same", methods=["GET"])
        def one(req: func.HttpRequest) -> func.HttpResponse:
            raise NotImplementedError

        @app.route(route="same", methods=["POST"])
        def two(req: func.HttpRequest) -> func.HttpResponse:
            raise NotImplementedError

    assert [one.name for one in indexed(both)] == ["one", "two"]


def test_a_setting_fills_in_a_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATROL_SCHEDULE", "0 */5 * * * *")

    def declare(app: func.FunctionApp) -> None:
        @app.timer_trigger(arg_name="timer", schedule="%PATROL_SCHEDULE%")
        def patrol(timer: func.TimerRequest) -> None:
            raise NotImplementedError

    assert indexed(declare)[0].trigger["schedule"] == "0 */5 * * * *"


def test_what_the_host_takes_is_taken() -> None:
    def declare(app: func.FunctionApp) -> None:
        @app.route(route="x/{a}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
        @app.queue_output(arg_name="one", queue_name="steps", connection="c")
        @app.queue_output(arg_name="more", queue_name="steps", connection="c")
        async def taken(
            req: func.HttpRequest,
            one: func.Out[str],
            more: func.Out[typing.List[str]],  # noqa: UP006 - the SDK knows only this one
            context: func.Context,
        ) -> func.HttpResponse:
            raise NotImplementedError

    (function,) = indexed(declare)
    assert (function.level, function.methods, function.wants_context) == ("anonymous", {"POST"}, True)
    assert function.outputs == {"one": "steps", "more": "steps"}
