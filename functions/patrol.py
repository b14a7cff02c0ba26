"""Timer: look at everything open and heal what events missed; also takes the poison queue."""

import typing

import azure.functions as func

from shared import wiring
from shared.sources import dead_letters

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="0 * * * * *")
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def patrol(timer: func.TimerRequest, orders: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """It is time to look at everything open."""
    answer = await wiring.control().patrol(dead_letters.told)
    orders.set(answer.messages())


@bp.queue_trigger(arg_name="message", queue_name="steps-poison", connection="AzureWebJobsStorage")
async def patrol_poison(message: func.QueueMessage) -> None:
    """An order failed at every delivery: it is logged, and the patrol orders its step again."""
    await wiring.control().give_up(message.get_body().decode())
