"""Timer: the heads of all streams go to a second place, so that what is cut off their ends is missed."""

import azure.functions as func

from shared import wiring

bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="0 7 * * * *")
async def on_checkpoint_due(timer: func.TimerRequest) -> None:
    """An hour passed: a checkpoint is made, if there is a second place for it."""
    await wiring.control().checkpointing.make()
