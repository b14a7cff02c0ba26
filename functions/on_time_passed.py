"""Timer: time passed: a schedule came due, data were quiet, a cool-down or a budget is over."""

import typing

import azure.functions as func

from shared import wiring

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="*/10 * * * * *")
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def on_time_passed(timer: func.TimerRequest, orders: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """What waits for time has waited long enough."""
    answer = await wiring.control().time_passed()
    orders.set(answer.messages())
