"""A service that keeps its promises, and services that do not; each a small server on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from signalbox_job.outcome import Job, JobFailed
from signalbox_schema import problem_in
from try_service import equal, try_service

SCHEMA = {"input": "records", "order": ["a"], "columns": [{"name": "a", "type": "number", "nullable": False}]}
GOLDEN = {"input": "records", "columns": ["a"], "rows": [{"a": at + 0.5} for at in range(12)],
          "predictions": [2 * at + 1.0 for at in range(12)]}  # fmt: skip
Answer = tuple[int, object]


def honest(body: str) -> Answer:
    if problem_in(body, SCHEMA):
        return 400, {"error": "no"}
    return 200, [2 * row["a"] for row in json.loads(body)["data"]]


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str], Answer]], str]]:
    """Return how to start a server that answers POSTs by a function of the body; all are stopped at the end."""
    servers = []

    def start(answer: Callable[[str], Answer]) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536

            def do_GET(self) -> None:
                self.send(200, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    self.send(*answer(body.decode()))
                except UnicodeDecodeError:
                    self.send(400, {})

            def send(self, status: int, content: object) -> None:
                text = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/live/tiny/score"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def job(tmp_path: Path, url: str, **settings) -> Job:
    golden = tmp_path / "golden.json"
    golden.write_text(json.dumps(GOLDEN))
    told = {"url": url, "requests": 20, "input_schema": SCHEMA} | settings
    return Job("r-try-1", "try", "tiny", "r", "try", told, tmp_path, tmp_path, tmp_path, {"golden": golden}, "python")


def refusal(job: Job) -> str:
    with pytest.raises(JobFailed) as no:
        try_service(job)
    assert no.value.advice
    return no.value.reason


def test_a_service_that_keeps_its_promises_passes_every_claim(tmp_path, serve):
    result = try_service(job(tmp_path, serve(honest), latency_ms=5000))
    assert result["golden"] == 12
    assert result["bad_inputs"] >= 12
    assert 0 < result["p50_ms"] <= result["p95_ms"]
    assert {claim["verdict"] for claim in result["claims"]} == {"certified"}


def test_another_answer_names_the_golden_row(tmp_path, serve):
    def wrong(body: str) -> Answer:
        status, told = honest(body)
        return status, [value + (1e-6 if value == 7.0 else 0) for value in told] if status == 200 else told

    assert refusal(job(tmp_path, serve(wrong))).startswith(
        "Golden row 4 of 12 gets 7.000001 from the service and got 7.0"
    )


def test_bad_input_that_breaks_the_service_is_named(tmp_path, serve):
    def fragile(body: str) -> Answer:
        status, told = honest(body)
        return (status, told) if status == 200 or "data" in body else (500, {"message": "unexpected"})

    assert "answers 500 to bad input (empty body)" in refusal(job(tmp_path, serve(fragile)))


def test_bad_input_that_is_accepted_is_named(tmp_path, serve):
    def lenient(body: str) -> Answer:
        return (200, [0.0]) if "NaN" in body else honest(body)

    assert "answers 200 to bad input (NaN)" in refusal(job(tmp_path, serve(lenient)))


def test_a_service_that_is_too_slow_is_told_the_bound(tmp_path, serve):
    assert "and the bound is 0 ms" in refusal(job(tmp_path, serve(honest), latency_ms=0.001))


def test_a_service_that_fails_golden_rows_is_told_with_its_answer(tmp_path, serve):
    reason = refusal(job(tmp_path, serve(lambda body: (500, {"message": "broken"}))))
    assert reason == 'The service answers 500 to 12 golden rows: {"message": "broken"}'


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/score", "http://127.0.0.1:9/", "nowhere"])
def test_a_url_that_is_no_scoring_url_is_refused(tmp_path, url):
    assert "is no scoring URL" in refusal(job(tmp_path, url))


def test_a_service_that_is_not_there_is_said(tmp_path, serve):
    assert "Nobody answers GET at http://127.0.0.1:9/score" in refusal(job(tmp_path, "http://127.0.0.1:9/score"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1.0, 1.0 + 1e-12, True),
        (1.0, 1.0 + 1e-8, False),
        ("a", "a", True),
        ("a", 1, False),
        (0.0, 0, True),
        (True, 1, True),
    ],
)
def test_when_two_answers_are_the_same(one, other, same):
    assert equal(one, other) is same
