"""The only loop: what came in is taken in, what is due is worked on, and the patrol heals what events missed."""

from shared.answers import Answer, Order
from shared.control.desk import Control
from shared.control.edge import answered, within

__all__ = ["Answer", "Control", "Order", "answered", "within"]
