"""`python -m tests.azure --state DIR`: the double, until it is told to stop."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tests.azure.double import load
from tests.azure.double.azure import Settings
from tests.azure.double.start import Double


def main() -> None:
    """Start, print one line of JSON, and answer until SIGTERM, SIGINT or, with --with-parent, the end of stdin."""
    parser = argparse.ArgumentParser(prog="python -m tests.azure", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="a folder of its own")
    parser.add_argument("--port", type=int, default=0, help="of the proxy; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="of the control plane; 0 takes a free one")
    parser.add_argument("--topic", default="", help="where events are published, as TOPIC_ENDPOINT")
    parser.add_argument("--topic-key", default="")
    parser.add_argument("--interpreter", default="", help="a Python that stands for every environment")
    parser.add_argument("--server", default="", help="a Python that stands for every environment that serves")
    parser.add_argument("--envs", default="", help="a folder of environments that were built before")
    parser.add_argument("--with-parent", action="store_true", help="end when stdin ends")
    told = parser.parse_args()
    load()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    settings = Settings(
        topic=told.topic,
        topic_key=told.topic_key,
        interpreter=told.interpreter,
        server=told.server,
        envs=told.envs,
    )
    double = Double(settings, told.state.absolute(), told.port, told.control_port)
    double.serve()
    ready = {
        "control": double.azure.address,
        "proxy": double.environment["HTTPS_PROXY"],
        "environment": double.environment,
    }
    print(json.dumps(ready), flush=True)
    if told.with_parent:
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    ended.wait()
    double.stop()


main()
