"""Registers every blueprint, one by one, so that one that cannot load is named by /api/health; nothing else."""

import importlib
import logging

import azure.functions as func

from functions import health

MODULES = (
    "on_push",
    "on_run_ended",
    "on_model_registered",
    "on_image_pushed",
    "on_model_deployed",
    "on_new_data",
    "on_data_drift",
    "on_time_passed",
    "on_checkpoint_due",
    "on_step_due",
    "approve",
    "releases",
    "environments",
    "events",
    "pages",
    "openapi",
    "policies",
    "patrol",
)

app = func.FunctionApp()
app.register_functions(health.bp)
for name in MODULES:
    try:
        app.register_functions(importlib.import_module(f"functions.{name}").bp)
        health.LOADED.append(name)
    except Exception as error:
        health.FAILED[name] = f"{type(error).__name__}: {error}"
        logging.getLogger("signalbox").exception("module=%r could not be loaded", name)
