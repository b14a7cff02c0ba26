"""Event Grid: ContainerRegistry.ImagePushed."""

import typing

import azure.functions as func

from shared import wiring
from shared.sources import container_registry
from shared.sources.eventgrid import normalise

bp = func.Blueprint()


@bp.event_grid_trigger(arg_name="event")
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def on_image_pushed(event: func.EventGridEvent, orders: func.Out[typing.List[str]]) -> None:  # noqa: UP006
    """An image was pushed."""
    answer = await wiring.control().take_in_event(
        lambda: container_registry.image_pushed(normalise(event)), "on_image_pushed"
    )
    orders.set(answer.messages())
