"""What serves: each container is really started, as a child process with its source, its model and its environment.

A front on loopback stands for the addresses that Azure gives: it wants a key, and leads to a version of an endpoint.
Assumed: a container that ends twice while it starts is reported as crash-looping, with words like those of Azure.
"""

import ctypes
import http.client
import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.azure.double import venvs

if TYPE_CHECKING:
    from tests.azure.double.azure import Azure

APP = "azureml_inference_server_http.server.entry:app"
STARTS = 2
READY_SECONDS = 60.0
PR_SET_PDEATHSIG = 1
CRASHED = (
    "Your container application crashed. This may be caused by errors in your scoring file's init() function.\n"
    "Please check the logs for your container instance: {name}. From the AML SDK, you can run print(service.get_logs())"
)


class Crashed(Exception):
    """A container does not come up; the text is what Azure says of it."""


class Container:
    """One container: `port` is set once it answers."""

    def __init__(self, azure: "Azure", name: str, image: dict[str, Any]) -> None:
        self._azure, self._name, self._image = azure, name, image
        self._folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_services(azure)))
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._decided = threading.Event()
        self.port = 0

    def start(self) -> None:
        """Start and wait until it answers; `Crashed` when it does not."""
        python, root = self._prepare()
        # The kernel ends a child with the thread that started it, so that thread lives as long as the child.
        threading.Thread(target=self._keep, args=(python, root), daemon=True).start()
        self._decided.wait()
        if not self.port and not self._closed:
            raise Crashed(CRASHED.format(name=self._name))

    def _keep(self, python: Path, root: Path) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            for _ in range(STARTS):
                if self._closed:
                    break
                self._child = self._spawn(python, root, listener)
                if self._answers(self._child, listener.getsockname()[1]):
                    self.port = listener.getsockname()[1]
                    break
        self._decided.set()
        if self.port and self._child is not None:
            self._child.wait()

    def log(self) -> str:
        """Return what it printed."""
        path = self._folder / "log.txt"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def close(self) -> None:
        """End it and take away what is its own."""
        self._closed, self.port = True, 0
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> tuple[Path, Path]:
        azure, root = self._azure, self._folder / "azureml-app"
        root.mkdir()
        with azure.lock:
            for asset in self._image["assets"]:
                self._place(asset, root)
            for model in self._image["modelIds"]:
                for path, content in azure.models.files(model).items():
                    at = root / "azureml-models" / model.replace(":", "/") / path
                    at.parent.mkdir(parents=True, exist_ok=True)
                    at.write_bytes(content)
        cache = Path(azure.settings.envs) if azure.settings.envs else azure.folder / "envs"
        said: list[str] = []
        try:
            python = venvs.interpreter(cache, self._image["environment"], said.append, azure.settings.server)
        except venvs.BuildFailed as failed:
            (self._folder / "log.txt").write_text(str(failed))
            raise Crashed(f"The environment could not be built: {failed}") from failed
        return python, root

    def _place(self, asset: dict[str, Any], root: Path) -> None:
        origin, container, path = asset["url"].removeprefix("aml://artifact/").split("/", 2)
        content = self._azure.artifacts.get(origin, container, path)
        if not asset.get("unpack"):
            (root / asset["id"]).write_bytes(content)
            return
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(root, filter="data")

    def _spawn(self, python: Path, root: Path, listener: socket.socket) -> subprocess.Popen[bytes]:
        its = self._image["environment"].get("environmentVariables") or {}
        models = [root / "azureml-models" / model.replace(":", "/") for model in self._image["modelIds"]]
        environment = {
            "PATH": f"{python.parent}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "AML_APP_ROOT": str(root),
            "AZUREML_MODEL_DIR": str(models[0] if len(models) == 1 else root / "azureml-models"),
            **its,
        }
        handle, prctl = listener.fileno(), ctypes.CDLL(None).prctl
        quiet = ["--no-control-socket", "--workers", "1", "--worker-class", "gthread", "--threads", "1"]
        with (self._folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [str(python), "-m", "gunicorn", *quiet, "-b", f"fd://{handle}", APP],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(handle,),
                start_new_session=True,
                preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )

    def _answers(self, child: subprocess.Popen[bytes], port: int) -> bool:
        """Wait until it answers; False when it ends before."""
        ended = threading.Thread(target=child.wait, daemon=True)
        ended.start()
        for _ in range(int(READY_SECONDS / 0.05)):
            if _asked(port):
                return True
            ended.join(0.05)
            if not ended.is_alive():
                return False
        return False


def _services(azure: "Azure") -> Path:
    folder = azure.folder / "services"
    folder.mkdir(exist_ok=True)
    return folder


def _asked(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Front(ThreadingHTTPServer):
    """Where users of a service ask: `/aci/<service>/...` and `/api/v1/service/<endpoint>/...[?version=]`."""

    daemon_threads = True

    def __init__(self, azure: "Azure") -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.azure = azure
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    @property
    def address(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


class Asked(BaseHTTPRequestHandler):
    """One connection of a user."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Front

    def log_message(self, format: str, *arguments: Any) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        """Lead to the container that the address stands for."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        above, _, rest = parts.path.removeprefix("/aci/").removeprefix("/api/v1/service/").partition("/")
        version = parse_qs(parts.query).get("version", [""])[0]
        keys, port = self.server.azure.services.leads_to(above, version)
        if keys and self.headers.get("authorization") not in [f"Bearer {key}" for key in keys]:
            return self._send(401, b"", {})
        if not port:
            return self._send(503 if keys else 404, b"no healthy upstream", {})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            kind = self.headers.get("content-type")
            connection.request(self.command, f"/{rest}", body, {"content-type": kind} if kind else {})
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower().startswith(("content-ty", "x-"))}
            self._send(answer.status, answer.read(), kept)
        except (OSError, http.client.HTTPException):
            self._send(502, b"upstream connect error", {})
        finally:
            connection.close()

    do_POST = do_GET

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
