"""Repositories that people push to, written object by object, and served over loopback http."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.simple_server import make_server
from wsgiref.types import WSGIApplication

from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

BRANCH = "main"


class Origin:
    """A bare repository that people push to, written object by object."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.url = f"file://{folder}"
        self.repo = Repo.init_bare(str(folder))
        self.time = 1_700_000_000

    def web(self) -> WSGIApplication:
        """Return this repository, and no other, as it is served over http."""
        app: WSGIApplication = make_wsgi_chain(DictBackend({"/project.git": self.repo}))
        return app

    def tree(self, entries: dict[str, tuple[int, bytes]]) -> bytes:
        tree = Tree()
        for name, (mode, content) in entries.items():
            blob = Blob.from_string(content)
            if mode == 0o40000:
                tree.add(name.encode(), mode, content)
                continue
            if mode == 0o160000:
                tree.add(name.encode(), mode, b"1" * 40)
                continue
            self.repo.object_store.add_object(blob)
            tree.add(name.encode(), mode, blob.id)
        self.repo.object_store.add_object(tree)
        return tree.id

    def commit(self, entries: dict[str, tuple[int, bytes]], *parents: str, branch: str | None = BRANCH) -> str:
        self.time += 1
        made = Commit()
        made.tree = self.tree(entries)
        made.parents = [parent.encode() for parent in parents]
        made.author = made.committer = "Ana Önder <ana@example.org>".encode()
        made.author_time = made.commit_time = self.time
        made.author_timezone = made.commit_timezone = 0
        made.message = b"Ridge, alpha 0.1\n\nLonger story.\n"
        self.repo.object_store.add_object(made)
        if branch:
            self.repo.refs[f"refs/heads/{branch}".encode()] = made.id
        return made.id.decode()


FILES = {"train.py": (0o100644, b"print(1)\n"), "run.sh": (0o100755, b"#!/bin/sh\n")}


@contextmanager
def serving(app: WSGIApplication) -> Iterator[str]:
    """Serve an app on a free port of loopback; yield its address."""
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
