"""Every call is bounded, whatever Azure does: counted on the wire, never by the clock."""

import asyncio
import re
import threading
from typing import Any

import msgspec
import pytest

from shared.backends.azure import fitting, guard
from shared.backends.azure.guard import Unanswered
from shared.backends.azure.refusals import spoken, translated
from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure
from shared.errors import Blocked, Conflict, NotFound, SignalboxError, StepFailed, Unavailable
from tests.azure.stand_in import StandIn

RUN = "GET /history/v1.0{ws}/experiments/{experiment}/runs/{run}"
GOT = "*/workspaces/signalbox-ml"
"""As a fault: the GET of the workspace, the first thing that is asked of it."""


@pytest.fixture
def hasty(azure: Azure) -> Azure:
    """One that gives up after a moment's silence."""
    return Azure(msgspec.structs.replace(azure.scope, timeout=0.2))


def located(workspace: Any) -> str:
    """Ask for nothing more than the workspace."""
    return str(workspace.location)


def made(workspace: Any) -> Any:
    """Make a cluster."""
    from azureml.core.compute import AmlCompute, ComputeTarget

    plan = AmlCompute.provisioning_configuration(vm_size="Standard_DS2_v2", max_nodes=1)
    return ComputeTarget.create(workspace, "cpu", plan)


PUT = "PUT {ws}/computes/{name}"
AT_PUT = "PUT */computes/cpu"
"""As a fault: the one request of `made` that changes something."""


@pytest.mark.parametrize("kind", ["429", "503", "500", "408"])
def test_a_read_that_is_never_answered_well_is_asked_as_often_as_the_setting_says(
    double: StandIn, azure: Azure, kind: str
) -> None:
    double.fault(f"GET {GOT}", kind)

    with pytest.raises(Unanswered, match="the workspace signalbox-ml"):
        azure.now("the location", located)

    assert len(double.requests("GET {ws}")) == azure.scope.attempts == 2


def test_the_list_of_subscriptions_is_bounded_too(double: StandIn, azure: Azure) -> None:
    double.fault("GET /subscriptions", "503")

    with pytest.raises(Unanswered):
        azure.now("the location", located)

    assert len(double.requests("GET /subscriptions")) == 2


@pytest.mark.parametrize("attempts", [1, 3])
def test_how_often_is_a_setting(double: StandIn, scope: Scope, attempts: int) -> None:
    double.fault(f"GET {GOT}", "503")

    with pytest.raises(Unanswered):
        Azure(msgspec.structs.replace(scope, attempts=attempts)).now("the location", located)

    assert len(double.requests("GET {ws}")) == attempts


def test_a_server_that_falls_silent_is_given_up(double: StandIn, hasty: Azure) -> None:
    double.fault(f"GET {GOT}", "hang")

    with pytest.raises(Unanswered, match=r"GET management.azure.com/.*had no answer in 0.2 s"):
        hasty.now("the location", located)

    # One answer that never came took all the time there was.
    assert [each["status"] for each in double.requests("GET {ws}")] == [0]


def test_a_moment_of_throttling_is_outlived(double: StandIn, azure: Azure) -> None:
    double.fault(f"GET {GOT}", "429", times=1)

    assert azure.now("the location", located) == azure.scope.location


def test_a_token_service_that_is_down_is_bounded_too(double: StandIn, azure: Azure) -> None:
    double.fault("POST */oauth2/v2.0/token", "503")

    with pytest.raises(Unanswered):
        azure.now("the location", located)

    assert len(double.requests("POST /{tenant}/oauth2/v2.0/token")) == 1


def test_an_unreachable_azure_says_why(
    double: StandIn, azure: Azure, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port}")

    with pytest.raises(Unanswered, match="refused"):
        azure.now("the location", located)


@pytest.mark.parametrize("kind", ["429", "503", "lost", "hang"])
def test_a_write_is_sent_once(double: StandIn, hasty: Azure, kind: str) -> None:
    double.fault(AT_PUT, kind)
    hasty.now("the location", located)

    with pytest.raises(Unanswered, match="a cluster"):
        hasty.now("a cluster", made)

    assert len(double.requests(PUT)) == 1


