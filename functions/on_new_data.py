"""Event Grid: Storage.BlobCreated."""

import typing

import azure.functions as func

from shared import wiring
from shared.sources import storage
from shared.sources.eventgrid import normalise

bp = func.Blueprint()


@bp.event_grid_trigger(arg_name="event")
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def on_new_data(event: func.EventGridEvent, orders: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """A blob was created or replaced."""
    answer = await wiring.control().take_in_event(lambda: storage.blob_created(normalise(event)), "on_new_data")
    orders.set(answer.messages())
