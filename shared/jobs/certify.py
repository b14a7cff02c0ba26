"""The certify job: claims about the model that are asked of it from the outside, through run().

settings: files, target, holdout, seed, input, score, metric, bounds {"noise_loss": 0.10}.  inputs: model (folder).
result: {"claims": [{"name", "verdict", "value", "bound", "sentence"}], "important": [up to three features]}.
A verdict is certified, warning or refused; a refused claim is a result, the gate decides about it.
"""

from typing import Any

from signalbox_job.claims import claims_of
from signalbox_job.holdout import frozen_holdout
from signalbox_job.metrics import metric_named
from signalbox_job.outcome import Job, run_job
from signalbox_job.probes import Probe
from signalbox_job.scoring import candidate


def certify(job: Job) -> dict[str, Any]:
    """Ask the model everything in one child, then judge the answers."""
    metric, holdout = metric_named(str(job.setting("metric", "rmse"))), frozen_holdout(job)
    probe = Probe(job, candidate(job, holdout.order), metric, holdout)
    claims, important = claims_of(probe, job.setting("bounds", {}))
    for claim in claims:
        print(f"{claim['verdict']:<10}{claim['name']}: {claim['sentence']}", flush=True)
    return {"claims": claims, "important": important}


if __name__ == "__main__":
    run_job(certify)
