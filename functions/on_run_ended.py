"""Event Grid: RunCompleted (success only) and RunStatusChanged (failures)."""

import typing

import azure.functions as func

from shared import wiring
from shared.sources import azure_ml
from shared.sources.eventgrid import normalise

bp = func.Blueprint()


@bp.event_grid_trigger(arg_name="event")
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def on_run_ended(event: func.EventGridEvent, orders: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """A run of check, train, evaluate, certify or try ended."""
    answer = await wiring.control().take_in_event(lambda: azure_ml.run_ended(normalise(event)), "on_run_ended")
    orders.set(answer.messages())
