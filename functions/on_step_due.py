"""Queue: do this step of this release; nothing else asks for work."""

import typing

import azure.functions as func

from shared import wiring

bp = func.Blueprint()


@bp.queue_trigger(arg_name="message", queue_name="steps", connection="AzureWebJobsStorage")
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def on_step_due(message: func.QueueMessage, orders: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """A step of a release is due."""
    attempt = f"{message.id}:{message.dequeue_count}"
    answer = await wiring.control().work(message.get_body().decode(), attempt)
    orders.set(answer.messages())
