"""JSON lines: every whole row, whatever else is in the file."""

import gzip
import io
import json
import random
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.jsonlines import read_rows

ROWS = [{"text": f"row {n} é", "n": n} for n in range(50)]
PLAIN = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def read(data: bytes, **settings) -> tuple[list[dict], ReadReport]:
    report = ReadReport()
    return list(read_rows(io.BytesIO(data), report, **settings)), report


@pytest.mark.parametrize(
    "data",
    [PLAIN, PLAIN.rstrip(), b"\xef\xbb\xbf" + PLAIN, PLAIN.replace(b"\n", b"\r\n\n"), gzip.compress(PLAIN),
     gzip.compress(PLAIN[:777]) + gzip.compress(PLAIN[777:]), gzip.compress(PLAIN) + b"\0" * 512],
    ids=["plain", "no last newline", "mark", "crlf and blank lines", "gzip", "two members", "padded"],
)  # fmt: skip
def test_every_row_of_a_whole_file(data):
    rows, report = read(data)
    assert rows == ROWS
    assert not report.counts
    assert report.truncated is None


@pytest.mark.parametrize(
    "line", [b"{", b"[1]", b"3", b"null", b'{"a":"\xff"}', b'{"a":"\\ud800"}', b"[" * 100_000, b'{"a":NaN}']
)
def test_a_line_that_is_no_object_is_counted_and_the_next_survives(line):
    rows, report = read(PLAIN + line + b"\n" + PLAIN)
    assert rows == ROWS * 2
    assert report.counts == {"json: not an object": 1}


def test_a_line_that_is_too_long_is_counted_and_the_next_survives():
    for long in (b'{"a":"' + b"x" * 500 + b'"}', b"x" * 3_000_000):
        rows, report = read(PLAIN + long + b"\n" + PLAIN, max_line_bytes=400)
        assert rows == ROWS * 2
        assert report.counts == {"json: line too long": 1}
    rows, report = read(PLAIN + b"x" * 3_000_000, max_line_bytes=400)
    assert (rows, report.counts) == (ROWS, {"json: line too long": 1})


def test_a_file_that_is_cut_short_gives_its_whole_rows():
    data = gzip.compress(PLAIN)
    for end in (len(data) - 4, len(data) // 2):
        rows, report = read(data[:end])
        assert rows == ROWS[: len(rows)]
        assert report.truncated == "the file ends inside gzip data"
    assert len(read(data[:-4])[0]) == 50


def test_damaged_gzip_gives_what_came_before():
    noise = "".join(random.Random(0).choices("abcdefgh", k=600_000))
    data = bytearray(gzip.compress(PLAIN + json.dumps({"text": noise}).encode() + b"\n" + PLAIN))
    data[-8] ^= 0xFF  # of the checksum
    rows, report = read(bytes(data))
    assert rows[:50] == ROWS
    assert report.counts == {"gzip: damaged": 1}
    assert "damaged" in (report.truncated or "")
    rows, report = read(gzip.compress(PLAIN) + b"garbage")
    assert (rows, report.counts) == (ROWS, {"gzip: garbage after the data": 1})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04....", "the file is zip"),
        (b"BZh91AY", "the file is bzip2"),
        (b"<html>", "it does not begin with an object"),
        (gzip.compress(b""), "it holds no line with a JSON object"),
        (gzip.compress(b"some text"), "it holds no line with a JSON object"),
    ],
)
def test_another_format_is_refused_by_name(data, said):
    with pytest.raises(UnreadableInputError, match=said):
        read(data)


def test_a_bomb_takes_little_memory():
    bomb = gzip.compress(b'{"text":"' + b"x" * (1 << 29))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows, report = read(bomb + gzip.compress(b'"}\n{"a":1}\n'))
    assert rows == [{"a": 1}]
    assert report.counts == {"json: line too long": 1}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


@given(st.binary(max_size=2_000), st.booleans(), st.integers(0, 2_000))
def test_any_bytes_give_rows_or_a_clear_sentence(data, compressed, cut):
    data = (gzip.compress(PLAIN[:cut] + data) + data) if compressed else PLAIN[:cut] + data
    try:
        rows, _ = read(data)
    except UnreadableInputError:
        pass
    else:
        assert all(isinstance(row, dict) for row in rows)