def test_what_the_threads_of_the_sdk_ask_is_bounded_as_well(double: StandIn, hasty: Azure) -> None:
    import io

    from azureml._async import WorkerPool
    from azureml._file_utils.upload import upload_blob_from_stream

    double.fault("PUT *.blob.core.windows.net/*", "hang")
    url = "https://signalboxmlstore.blob.core.windows.net/c/b?sig=x"

    def uploads(workspace: Any) -> None:
        with WorkerPool() as pool:
            pool.submit(upload_blob_from_stream, io.BytesIO(b"x"), url).result()

    with pytest.raises(Unanswered, match="an upload"):
        hasty.now("an upload", uploads)

    assert len(double.requests("PUT /{container}/{blob:path}")) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"kind": "forbidden"}, Blocked, r"AuthorizationFailed: The client .* 'AzureML Data Scientist'"),
        ({"status": 401, "body": {"error": {"code": "Unauthorized", "message": "expired"}}}, Blocked, "expired"),
        ({"status": 404, "body": {"error": {"code": "NotFound", "message": "no model m"}}}, NotFound, "no model m"),
        ({"status": 409, "body": {"error": {"code": "Conflict", "message": "there is one"}}}, Conflict, "there is one"),
        ({"kind": "quota"}, StepFailed, "exceeding approved standardDSv2Family Cores quota"),
        (
            {"status": 400, "body": {"code": 400, "message": "bad", "details": [{"message": "name: no"}]}},
            StepFailed,
            "bad; name: no",
        ),
        ({"status": 400, "body": None}, StepFailed, "it answers 400"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_service(
    double: StandIn, azure: Azure, fault: dict[str, Any], kind: type[SignalboxError], words: str
) -> None:
    azure.now("the location", located)
    double.ask("POST", "/faults", {"route": AT_PUT, **fault})

    with pytest.raises(kind, match=words) as raised:
        azure.now("a cluster", made)

    assert str(raised.value).startswith("a cluster: ")


def test_quota_says_where_to_ask_for_more(double: StandIn, azure: Azure) -> None:
    double.fault(AT_PUT, "quota")

    with pytest.raises(StepFailed) as raised:
        azure.now("a cluster", made)

    assert "Usage + quotas, westeurope" in raised.value.advice
    assert azure.scope.subscription in raised.value.advice


def test_an_error_of_the_sdk_that_cannot_be_printed_is_told_all_the_same(double: StandIn, azure: Azure) -> None:
    body = {"error": {"code": "UserError", "message": "no such thing", "details": None}}

    def raises(workspace: Any) -> None:
        import requests
        from azureml._restclient import models
        from azureml._restclient.exceptions import ServiceException
        from azureml._restclient.models.error_response import ErrorResponseException
        from msrest import Deserializer

        classes = {name: each for name, each in vars(models).items() if isinstance(each, type)}
        answer = requests.put(f"https://management.azure.com{azure.scope.path}/computes/cpu", timeout=20)
        raise ServiceException(ErrorResponseException(Deserializer(classes), answer))

    double.ask("POST", "/faults", {"route": AT_PUT, "status": 400, "body": body})

    with pytest.raises(StepFailed, match="UserError: no such thing"):
        azure.now("a thing", raises)


def test_calls_of_others_pass_as_they_are(double: StandIn, azure: Azure) -> None:
    import requests

    azure.now("the location", located)
    double.fault("GET /subscriptions", "503", times=1)

    answer = requests.get("https://management.azure.com/subscriptions", timeout=20)

    assert answer.status_code == 503


def test_two_calls_at_once_keep_their_bounds_apart(double: StandIn, azure: Azure, hasty: Azure) -> None:
    both = threading.Barrier(2, timeout=20)

    def waits(workspace: Any) -> str:
        both.wait()
        return located(workspace)

    found: list[str] = []
    other = threading.Thread(target=lambda: found.append(azure.now("one", waits)))
    other.start()
    found.append(hasty.now("two", waits))
    other.join()

    assert found == ["westeurope"] * 2


def test_what_is_assigned_is_listed() -> None:
    assert all(re.fullmatch(r"(requests|azureml|msrest)\.[\w.]+", each) for each in fitting.ASSIGNED)


def test_a_mistake_of_ours_is_never_taken_for_an_answer(double: StandIn, azure: Azure) -> None:
    def refused_then_wrong(workspace: Any) -> None:
        import requests

        requests.get(f"https://management.azure.com{azure.scope.path}/computes/none", timeout=20)
        _ = guard.Guard(None).scope.timeout  # type: ignore[arg-type]

    with pytest.raises(AttributeError):
        azure.now("nothing", refused_then_wrong)


def test_an_answer_that_cannot_be_read_is_no_answer(double: StandIn, azure: Azure) -> None:
    azure.now("the location", located)
    double.ask("POST", "/faults", {"route": "GET /rp/workspaces/*", "text": "<html>Sign in to the network</html>"})

    with pytest.raises(Unavailable, match="the target could not be read"):
        azure.now("the target", looked_up)


def test_what_the_sdk_itself_refuses_is_told_in_its_words(azure: Azure) -> None:
    def unnamed(workspace: Any) -> Any:
        from azureml.core import Experiment

        return Experiment(workspace, "no name/at all")

    with pytest.raises(StepFailed, match="Azure's SDK refuses an experiment"):
        azure.now("an experiment", unnamed)


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_a_connection_that_breaks_is_no_refusal_however_the_sdk_wraps_it(azure: Azure, link: str) -> None:
    from azure.core.exceptions import IncompleteReadError, ServiceRequestError, ServiceResponseError
    from azureml._common.exceptions import AzureMLException
    from requests.exceptions import ChunkedEncodingError
    from urllib3.exceptions import ProtocolError

    kinds = (ChunkedEncodingError, ProtocolError, ConnectionResetError, ServiceRequestError, ServiceResponseError)
    for kind in (*kinds, IncompleteReadError):
        middle, outer = AzureMLException("the download failed"), AzureMLException("no file")
        setattr(middle, link, kind("gone"))
        setattr(outer, link, middle)
        assert isinstance(translated("a file", azure.scope, outer, None), Unavailable), kind
    behind_another_call = AzureMLException("no file")
    setattr(behind_another_call, link, NotFound("a file: none"))
    setattr(behind_another_call.__cause__ or behind_another_call.__context__, link, ProtocolError("gone"))
    assert isinstance(translated("a file", azure.scope, behind_another_call, None), StepFailed)


def looked_up(workspace: Any) -> Any:
    """Look a cluster up."""
    from azureml.core import ComputeTarget

    return ComputeTarget(workspace, "cpu")


def test_a_call_does_not_wait_for_the_failures_of_others(double: StandIn, hasty: Azure) -> None:
    double.fault(f"GET {GOT}", "hang")

    async def eight() -> list[object]:
        calls = (hasty.do("the location", located) for _ in range(8))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    assert {type(each) for each in asyncio.run(eight())} == {Unanswered}
    # One after the other would be sixteen.
    assert len(double.requests("GET {ws}")) <= 4


def test_a_token_that_was_revoked_is_asked_for_anew(double: StandIn, azure: Azure) -> None:
    azure.now("the location", located)
    double.fault("PUT */computes/*", "401", times=1)
    with pytest.raises(Blocked):
        azure.now("a cluster", made)

    azure.now("a cluster", made)

    assert len(double.requests("POST /{tenant}/oauth2/v2.0/token")) == 2


def test_an_error_whose_own_text_raises_is_told_by_its_message() -> None:
    import requests
    from azureml._restclient import models
    from azureml._restclient.exceptions import ServiceException
    from azureml._restclient.models.error_response import ErrorResponseException
    from msrest import Deserializer

    answer = requests.Response()
    answer.status_code, answer.reason = 400, "Bad Request"
    answer._content = b'{"error": {"code": "UserError", "message": "no such thing", "details": null}}'
    answer.headers["content-type"] = "application/json"
    classes = {name: each for name, each in vars(models).items() if isinstance(each, type)}
    error = ServiceException(ErrorResponseException(Deserializer(classes), answer))

    with pytest.raises(TypeError):
        str(error)
    assert spoken(error) == "(UserError) no such thing"
