"""C4's published rows."""

import gzip
import io
import json

import pyarrow as pa

from pipelines.documents import ReadReport
from pipelines.readers.c4 import read_c4

ROW = {"text": "One.\nTwo.", "url": "https://a.example/x", "timestamp": "2019-04-25T12:57:54Z"}


def read(*rows: object, **settings) -> tuple[pa.Table, ReadReport]:
    report = ReadReport()
    data = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    return pa.Table.from_batches(read_c4(io.BytesIO(data), collection="en", report=report, **settings)), report


def test_a_row_is_a_document_with_where_and_when_it_was_found():
    table, report = read(ROW)
    (row,) = table.to_pylist()
    assert row["text"] == ROW["text"]
    assert dict(row["metadata"]) == {"url": ROW["url"], "timestamp": ROW["timestamp"]}
    assert row["id"].startswith("c4/en/")
    assert (row["source"], row["dropped"], report.counts) == ("c4", None, {})


def test_an_id_tells_rows_apart_and_stays():
    ids = read(ROW, ROW, {**ROW, "text": "x"}, {**ROW, "url": "y"}, {"text": ROW["text"]})[0]["id"].to_pylist()
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert read(ROW)[0]["id"].to_pylist() == ids[:1]


def test_rows_without_a_text_have_their_reason():
    table, report = read(
        {"url": "a"},
        {"text": None},
        {"text": 3},
        {"text": " \n"},
        ROW,
        {**ROW, "text": "x" * 100},
        max_document_bytes=50,
    )
    assert report.counts == {"c4: row without text": 3}
    assert table["dropped"].to_pylist() == ["empty", None, "too_large"]


def test_the_real_rows_are_all_read(shared_data):
    report = ReadReport()
    (path,) = (shared_data / "c4").glob("*.jsonl")
    with path.open("rb") as stream:
        table = pa.Table.from_batches(read_c4(stream, collection="en", report=report))
    assert table["text"].to_pylist() == [json.loads(line)["text"] for line in path.read_text().splitlines()]
    assert len(table) == 10
    assert not report.counts
