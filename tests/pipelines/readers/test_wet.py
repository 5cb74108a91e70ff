import base64
import gzip
import hashlib
import io
import tracemalloc
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.wet import read_wet

Rows = list[dict[str, Any]]
LINE = "All that is read here was written for this test, and each of its lines says so.\n"
TEXTS = [f"{LINE * 4}Page number {number} ends here." for number in range(5)]
WARCINFO = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 20\r\n\r\nsoftware: a test\r\n\r\n\r\n\r\n"


def record_id(number: int) -> str:
    return str(uuid.UUID(int=number + 1))


def record(number: int, *, length: str | None = "right", digest: bool = True, text: str | None = None) -> bytes:
    """A conversion record whose Content-Length says `length` (None: no such header)."""
    body = f"Title {number}\n{TEXTS[number] if text is None else text}".encode()
    headers = [
        "WARC/1.0",
        "WARC-Type: conversion",
        f"WARC-Target-URI: https://example.org/{number}",
        "WARC-Date: 2020-01-01T00:00:00Z",
        f"WARC-Record-ID: <urn:uuid:{record_id(number)}>",
    ]
    if length is not None:
        headers.append(f"Content-Length: {len(body) if length == 'right' else length}")
    if digest:
        headers.append("WARC-Block-Digest: sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode())
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + body + b"\r\n\r\n"


def pack(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def blocks(records: Sequence[bytes]) -> bytes:
    """Gzip in members that are cut without regard to records, as some parallel compressors leave it."""
    data = b"".join(records)
    return b"".join(pack(data[start : start + 300]) for start in range(0, len(data), 300)) + pack(b"")


LAYOUTS: dict[str, Callable[[Sequence[bytes]], bytes]] = {
    "a member a record": lambda records: b"".join(map(pack, records)),
    "one member": lambda records: pack(b"".join(records)),
    "members cut anywhere": blocks,
    "plain": b"".join,
}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def only(reason: str) -> ReadReport:
    return ReadReport(Counter({reason: 1}))


def read(data: bytes, **options) -> tuple[Rows, ReadReport]:
    report = ReadReport()
    batches = read_wet(io.BytesIO(data), collection="test", report=report, **options)
    return [row for batch in batches for row in batch.to_pylist()], report


def read_traced(data: bytes) -> tuple[Rows, ReadReport, int]:
    """Also the bytes that reading held at its height."""
    tracemalloc.start()
    rows, report = read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return rows, report, peak


def numbers(rows: Rows) -> list[int]:
    """Which of this file's records `rows` are; each must be exactly as it was written."""
    found = [int(dict(row["metadata"])["url"].rsplit("/", 1)[1]) for row in rows]
    assert [row["text"] for row in rows] == [TEXTS[number] for number in found]
    assert [row["id"] for row in rows] == [f"commoncrawl/test/{record_id(number)}" for number in found]
    return found


@every_layout
def test_every_layout_gives_the_same_documents(layout):
    rows, report = read(layout([WARCINFO, *map(record, range(5))]))
    assert numbers(rows) == [0, 1, 2, 3, 4]
    assert report == ReadReport()
    assert dict(rows[0]["metadata"]) == {
        "url": "https://example.org/0",
        "date": "2020-01-01T00:00:00Z",
        "title": "Title 0",
    }


@every_layout
def test_a_stream_may_give_a_byte_at_a_time(layout):
    class Dribble(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 1))

    report = ReadReport()
    stream = Dribble(layout([WARCINFO, record(0), record(1)]))
    (batch,) = read_wet(stream, collection="test", report=report)
    assert numbers(batch.to_pylist()) == [0, 1]
    assert report == ReadReport()


def test_headers_are_found_by_name():
    body = b"T\xc3\xaftre\n" + b"x" * 400
    head = (
        b"WARC/1.1\r\ncontent-LENGTH:%d\r\nX-New: 1\r\nWARC-Identified-Content-Language: fra,eng\r\nwarc-date: now\r\n"
        b"WARC-Target-URI:\r\n https://example.org/folded\r\nWARC-TYPE: conversion\r\n\r\n" % len(body)
    )
    rows, report = read(head + body + b"\r\n\r\n")
    assert dict(rows[0]["metadata"]) == {
        "crawl_languages": "fra,eng",
        "date": "now",
        "title": "Tïtre",
        "url": "https://example.org/folded",
    }
    assert report == ReadReport()


def test_a_record_without_an_id_is_named_by_its_content():
    without = record(0).replace(b"WARC-Record-ID", b"X-Nothing")
    (one,), _ = read(without)
    (other,), _ = read(WARCINFO + record(1) + without, min_characters=0)[0][1:], None
    assert one["id"] == other["id"]
    assert len(one["id"]) == len("commoncrawl/test/") + 40


def test_short_documents_are_dropped_by_the_characters_after_the_title():
    texts = ["ä" * 299, "ä" * 300, ""]
    rows, _ = read(b"".join(record(number, text=text) for number, text in enumerate(texts)))
    assert [row["dropped"] for row in rows] == ["too_short", None, "too_short"]
    assert [row["text"] for row in rows] == texts


def test_invalid_utf8_is_replaced_and_counted():
    rows, report = read(
        record(0, length=str(len(TEXTS[0]) + 8), digest=False).replace(b"read here", b"read \xff\xe9re")
    )
    assert rows[0]["text"] == TEXTS[0].replace("read here", "read \ufffd\ufffdre")
    assert report.counts == {"wet: invalid utf-8": 1}


def test_a_title_has_an_end():
    line = "words without a line break " * 100
    rows, report = read(
        record(0, text="").replace(b"Title 0\n", b"Title 0 ")[:-4].replace(b"Length: 8", b"Length: 2708")
        + line.encode()
        + b"\r\n\r\n"
    )
    assert len(dict(rows[0]["metadata"])["title"]) == 1_000
    assert report.counts == {"wet: title cut": 1}


LIES = {
    "too long": (str(len(record(1)) + 10), "warc: length differs"),
    "a little too long": (str(len(TEXTS[1]) + 8 + 3), "warc: length differs"),
    "to the end of the next record": (str(len(TEXTS[1]) + 8 + 4 + len(record(2)) - 4), "warc: length differs"),
    "too short": ("100", "warc: length differs"),
    "zero": ("0", "warc: length differs"),
    "negative": ("-5", "warc: bad length"),
    "missing": (None, "warc: bad length"),
    "not a number": ("12x", "warc: bad length"),
    "other digits": ("\u0663\u0664", "warc: bad length"),
    "empty": ("", "warc: bad length"),
    "huge": (str(10**18 - 1), "warc: length differs"),
    "beyond any file": (str(10**18), "warc: bad length"),
    "beyond any integer": ("9" * 5_000, "warc: bad length"),
}


@every_layout
@pytest.mark.parametrize(("length", "reason"), LIES.values(), ids=LIES)
@pytest.mark.parametrize("digest", [True, False], ids=["digest", "no digest"])
def test_a_length_that_lies_costs_its_own_record_only(layout, length, reason, digest):
    lying = record(1, length=length, digest=digest)
    rows, report = read(layout([WARCINFO, record(0), lying, record(2), record(3)]))
    assert numbers(rows) == [0, 2, 3]
    assert report == only(reason)


@pytest.mark.parametrize("layout", ["a member a record", "one member"])
@pytest.mark.parametrize(("length", "reason"), LIES.values(), ids=LIES)
def test_the_last_record_may_lie(layout, length, reason):
    rows, report = read(LAYOUTS[layout]([WARCINFO, record(0), record(1, length=length)]))
    assert numbers(rows) == [0]
    assert report == only(reason)


@every_layout
def test_a_page_that_quotes_a_record_stays_whole(layout):
    quote = TEXTS[0] + "\r\n\r\n" + record(3).decode() + "The end."
    rows, report = read(layout([record(0, text=quote), record(1)]))
    assert [row["text"] for row in rows] == [quote, TEXTS[1]]
    assert report == ReadReport()


@every_layout
def test_a_header_without_end_costs_its_own_record_only(layout):
    rows, report = read(layout([record(0), b"WARC/1.0\r\nWARC-Type: conversion\r\n" + b"X: y\r\n" * 20_000, record(1)]))
    assert numbers(rows) == [0, 1]
    assert report == only("warc: bad header")


def test_garbage_between_records_is_counted():
    rows, report = read(record(0) + b"what is this?\r\n" + record(1))
    assert numbers(rows) == [0, 1]
    assert report == only("warc: garbage between records")


def test_garbage_between_members_is_counted():
    rows, report = read(
        pack(record(0)) + bytes(1_000) + pack(record(1)) + b"\x1f\x8b\x08 no" + pack(record(2)) + b"end"
    )
    assert numbers(rows) == [0, 1, 2]
    assert report.counts == {"gzip: garbage between members": 2, "gzip: damaged member": 1}


@pytest.mark.parametrize(
    "position", [20, 150, -6, -2], ids=["in its start", "in its middle", "in its checksum", "in its length"]
)
def test_a_damaged_member_costs_its_own_record_only(position):
    damaged = bytearray(pack(record(1)))
    damaged[position] ^= 0xFF
    rows, report = read(pack(WARCINFO) + pack(record(0)) + bytes(damaged) + pack(record(2)) + pack(record(3)))
    assert numbers(rows) == [0, 2, 3]
    assert report == only("gzip: damaged member")


def test_a_first_member_that_is_damaged_does_not_cost_the_file():
    damaged = bytearray(pack(WARCINFO))
    damaged[-6] ^= 0xFF
    rows, report = read(bytes(damaged) + pack(record(0)))
    assert numbers(rows) == [0]
    assert report == only("gzip: damaged member")


@every_layout
def test_a_file_that_is_cut_gives_every_whole_record(layout):
    records = [WARCINFO, *map(record, range(3))]
    data = layout(records)
    ends = [len(layout(records[:count])) for count in range(5)]
    for length in range(5, len(data) - 1):
        rows, report = read(data[:length])
        found = numbers(rows)
        assert found == list(range(len(found)))
        if layout is LAYOUTS["a member a record"]:
            assert len(found) >= sum(end <= length for end in ends[2:])
            assert bool(report.truncated) == (length not in ends)
        elif layout is LAYOUTS["plain"]:
            assert len(found) == sum(end <= length for end in ends[2:])
            assert bool(report.truncated) == (length not in ends)
        elif layout is LAYOUTS["one member"]:
            assert report.truncated == "the file ends inside a gzip member"
            text = zlib.decompressobj(31).decompress(data[:length])
            assert len(found) == sum(len(b"".join(records[: count + 2])) < len(text) for count in range(3))
        assert not report.counts or layout is blocks


def test_without_its_checksum_a_record_is_not_whole():
    rows, report = read(pack(record(0)) + pack(record(1))[:-3])
    assert numbers(rows) == [0]
    assert report == ReadReport(truncated="the file ends inside a gzip member")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is empty"),
        (pack(b""), "it holds no WARC record that can be read"),
        (b"<html>" + LINE.encode(), "neither gzip nor WARC: it begins with b'<html>All that i'"),
        (pack(LINE.encode()), "not a WARC: its text begins with b'All that is read'"),
        (bytes(1_000), "neither gzip nor WARC"),
        (record(0).replace(b"conversion", b"response"), "this is a WARC with response records, not WET text"),
        (record(0).replace(b"conversion", b"metadata"), "this is a WARC with metadata records, not WET text"),
    ],
)
def test_what_is_not_wet_is_refused_in_one_sentence(data, sentence):
    with pytest.raises(UnreadableInputError) as error:
        read(data)
    assert sentence in str(error.value)


