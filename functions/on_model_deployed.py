"""Event Grid: ModelDeployed."""

import typing

import azure.functions as func

from shared import wiring
from shared.sources import azure_ml
from shared.sources.eventgrid import normalise

bp = func.Blueprint()


@bp.event_grid_trigger(arg_name="event")
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def on_model_deployed(event: func.EventGridEvent, orders: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """A service answers for the first time."""
    answer = await wiring.control().take_in_event(
        lambda: azure_ml.model_deployed(normalise(event)), "on_model_deployed"
    )
    orders.set(answer.messages())
