"""Event Grid: DatasetDriftDetected, a model monitor's breach in RunStatusChanged, our own monitor."""

import typing

import azure.functions as func

from shared import wiring
from shared.sources import azure_ml
from shared.sources.eventgrid import normalise

bp = func.Blueprint()


@bp.event_grid_trigger(arg_name="event")
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def on_data_drift(event: func.EventGridEvent, orders: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """Data drifted."""
    answer = await wiring.control().take_in_event(lambda: azure_ml.drift_detected(normalise(event)), "on_data_drift")
    orders.set(answer.messages())