def test_other_records_are_counted():
    rows, report = read(
        record(0) + record(1).replace(b"conversion", b"response") + record(2).replace(b"conversion", b"poem")
    )
    assert numbers(rows) == [0]
    assert report.counts == {"wet: response record": 1, "wet: unknown record": 1}


@pytest.mark.parametrize("layout", ["a member a record", "one member"])
def test_a_huge_record_is_dropped_in_bounded_memory(layout):
    size = 200_000_000
    head = b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:uuid:%s>\r\nContent-Length: %d\r\n\r\n"
    huge = head % (record_id(1).encode(), size) + b"a" * size + b"\r\n\r\n"
    data = LAYOUTS[layout]([record(0), huge, huge[:-size] + b"\r\n\r\n", record(2)])
    del huge
    rows, report, peak = read_traced(data)
    assert peak < 80 << 20
    assert [(row["dropped"], len(row["text"])) for row in rows] == [
        (None, len(TEXTS[0])),
        ("too_large", 0),
        (None, len(TEXTS[2])),
    ]
    assert report == only("warc: length differs")


def test_a_gzip_bomb_stays_small_in_memory():
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as file:
        file.write(record(1, length="300"))
        for _ in range(500):
            file.write(bytes(1 << 20))
    rows, report, peak = read_traced(pack(record(0)) + bomb.getvalue() + pack(record(2)))
    assert peak < 80 << 20
    assert numbers(rows) == [0, 2]
    assert report.counts == {"warc: length differs": 1}


