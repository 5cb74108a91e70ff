"""Books in files, gzip and tars."""

import gzip
import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.books import is_plain_tar, read_books

from .test_tar import tar

BOOK = "Title: Nights\r\n\r\nIt was a dark and stormy night.\r\n"


def read(data: bytes, name: str = "book.txt", **options) -> tuple[list[dict], ReadReport]:
    report = ReadReport()
    batches = read_books(io.BytesIO(data), collection="gutenberg", name=name, report=report, **options)
    return [row for batch in batches for row in batch.to_pylist()], report


def test_a_file_is_a_book_whether_packed_or_not():
    [plain], _ = read(BOOK.encode())
    [packed], report = read(gzip.compress(BOOK.encode()), "book.txt.gz")
    assert plain == packed
    assert plain["id"] == "books/gutenberg/book.txt"
    assert plain["text"] == BOOK
    assert dict(plain["metadata"]) == {"encoding": "ascii"}
    assert report == ReadReport()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_is_a_book_for_each_text_file(pack):
    data = tar({"one.txt": b"one", "b/two.epub.txt": "zwölf".encode(), "cover.jpg": b"\xff\xd8", "../three.txt": b"no"})
    rows, report = read(pack(data), "books3.tar.gz")
    assert [(row["id"], row["text"]) for row in rows] == [
        ("books/gutenberg/books3.tar/one.txt", "one"),
        ("books/gutenberg/books3.tar/b/two.epub.txt", "zwölf"),
    ]
    assert report == ReadReport({"tar: not a .txt file": 1, "tar: a name that leads out of its folder": 1})
    assert is_plain_tar(io.BytesIO(pack(data))) == (pack is bytes)


def test_collections_keep_books_of_one_name_apart():
    ids = {
        row["id"]
        for collection in ("a", "b")
        for batch in read_books(io.BytesIO(b"text"), collection=collection, name="0.txt", report=ReadReport())
        for row in batch.to_pylist()
    }
    assert ids == {"books/a/0.txt", "books/b/0.txt"}


def test_what_is_no_text_is_dropped_with_its_reason():
    rows, _ = read(tar({"a.txt": b"x" * 50, "b.txt": b"\x00\x01\x02", "c.txt": b"text"}), max_document_bytes=40)
    assert [row["dropped"] for row in rows] == ["too_large", "not_text", None]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "empty"), (gzip.compress(b""), "empty"), (b"PK\x03\x04...", "the file is zip"), (b"%PDF-1.4", "is PDF"),
     (gzip.compress(b"7z\xbc\xaf\x27\x1c"), "is 7z"), (gzip.compress(b"x" * 99)[:10], "ends inside a gzip member")],
)  # fmt: skip
def test_other_formats_are_refused_by_name(data, said):
    with pytest.raises(UnreadableInputError, match=said):
        read(data)


def test_a_cut_or_damaged_gzip_gives_what_could_be_read():
    text = " ".join(str(n * n) for n in range(50_000)).encode()
    packed = gzip.compress(text)
    [row], report = read(packed[: len(packed) // 2])
    assert text.decode().startswith(row["text"])
    assert len(row["text"]) > 10_000
    assert report.truncated == "the file ends inside a gzip member"
    [row], report = read(packed[:-8] + bytes(8))
    assert text.decode().startswith(row["text"])
    assert len(row["text"]) >= len(text) - (64 << 10)
    assert report.truncated
    assert "damaged" in report.truncated
    assert read(packed + b"garbage")[1] == ReadReport({"gzip: garbage behind the data": 1})


def test_a_gzip_bomb_is_never_held():
    bomb = gzip.compress(bytes(100 << 20), 9)
    tracemalloc.start()
    [row], _ = read(bomb, max_document_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row["dropped"] == "too_large"
    assert peak < 8 << 20


@given(st.binary(max_size=600), st.booleans())
def test_no_bytes_end_in_a_traceback(data, packed):
    try:
        rows, _ = read(gzip.compress(data)[: len(data)] if packed else data)
    except UnreadableInputError:
        return
    assert all(row["id"].startswith("books/gutenberg/book.txt") for row in rows)


def test_real_editions_are_read_whole(shared_data):
    paths = sorted((shared_data / "books").glob("*.gz"))
    assert len(paths) >= 50
    for path in paths:
        [row], report = read(path.read_bytes(), path.name)
        assert report == ReadReport()
        assert row["dropped"] is None
        assert len(row["text"]) > 50_000
        assert "\ufffd" not in row["text"]


def test_pax_headers_and_folders_are_no_books():
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x"}) as archive:
        folder = tarfile.TarInfo("folder.txt")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert read(made.getvalue()) == ([], ReadReport())
