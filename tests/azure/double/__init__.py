"""The double: every module here is an area of Azure that registers its routes when it is imported."""

import importlib
import pkgutil


def load() -> None:
    """Import every area."""
    for found in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{found.name}")