@settings(max_examples=500, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_damage_to_members_of_one_record_makes_a_wrong_document(rng):
    """Bytes changed, removed, added or repeated: each document that is given is one that was written."""
    data = bytearray(LAYOUTS["a member a record"]([WARCINFO, *map(record, range(5))]))
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(data))
        end = min(len(data), start + rng.choice([1, 1, 10, 500]))
        match rng.randrange(4):
            case 0:
                data[start:end] = rng.randbytes(end - start)
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = rng.randbytes(end - start)
            case 3:
                data[start:start] = data[rng.randrange(len(data)) :][:700]
    try:
        rows, _ = read(bytes(data))
    except UnreadableInputError:
        return
    numbers(rows)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b\x08", b"WARC/1.0\r\n", pack(b"WARC/1.0\r\n")]))
def test_any_bytes_are_read_or_refused(data, start):
    try:
        rows, _ = read(start + data, min_characters=0)
    except UnreadableInputError:
        return
    assert all(row["source"] == "commoncrawl" for row in rows)


# ---- real files


def read_file(path: Path) -> tuple[Rows, ReadReport]:
    return read(path.read_bytes())


def test_real_pages(shared_data):
    rows, counts = [], []
    for number in range(4):
        some, report = read_file(shared_data / f"web/derived-realpages-0000{number}.warc.wet.gz")
        assert report == ReadReport()
        rows += some
        counts.append(len(some))
    assert counts == [192, 191, 191, 192]
    assert [row["dropped"] for row in rows].count("too_short") == 1
    assert len({row["id"] for row in rows}) == 762
    first = rows[0]
    assert first["id"] == "commoncrawl/test/87b70428-64b9-5890-86d5-be4b24f25b2f"
    assert (
        dict(first["metadata"])["title"]
        == "Betriebliche Altersvorsorge (bAV) - Wann lohnt die Betriebsrente? - Finanztip"
    )
    assert first["text"].startswith("Menü\nÜber uns\nCommunity\n")


