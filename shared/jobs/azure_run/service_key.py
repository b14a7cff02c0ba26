"""The key of the service that is tried: fetched inside the run, so that it stands in nothing that was submitted."""

from collections.abc import Mapping
from typing import Any

from signalbox_job.outcome import JobFailed

VARIABLE = "SIGNALBOX_SERVICE_KEY"


def surroundings(run: Any, told: Mapping[str, Any]) -> dict[str, str]:
    """Return what lets the script of a try job at the service {"name"} in job.json; nothing for any other job.

    That script is ours and runs no code of the project.
    """
    service = told.get("service")
    if told["kind"] != "try" or not service:
        return {}
    from azureml.core import Webservice
    from azureml.exceptions import AzureMLException
    from requests.exceptions import RequestException

    try:
        return {VARIABLE: Webservice(run.experiment.workspace, service["name"]).get_keys()[0]}
    except (AzureMLException, RequestException) as error:
        # Its text may hold the headers of the request.
        raise JobFailed(
            f"the key of the service {service['name']} could not be had: {type(error).__name__}",
            "See that the service is there and that whoever submits runs may list its keys, then release again",
        ) from None
