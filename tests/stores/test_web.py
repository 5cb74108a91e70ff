"""Files on the web arrive whole, whatever the connection does, or not at all."""

import gzip
import random

import pytest
import urllib3

from pipelines import store, web
from pipelines.errors import StoreError, UserError
from pipelines.listings import listed
from tests.stores.servers import FileServer

DATA = random.Random(1).randbytes(300_000)
QUICK = urllib3.Retry(total=3, backoff_factor=0, status_forcelist=web.RETRY.status_forcelist, raise_on_status=False)


@pytest.fixture
def server():
    with FileServer({"/a.gz": DATA, "/empty": b""}) as running:
        yield running


@pytest.fixture
def impatient(monkeypatch):
    """Four attempts, no pauses."""
    monkeypatch.setattr(web, "RETRY", QUICK)
    monkeypatch.setattr(web, "STALL_SECONDS", 0.3)
    web._session.cache_clear()
    yield
    web._session.cache_clear()


def test_a_file_is_read_whole_in_parts_and_from_anywhere(server):
    url = f"{server.url}/a.gz"
    assert store.read_bytes(url) == DATA
    assert store.sha256(url)[1] == len(DATA)
    with store.open_read(url) as stream:
        assert stream.seek(-10, 2) == len(DATA) - 10
        assert stream.read() == DATA[-10:]
        stream.seek(1000)
        assert stream.read(5) == DATA[1000:1005]
    assert store.read_bytes(f"{server.url}/empty") == b""
    assert store.info(url) == store.glob(url)[0]


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("fault", ["busy", "drop", "cut", "stall"])
def test_a_fault_is_overcome_and_the_bytes_are_the_same(server, impatient, fault, ranges):
    server.ranges = ranges
    server.faults = iter([None, fault, fault])
    assert store.read_bytes(f"{server.url}/a.gz") == DATA
    assert server.failed == 2


def test_reading_goes_on_at_the_byte_that_was_reached(server, impatient):
    server.faults = iter([None, "cut"])
    assert store.read_bytes(f"{server.url}/a.gz") == DATA
    assert server.requests[-1][2] == f"bytes={len(DATA) // 2}-{len(DATA) - 1}"


@pytest.mark.parametrize("fault", ["busy", "drop", "cut", "stall"])
def test_a_server_that_always_fails_is_one_clear_line(server, impatient, fault):
    server.faults = iter([None, *[fault] * 40])
    with pytest.raises(StoreError, match=f"{server.url}/a.gz: ") as caught:
        store.read_bytes(f"{server.url}/a.gz")
    assert "\n" not in str(caught.value)
    assert server.failed <= 20  # halves of halves: four attempts for every 4 MiB


def test_two_versions_of_a_file_are_never_joined(server, impatient):
    server.faults = iter([None, "cut"])
    with store.open_read(f"{server.url}/a.gz") as stream:
        stream.read(10)
        server.files["/a.gz"] = DATA[::-1]
        with pytest.raises(StoreError, match="it was changed while it was read"):
            stream.read()


def test_a_file_that_changed_since_it_was_listed_is_not_taken_for_it(server, tmp_path):
    url = f"{server.url}/a.gz"
    hint = store.info(url).hint
    store.fetch(url, tmp_path / "a", hint=hint)
    assert (tmp_path / "a").read_bytes() == DATA
    server.files["/a.gz"] = DATA[::-1]
    with pytest.raises(StoreError, match="changed since the run was planned"):
        store.fetch(url, tmp_path / "a", hint=hint)


def test_of_a_range_only_its_bytes_and_the_head_are_asked_for_and_they_lie_at_their_places(
    server, tmp_path, monkeypatch
):
    monkeypatch.setattr(store, "HEAD_BYTES", 100)
    store.fetch(f"{server.url}/a.gz", tmp_path / "a", 100_000, 100_500)
    assert (tmp_path / "a").read_bytes() == DATA[:100] + bytes(99_900) + DATA[100_000:100_500] + bytes(
        len(DATA) - 100_500
    )
    assert {wanted for method, _, wanted in server.requests if method == "GET"} == {"bytes=0-99", "bytes=100000-100499"}


def test_what_is_not_there_and_what_cannot_be_done(server):
    assert store.glob(f"{server.url}/none") == []
    assert not store.exists(f"{server.url}/none")
    with pytest.raises(FileNotFoundError, match="/none: 404"):
        store.read_bytes(f"{server.url}/none")
    with pytest.raises(UserError, match="can only be read"):
        store.write_bytes(server.url, "a", b"")


def test_a_server_that_is_not_there_is_one_clear_line(impatient):
    with pytest.raises(StoreError, match=r"http://127.0.0.1:9/a: .*Connection refused"):
        store.read_bytes("http://127.0.0.1:9/a")


def test_a_listing_names_files_from_the_folder_that_their_names_start_with():
    names = [f"crawl-data/CC-MAIN-2019-30/segments/1/wet/{n}.warc.wet.gz" for n in range(3)]
    with FileServer({"/mirror/crawl-data/CC-MAIN-2019-30/wet.paths.gz": gzip.compress("\n".join(names).encode())}) as s:
        url = f"{s.url}/mirror/crawl-data/CC-MAIN-2019-30/wet.paths.gz"
        assert listed(url) == [f"{s.url}/mirror/{name}" for name in names]
        assert listed(f"{url}#first=2") == [f"{s.url}/mirror/{name}" for name in names[:2]]
        with pytest.raises(UserError, match="a whole number above 0 is wanted after #first="):
            listed(f"{url}#first=all")


def test_names_that_lie_beside_their_listing(tmp_path):
    (tmp_path / "a.paths").write_text("x/1.gz\n\nx/2.gz\n")
    assert listed(f"{tmp_path}/a.paths") == [f"{tmp_path}/x/1.gz", f"{tmp_path}/x/2.gz"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/../../b", "https://elsewhere/a"])
def test_a_listing_leads_nowhere_else(tmp_path, name):
    (tmp_path / "a.paths").write_text(f"x/1.gz\n{name}\n")
    with pytest.raises(UserError, match="leaves the listing's folder"):
        listed(f"{tmp_path}/a.paths")


@pytest.mark.parametrize(
    "data", [b"no gzip", gzip.compress(b"\xff"), gzip.compress(b"\n"), gzip.compress(b"a\n" * 99)[:-9]]
)
def test_what_is_no_listing_is_said(tmp_path, data):
    (tmp_path / "a.paths.gz").write_bytes(data)
    with pytest.raises(UserError, match=r"a.paths.gz: (not a listing|this listing names no file)"):
        listed(f"{tmp_path}/a.paths.gz")