def test_a_real_capture_with_its_language_header(shared_data):
    (row,), report = read_file(shared_data / "web/whirlwind-python__whirlwind.warc.wet.gz")
    assert report == ReadReport()
    assert row["id"] == "commoncrawl/test/2aabeff2-67f5-4608-8466-e87c6296e2b6"
    assert dict(row["metadata"]) == {
        "crawl_languages": "spa",
        "date": "2024-05-18T01:58:10Z",
        "title": "Escopete - Biquipedia, a enciclopedia libre",
        "url": "https://an.wikipedia.org/wiki/Escopete",
    }
    assert row["text"].startswith("Ir al contenido\nMenú principal\n")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cc_net__sample.warc.txt", "it holds no WARC record that can be read"),  # edited by hand: no length is right
        ("dolma__sample-0000.warc.gz", "this is a WARC with response records, not WET text"),
        ("whirlwind-python__whirlwind.warc.gz", "this is a WARC with response records, not WET text"),
        ("warcio__example-bad.warc.gz.bad", "this is a WARC with response records, not WET text"),
        ("warcio__example-trunc.warc", "this is a WARC with request records, not WET text"),
        ("warcio__example-wrong-chunks.warc.gz", "this is a WARC with request records, not WET text"),
    ],
)
def test_real_files_that_hold_no_text_are_refused(shared_data, name, sentence):
    with pytest.raises(UnreadableInputError, match=sentence):
        read_file(shared_data / "web" / name)


def test_a_real_file_that_ends_inside_its_first_record(shared_data):
    rows, report = read_file(shared_data / "web/chatnoir-resiliparse__clipped.warc.gz")
    assert (rows, report) == ([], ReadReport(truncated="the file ends inside a gzip member"))
