"""Files on the web, read as if they lay on a disk: sized, seekable, and whole or an error.

Crawl servers answer 503 as a matter of course and drop long connections. urllib3, under requests, tries a request again
(statuses, Retry-After, backoff with jitter), and notices a body that ends before its Content-Length. Ours is what it
leaves open: a body that breaks off or stalls is taken up at the byte that was reached, from the same version of the
file or not at all.
"""

import io
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import requests
import urllib3
from requests.adapters import HTTPAdapter

from pipelines.errors import StoreError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECTIONS = 32  # kept open to each server
CONNECT_SECONDS = 20
STALL_SECONDS = 60  # without a byte
PROGRESS_BYTES = 4 << 20  # after so many the attempts are counted anew
RETRY = urllib3.Retry(
    total=9,
    connect=4,
    backoff_factor=0.5,  # 0, 1, 2, 4 ... seconds
    backoff_max=60,
    backoff_jitter=1,
    retry_after_max=300,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
)
GONE = (404, 410)
FORBIDDEN = (401, 403)
NO_HEAD = (400, 405, 501)


@dataclass(frozen=True)
class Details:
    """What a server says of a file: its size in bytes, and the ETag or date that marks this version of it."""

    size: int
    etag: str
    modified: str

    @property
    def mark(self) -> str:
        return self.etag or self.modified

    @property
    def condition(self) -> str:
        """For If-Range, which takes no weak ETag."""
        return self.modified if self.etag.startswith("W/") else self.mark


def is_web(path: str) -> bool:
    return str(path).startswith(("http://", "https://"))


def details(url: str) -> Details:
    """Ask for a file's size and version. Raises FileNotFoundError, PermissionError, or StoreError."""
    response = _request("HEAD", url)
    if response.status_code in NO_HEAD:
        response = _request("GET", url)
    with response:
        _check(response, url)
        return _details(response, url)


def read_bytes(url: str) -> bytes:
    """A whole file's bytes."""
    with io.BufferedReader(WebFile(url), PROGRESS_BYTES) as file:
        return file.read()


class WebFile(io.RawIOBase):
    """A file on the web, or its bytes up to `end`, opened for reading: give it to a `BufferedReader`.

    Raises FileNotFoundError, PermissionError, or StoreError: the server cannot be reached, fails at every attempt, or
    the file is changed while it is read.
    """

    def __init__(self, url: str, end: int | None = None) -> None:
        super().__init__()
        self._url = url
        self._details = details(url)
        self._end = self._details.size if end is None else min(end, self._details.size)
        self._position = 0
        self._body: requests.Response | None = None
        self._retry, self._progress = RETRY, 0

    @property
    def size(self) -> int:
        """The whole file's."""
        return self._details.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}[whence]
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        if position != self._position:
            self._hang_up()
            self._position = position
        return position

    def close(self) -> None:
        self._hang_up()
        super().close()

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._end - self._position)
        if wanted <= 0:
            return 0
        block = self._read(wanted)
        view[: len(block)] = block
        self._position += len(block)
        self._progress += len(block)
        if self._progress >= PROGRESS_BYTES:
            self._retry = RETRY
        return len(block)

    def _read(self, wanted: int) -> bytes:
        while True:
            try:
                if self._body is None:
                    self._body = self._ask()
                block: bytes = self._body.raw.read(wanted)
                if block:
                    return block
                raise urllib3.exceptions.ProtocolError("the connection was closed early")
            except urllib3.exceptions.HTTPError as error:
                self._hang_up()
                self._progress = 0
                try:
                    self._retry = self._retry.increment("GET", self._url, error=error)
                except urllib3.exceptions.MaxRetryError:
                    raise StoreError(f"{self._url}: gave up at byte {self._position:,}: {error}") from None
                self._retry.sleep()

    def _ask(self) -> requests.Response:
        """The file from the byte reached, and nothing from another version of it."""
        headers = {"Range": f"bytes={self._position}-{self._end - 1}"}
        if self._details.condition:
            headers["If-Range"] = self._details.condition
        response = _request("GET", self._url, headers)
        _check(response, self._url)
        if _details(response, self._url) != self._details:
            response.close()
            raise StoreError(f"{self._url}: it was changed while it was read; run the same command again")
        left = self._position if response.status_code == 200 else 0  # a server that knows no ranges starts anew
        while left:
            skipped = len(response.raw.read(min(left, PROGRESS_BYTES)))
            if not skipped:
                raise urllib3.exceptions.ProtocolError("the connection was closed early")
            left -= skipped
        return response

    def _hang_up(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


@cache
def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(CONNECTIONS, CONNECTIONS, max_retries=RETRY))
    session.headers["Accept-Encoding"] = "identity"  # bytes as they are stored, so that sizes mean what they say
    return session


def _request(method: str, url: str, headers: dict[str, str] | None = None) -> requests.Response:
    timeout = (CONNECT_SECONDS, STALL_SECONDS)
    try:
        return _session().request(method, url, headers=headers, stream=True, allow_redirects=True, timeout=timeout)
    except requests.RequestException as error:
        cause = error.args[0] if error.args else error
        raise StoreError(f"{url}: {getattr(cause, 'reason', None) or cause}") from None


def _check(response: requests.Response, url: str) -> None:
    if response.ok:
        return
    response.close()
    said = f"{response.status_code} {response.reason}"
    if response.status_code in GONE:
        raise FileNotFoundError(f"{url}: {said}")
    if response.status_code in FORBIDDEN:
        raise PermissionError(f"{url}: {said}")
    times = f", {RETRY.total + 1} times" if RETRY.total and response.status_code in RETRY.status_forcelist else ""
    raise StoreError(f"{url}: the server says {said}{times}")


def _details(response: requests.Response, url: str) -> Details:
    headers = response.headers
    size = headers.get("Content-Length", "")
    if response.status_code == 206:
        size = headers.get("Content-Range", "").rpartition("/")[2]
    if not size.isdecimal():
        response.close()
        raise StoreError(f"{url}: the server does not say how long it is")
    return Details(int(size), headers.get("ETag", ""), headers.get("Last-Modified", ""))
