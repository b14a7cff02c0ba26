"""The process that starts a scoring service: `python -m shared.backends.local.starter <state> <slot>`.

The service is the layers of exactly one image digest under gunicorn on loopback; it outlives its starter.
"""

import http.client
import os
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path

import msgspec

from shared.backends.local import scripts, works
from shared.backends.local.durable import write_durably
from shared.backends.local.events import model_deployed, publish
from shared.backends.local.layers import Unpacked, unpacked
from shared.backends.local.processes import Identity, is_alive, spawn
from shared.backends.local.routes import move_routes
from shared.backends.local.runner import capture_output
from shared.backends.local.slots import Slot, Started, raised, read_slot, service_log, slot_folder, tail
from shared.errors import SignalboxError

READY_SECONDS = 120.0
APP = "azureml_inference_server_http.server.entry:app"
# One request at a time: a project's run() need not be safe across threads. Unknown names are ignored by gunicorn.
CONFIG = """\
workers = 1
worker_class = "gthread"
threads = 1
control_socket_disable = True
proc_name = "signalbox"
"""


def main(state: Path, name: str) -> None:
    """Start the service and say how it went; there is no way out without a status."""
    folder = slot_folder(state, name)
    works.enter(folder)
    capture_output(folder)
    slot = read_slot(folder)
    started: Started | None = None
    try:
        started = _start(state, folder, slot)
    except SignalboxError as error:
        started = Started("failed", reason=f"{error}")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if started is None:
            started = Started("failed", reason=f"{type(sys.exception()).__name__}: {sys.exception()}")
        if started.url:
            move_routes(state, name, started.url)
        write_durably(folder / "status.json", msgspec.json.encode(started))
    _announce(folder, slot, started)


def _start(state: Path, folder: Path, slot: Slot) -> Started:
    began = time.monotonic()
    image = unpacked(state, slot.image)
    with _listening(folder) as listener:
        port = listener.getsockname()[1]
        write_durably(folder / "port", str(port).encode())
        who = _spawn(folder, image, listener)
    print(f"starting {slot.slot} on port {port}", flush=True)
    problem = _wait(port, who, began + READY_SECONDS)
    if problem:
        works.end_script(folder)
        why = raised(service_log(folder))
        return Started("failed", reason=f"{problem}: {why}" if why else f"{problem}\n{tail(service_log(folder))}")
    model = f"{image.labels['org.opencontainers.image.title']}:{image.labels['org.opencontainers.image.version']}"
    return Started("answering", f"http://127.0.0.1:{port}", time.monotonic() - began, who=who, model=model)


def _listening(folder: Path) -> socket.socket:
    """Listen where this slot listened before, or, when that is taken, where there is room.

    The socket is handed on to the service: nobody else can take the port in between.
    """
    last = folder / "port"
    if last.exists():
        try:
            return socket.create_server(("127.0.0.1", int(last.read_text())), backlog=128)
        except OSError as error:
            print(f"port {last.read_text()} is taken ({error}); another one is used", flush=True)
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def _spawn(folder: Path, image: Unpacked, listener: socket.socket) -> Identity:
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "gunicorn.conf.py").write_text(CONFIG)
    python = Path(image.python)
    # What is unpacked by digest is read only: no bytecode is written into it.
    environment = {
        **scripts.clean_environment(folder, python),
        **image.environment,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    handle = listener.fileno()
    service = [str(python), "-m", "gunicorn", "-c", "gunicorn.conf.py", "-b", f"fd://{handle}", APP]
    # It begins only once it is on record, and not at all when its starter dies before: nobody would know it.
    command = ["/bin/sh", "-c", 'read -r go && exec "$@"', "sh", *service]
    log = service_log(folder)
    if log.exists():
        os.replace(log, log.with_suffix(".1"))
    return spawn(command, log, environment, folder, (handle,), b"go\n", partial(works.write_script, folder))


def _wait(port: int, who: Identity, deadline: float) -> str:
    """Wait until the service answers; the answer is why it does not."""
    while is_alive(who):
        if _answers(port):
            return ""
        if time.monotonic() > deadline:
            return f"it did not answer within {READY_SECONDS:.0f} s"
        time.sleep(0.05)
    return "it ended while it started"


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _announce(folder: Path, slot: Slot, started: Started) -> None:
    """Raise ModelDeployed for the first answer of the slot; a failure raises nothing, as on Azure."""
    announced = folder / "announced"
    if (
        started.status == "answering"
        and not announced.exists()
        and publish(model_deployed(slot.slot, started.model, slot.release))
    ):
        write_durably(announced, b"")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
