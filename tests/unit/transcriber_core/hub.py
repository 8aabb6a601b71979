"""A model hub on loopback that speaks the Hugging Face protocol, serving one folder as one repository."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """`requests` is what was asked for. With `hold_after`, longer bodies stop there (`holding`) until `go_on`."""

    daemon_threads = True

    def __init__(self, repo: str, folder: Path, revisions: tuple[str, ...] = ("main",)) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repo = repo
        self.folder = folder
        self.revisions = (*revisions, COMMIT)
        self.requests: list[str] = []
        self.hold_after: int | None = None
        self.holding = threading.Event()
        self.go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:
        self.server.requests.append(f"{self.command} {self.path}")

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        api, resolve = f"api/models/{self.server.repo}", f"{self.server.repo}/resolve/"
        if path.startswith(f"{api}/revision/"):
            self._listing(path.removeprefix(f"{api}/revision/"))
        elif path.startswith(f"{api}/tree/"):
            self._tree(path.removeprefix(f"{api}/tree/"))
        elif path.startswith(resolve):
            revision, _, name = path.removeprefix(resolve).partition("/")
            self._file(revision, name, body=body)
        else:
            self._refuse("RepoNotFound", "Repository not found")

    def _listing(self, revision: str) -> None:
        if revision not in self.server.revisions:
            return self._refuse("RevisionNotFound", f"Invalid rev id: {revision}")
        files = [{"rfilename": file.name} for file in sorted(self.server.folder.iterdir()) if file.is_file()]
        return self._send(json.dumps({"id": self.server.repo, "sha": COMMIT, "siblings": files}).encode())

    def _tree(self, revision: str) -> None:
        if revision not in self.server.revisions:
            return self._refuse("RevisionNotFound", f"Invalid rev id: {revision}")
        files = [
            {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _etag(file)[:40]}
            for file in sorted(self.server.folder.iterdir())
        ]
        return self._send(json.dumps(files).encode())

    def _file(self, revision: str, name: str, *, body: bool) -> None:
        file = self.server.folder / name
        if revision not in self.server.revisions or not file.is_file():
            return self._refuse("EntryNotFound", "Entry not found")
        data = file.read_bytes()
        total, start = len(data), 0
        if (wanted := self.headers.get("Range")) is not None:
            start = int(wanted.removeprefix("bytes=").split("-")[0])
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_etag(file)}"', "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        return self._send(data[start:], 206 if start else 200, headers, body=body)

    def _refuse(self, code: str, message: str) -> None:
        self._send(b"", 404, {"X-Error-Code": code, "X-Error-Message": message})

    def _send(
        self, data: bytes, status: int = 200, headers: dict[str, str] | None = None, *, body: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body and self.command == "GET":
            limit = self.server.hold_after
            if limit is not None and len(data) > limit:
                self.wfile.write(data[:limit])
                self.server.holding.set()
                self.server.go_on.wait()
                self.close_connection = True
            else:
                self.wfile.write(data)


@cache
def _etag(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def hub(repo: str, folder: Path, revisions: tuple[str, ...] = ("main",)) -> Iterator[Hub]:
    """The hub, running until the block is left."""
    with Hub(repo, folder, revisions) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()
