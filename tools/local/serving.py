"""Serves an ASGI application on loopback, as a child of the supervisor or alone."""

import argparse
import ctypes
import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.local.redact import RedactingFormatter

GRACE = 5
_PR_SET_PDEATHSIG = 1


def options(description: str) -> argparse.ArgumentParser:
    """The arguments that the host and the grid share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--state", type=Path, required=True, help="the state folder (.signalbox)")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1 (0 = any free one)")
    parser.add_argument("--fd", type=int, help="an inherited listening socket, instead of --port")
    parser.add_argument("--parent", type=int, help="end when this process, our parent, ends")
    return parser


def listening(port: int, fd: int | None) -> socket.socket:
    """A listening socket on 127.0.0.1, or the inherited one."""
    if fd is not None:
        inherited = socket.socket(fileno=fd)
        # A job that outlives us must not keep our port.
        inherited.set_inheritable(False)
        return inherited
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("127.0.0.1", port))
    opened.listen(512)
    return opened


def end_with(parent: int | None) -> None:
    """Be killed when the process `parent` ends, however it ends.

    Killed, not asked: what is half done must survive a power cut anyway, and the next start needs our ports.
    """
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        sys.exit(f"The parent process {parent} is gone; ending.")


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def log_to_stderr(level: str) -> None:
    """Log lines of `level` and above to stderr, keys taken out; SDKs only when they warn."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("azure", "uvicorn", "asyncio", "httpx", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def serve(app: ASGIApp, lifetime: AbstractAsyncContextManager[Any], where: socket.socket) -> None:
    """Serve `app` until SIGTERM or SIGINT, inside `lifetime`; requests that run then get a few seconds."""
    config = uvicorn.Config(
        _with_lifetime(app, lifetime),
        loop="asyncio",
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    uvicorn.Server(config).run(sockets=[where])


def _with_lifetime(app: ASGIApp, lifetime: AbstractAsyncContextManager[Any]) -> ASGIApp:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        async with lifetime:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return served
