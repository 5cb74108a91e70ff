"""Servers on loopback that fail as they are told: one of files, and one that stands before another server."""

import http.client
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from types import TracebackType
from typing import Literal, NamedTuple, Self

Fault = Literal["busy", "drop", "cut", "stall"] | None
ONE_IN_TEN: tuple[Fault, ...] = (*[None] * 9, "busy", *[None] * 9, "drop", *[None] * 9, "cut")
ONE_IN_FIFTY: tuple[Fault, ...] = (*[None] * 49, "busy", *[None] * 49, "drop")
HOP_BY_HOP = ("connection", "transfer-encoding", "server", "date")


class Reply(NamedTuple):
    """An answer: status, headers (without the length), and body; `length` where there is none, as for HEAD."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    length: int | None = None


class Server(AbstractContextManager["Server"]):
    """Answers every request by `answer`, unless it is the turn of a fault.

    busy: 503, which asks to be tried again; drop: the connection is closed once the request was carried out; cut: half
    of the body arrives; stall: half of it, and then nothing.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults: Iterator[Fault] = iter(faults)
        self.requests: list[tuple[str, str, str]] = []  # method, path, Range
        self.refused = ""  # a path
        self.failed = 0
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        raise NotImplementedError

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _next_fault(self, method: str, path: str, wanted: str) -> Fault:
        with self._lock:
            self.requests.append((method, path, wanted))
            fault = next(self.faults, None)
            self.failed += fault is not None
            return fault

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one(self) -> None:
                fault = server._next_fault(self.command, self.path, self.headers.get("Range", ""))
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if fault == "busy":
                    self.send(Reply(503, {"Retry-After": "0"}, b"busy"))
                    return
                if self.path == server.refused and self.command == "GET":
                    self.send(Reply(507, {}))
                    return
                reply = server.answer(self.command, self.path, dict(self.headers), body)
                if fault == "drop":
                    self.close_connection = True
                elif fault:
                    self.send(reply, len(reply.body) // 2)
                    self.close_connection = True
                    if fault == "stall":
                        server._ended.wait()
                else:
                    self.send(reply)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = handle_one

            def send(self, reply: Reply, cut: int | None = None) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body[:cut])

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class FileServer(Server):
    """Serves `files`, by path: sizes, ETags and ranges as a web server does."""

    def __init__(self, files: Mapping[str, bytes], faults: Iterable[Fault] = ()) -> None:
        super().__init__(faults)
        self.files = dict(files)
        self.ranges = True
        self.marks = True

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        data = self.files.get(path)
        if data is None:
            return Reply(404, {})
        etag = f'"{hash(data):x}"'
        marks = {"ETag": etag} if self.marks else {}
        wanted = headers.get("Range") if headers.get("If-Range", etag) == etag and self.ranges else None
        if method == "HEAD" or not wanted:
            return Reply(200, marks, b"" if method == "HEAD" else data, len(data))
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data)), len(data) - 1) + 1
        return Reply(206, {**marks, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}, data[start:end])


class Proxy(Server):
    """Hands every request on to the server at a port of this machine."""

    def __init__(self, port: int, faults: Iterable[Fault] = ONE_IN_TEN) -> None:
        super().__init__(cycle(faults))
        self._port = port

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        upstream = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        upstream.request(method, path, body, dict(headers))
        got = upstream.getresponse()
        kept = {name: value for name, value in got.getheaders() if name.lower() not in (*HOP_BY_HOP, "content-length")}
        length = got.getheader("Content-Length") if method == "HEAD" else None
        data = got.read()
        upstream.close()
        return Reply(got.status, kept, data, int(length) if length else None)
