"""The double itself: what it keeps, how it fails when asked to, and that it notices what it must."""

import http.client
import io
import json
import ssl
import urllib.error
import urllib.request

import pytest
from azure.storage.blob import BlobClient

from tests.azure import shapes
from tests.azure.stand_in import StandIn


def asked(double: StandIn, method: str, url: str, body: bytes | None = None, **headers: str) -> bytes:
    """Ask Azure through the double, with urllib alone."""
    trusting = ssl.create_default_context(cafile=double.environment["SSL_CERT_FILE"])
    proxy = urllib.request.ProxyHandler({"https": double.environment["HTTPS_PROXY"]})
    opener = urllib.request.build_opener(proxy, urllib.request.HTTPSHandler(context=trusting))
    with opener.open(urllib.request.Request(url, body, headers, method=method), timeout=30) as answer:
        read: bytes = answer.read()
    return read


BLOB = "https://signalboxmlstore.blob.core.windows.net/c/a/b.txt?sig=x"


def test_a_blob_uploaded_by_the_sdk_is_kept_whole(double: StandIn) -> None:
    from azureml._file_utils.upload import upload_blob_from_stream

    content = bytes(range(256)) * 4

    upload_blob_from_stream(io.BytesIO(content), BLOB)

    assert asked(double, "GET", BLOB) == content
    assert asked(double, "GET", BLOB, Range="bytes=250-259") == content[250:260]


def test_a_blob_uploaded_in_blocks_is_kept_whole(double: StandIn) -> None:
    content = bytes(range(256)) * 40
    client = BlobClient.from_blob_url(BLOB, max_single_put_size=1024, max_block_size=1024)

    client.upload_blob(content)

    assert client.download_blob().readall() == content
    assert {each["query"].get("comp", "") for each in double.requests("PUT /{container}/{blob:path}")} == {
        "block",
        "blocklist",
    }


def test_a_blob_without_a_signature_is_refused(double: StandIn) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        asked(double, "PUT", BLOB.partition("?")[0], b"x")


def test_a_stray_host_is_noticed(double: StandIn) -> None:
    with pytest.raises(urllib.error.HTTPError, match="501"):
        asked(double, "GET", "https://dc.services.visualstudio.com/v2/track")

    assert double.unrouted() == ["GET dc.services.visualstudio.com/v2/track"]
    double.ask("DELETE", "/unrouted")


def test_a_lost_answer_comes_after_the_effect(double: StandIn) -> None:
    double.fault("PUT /c/*", "lost", times=1)

    with pytest.raises((urllib.error.URLError, ConnectionError)):
        asked(double, "PUT", BLOB, b"kept", **{"x-ms-blob-type": "BlockBlob"})

    assert asked(double, "GET", BLOB) == b"kept"


def test_an_answer_that_is_cut_promises_more_than_comes(double: StandIn) -> None:
    asked(double, "PUT", BLOB, b"kept")
    double.fault("GET *.blob.core.windows.net/*", "cut", times=1)

    with pytest.raises(http.client.IncompleteRead) as raised:
        asked(double, "GET", BLOB)

    assert (raised.value.partial, raised.value.expected) == (b"ke", 2)
    assert asked(double, "GET", BLOB) == b"kept"


def test_a_fault_is_answered_as_often_as_it_was_planned(double: StandIn) -> None:
    asked(double, "PUT", BLOB, b"kept")
    double.fault("GET *.blob.core.windows.net/*", "503", times=2)

    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError, match="503"):
            asked(double, "GET", BLOB)

    assert asked(double, "GET", BLOB) == b"kept"


def test_what_hangs_is_never_answered(double: StandIn) -> None:
    double.fault("GET /subscriptions", "hang")
    trusting = ssl.create_default_context(cafile=double.environment["SSL_CERT_FILE"])
    proxy = urllib.request.ProxyHandler({"https": double.environment["HTTPS_PROXY"]})
    opener = urllib.request.build_opener(proxy, urllib.request.HTTPSHandler(context=trusting))

    with pytest.raises(TimeoutError):
        opener.open("https://management.azure.com/subscriptions", timeout=0.3)


def test_another_workspace_is_not_found_in_the_words_of_azure(double: StandIn) -> None:
    form = "client_id={AZURE_CLIENT_ID}&client_secret={AZURE_CLIENT_SECRET}&scope=https://management.azure.com/.default"
    tenant = double.environment["AZURE_TENANT_ID"]
    where = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
    token = json.loads(asked(double, "POST", where, form.format(**double.environment).encode()))["access_token"]
    group = "/subscriptions/{AZURE_SUBSCRIPTION_ID}/resourceGroups/{AZURE_RESOURCE_GROUP}"
    path = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/other"

    with pytest.raises(urllib.error.HTTPError) as raised:
        asked(
            double,
            "GET",
            f"https://management.azure.com{path.format(**double.environment)}",
            Authorization=f"Bearer {token}",
        )

    assert raised.value.code == 404
    assert "workspaces/other' under resource group 'signalbox' was not found" in raised.value.read().decode()


def test_an_answer_that_does_not_fit_the_model_of_the_sdk_is_noticed() -> None:
    run = {"runId": "r", "stauts": "Completed", "tags": {"a": "b"}, "startTimeUtc": "yesterday"}

    found = shapes.faults("RunDto", run)

    assert "RunDto.stauts is not known" in found
    assert any("yesterday" in each or "Cannot deserialize" in each for each in found)
    assert shapes.faults("RunDto", {"runId": "r", "status": "Completed", "tags": {"a": "b"}}) == []
