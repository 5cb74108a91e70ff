import base64
import gzip
import hashlib
import io
import tracemalloc
import uuid
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.documents import MAX_DOCUMENT_BYTES, ReadReport, UnreadableInputError
from pipelines.readers.warc import read_crawl

Rows = list[dict[str, Any]]
WORDS = "All that is read here was written for this test, and each of its lines says só. "
HTML = f"<!DOCTYPE html><title>A title</title><p>{WORDS * 4}<p>The énd."
TEXT = f"{(WORDS * 4).strip()}\nThe énd."
WARCINFO = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 2\r\n\r\nx\n\r\n\r\n"


def record(block: bytes, *, type_: str = "response", number: int = 0, more: str = "", length: str = "") -> bytes:
    head = (
        f"WARC/1.0\r\nWARC-Type: {type_}\r\nWARC-Record-ID: <urn:uuid:{uuid.UUID(int=number)}>\r\n"
        f"WARC-Target-URI: https://example.org/{number}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n{more}"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {length or len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def response(body: bytes, *headers: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([status, *headers, "", ""]).encode() + body


def page(body: bytes | str = HTML, *headers: str) -> bytes:
    """A response record; HTML in UTF-8 if no header says otherwise."""
    body = body.encode() if isinstance(body, str) else body
    return record(response(body, *(headers or ["Content-Type: text/html; charset=utf-8"])))


def read(data: bytes, **options) -> tuple[Rows, ReadReport]:
    report = ReadReport()
    batches = read_crawl(io.BytesIO(data), collection="test", report=report, **options)
    return [row for batch in batches for row in batch.to_pylist()], report


def texts(data: bytes) -> list[str]:
    rows, report = read(data)
    assert report == ReadReport()
    assert {row["dropped"] for row in rows} == {None}
    return [row["text"] for row in rows]


def test_a_page_is_its_text_title_address_and_date():
    rows, report = read(gzip.compress(WARCINFO) + gzip.compress(page()))
    assert report == ReadReport()
    assert rows == [
        {
            "id": f"commoncrawl/test/{uuid.UUID(int=0)}",
            "source": "commoncrawl",
            "text": TEXT,
            "metadata": [
                ("date", "2020-01-01T00:00:00Z"),
                ("title", "A title"),
                ("url", "https://example.org/0"),
            ],
            "dropped": None,
        }
    ]


def test_the_records_around_responses_are_passed_over_and_others_counted():
    rows, report = read(
        WARCINFO
        + record(b"GET / HTTP/1.1\r\n\r\n", type_="request")
        + page()
        + record(b"fetchTimeMs: 1", type_="metadata")
        + record(b"", type_="revisit")
        + record(b"x", type_="poem")
        + record(b"Title\nText", type_="conversion")
    )
    assert [row["text"] for row in rows] == [TEXT]
    assert report.counts == {f"warc: {type_} record": 1 for type_ in ("revisit", "unknown", "conversion")}


def chunked(data: bytes, size: int) -> bytes:
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


RAW = zlib.compressobj(wbits=-15)
DEFLATED_RAW = RAW.compress(HTML.encode()) + RAW.flush()
ENCODED = {
    "gzip": (["Content-Encoding: gzip"], gzip.compress(HTML.encode())),
    "x-gzip": (["content-encoding: X-GZIP"], gzip.compress(HTML.encode())),
    "deflate": (["Content-Encoding: deflate"], zlib.compress(HTML.encode())),
    "deflate without a header": (["Content-Encoding: deflate"], DEFLATED_RAW),
    "brotli": (["Content-Encoding: br"], brotli.compress(HTML.encode())),
    "twice": (["Content-Encoding: gzip, br"], brotli.compress(gzip.compress(HTML.encode()))),
    "chunked": (["Transfer-Encoding: chunked"], chunked(HTML.encode(), 50)),
    "chunked and gzip": (
        ["Transfer-Encoding: chunked", "Content-Encoding: gzip"],
        chunked(gzip.compress(HTML.encode()), 50),
    ),
    "undone by the archive": (["Transfer-Encoding: chunked", "Content-Encoding: br"], HTML.encode()),
    "none": (["Content-Encoding: identity"], HTML.encode()),
}


@pytest.mark.parametrize(("headers", "body"), ENCODED.values(), ids=ENCODED)
def test_encodings_are_undone(headers, body):
    assert texts(page(body, "Content-Type: text/html; charset=utf-8", *headers)) == [TEXT]


@pytest.mark.parametrize(
    ("headers", "body"),
    [(headers, body[:-20]) for name, (headers, body) in ENCODED.items() if "gzip" in name or "br" in name],
)
def test_what_can_be_read_of_a_page_that_is_cut_is_kept(headers, body):
    rows, report = read(page(body, "Content-Type: text/html", *headers), min_characters=0)
    assert TEXT.startswith(rows[0]["text"][:100])
    assert set(report.counts) <= {"warc: page cut short", "warc: invalid characters"}
    assert report.counts["warc: page cut short"] >= 1


CHARACTERS = {
    "the server's": ("iso-8859-1", ["Content-Type: text/html; charset=ISO-8859-1"], ""),
    "the server's, against the page's": (
        "utf-8",
        ["Content-Type: text/html;charset='utf8'"],
        '<meta charset="koi8-r">',
    ),
    "the page's": ("cp1250", ["Content-Type: text/html"], '<meta charset="windows-1250">'),
    "the page's, as http-equiv": (
        "iso-8859-15",
        ["Content-Type: text/html"],
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-15">',
    ),
    "detected": ("utf-8", ["Content-Type: text/html"], ""),
    "unknown to anyone": ("utf-8", ["Content-Type: text/html; charset=klingon"], ""),
    "a byte order mark's": ("utf-16", ["Content-Type: text/html; charset=iso-8859-1"], ""),
}


@pytest.mark.parametrize(("encoding", "headers", "meta"), CHARACTERS.values(), ids=CHARACTERS)
def test_characters_are_those_of(encoding, headers, meta):
    assert texts(page((meta + HTML).encode(encoding), *headers)) == [TEXT]


def test_bytes_that_are_no_characters_are_replaced_and_counted():
    rows, report = read(page(HTML.encode().replace(b"and each", b"and\xff each")))
    assert rows[0]["text"].count("and\ufffd each") == 4
    assert report.counts == {"warc: invalid characters": 1}


PASSED_OVER = {
    "http 4xx": response(HTML.encode(), "Content-Type: text/html", status="HTTP/1.1 404 Not Found"),
    "http 3xx": response(b"", "Location: /", status="HTTP/1.0 301 Moved"),
    "http 2xx": response(HTML.encode(), "Content-Type: text/html", status="HTTP/1.1 206 Partial Content"),
    "no http": HTML.encode(),
    "empty page": response(b" \n", "Content-Type: text/html"),
    "neither html nor text": response(b"\x89PNG", "Content-Type: image/png"),
    "binary": response(b"%PDF-1.4 \0\1\2" * 100, "Content-Type: text/html; charset=utf-8"),
    "unknown content encoding": response(b"x", "Content-Type: text/html", "Content-Encoding: zstd"),
    "bad content encoding": response(
        b"\x1f\x8b\x08\xff\xff\xff" * 9, "Content-Type: text/html", "Content-Encoding: br"
    ),
}


@pytest.mark.parametrize(("reason", "block"), PASSED_OVER.items(), ids=PASSED_OVER)
def test_a_response_that_is_no_page_is_counted(reason, block):
    rows, report = read(record(block) + page())
    assert [row["text"] for row in rows] == [TEXT]
    assert report == ReadReport(Counter({f"warc: {reason}": 1}))


def test_the_crawl_knows_a_page_better_than_its_server():
    says_html = response(HTML.encode(), "Content-Type: application/octet-stream")
    says_pdf = response(HTML.encode(), "Content-Type: text/html")
    rows, report = read(
        record(says_html, more="WARC-Identified-Payload-Type: text/html\r\n")
        + record(says_pdf, more="WARC-Identified-Payload-Type: application/pdf\r\n")
        + record(response(HTML.encode()))
    )
    assert [row["text"] for row in rows] == [TEXT, TEXT]
    assert report.counts == {"warc: neither html nor text": 1}


def test_plain_text_is_kept_line_by_line():
    assert texts(page("a < b\r\n\r\n  c\n" * 50, "Content-Type: text/plain")) == ["\n".join(["a < b", "", "  c"] * 50)]


def test_a_page_that_the_crawl_cut_and_a_title_without_end_are_counted():
    title = "words " * 500
    rows, report = read(
        record(
            response(f"<title>{title}</title>{HTML}".encode(), "Content-Type: text/html"),
            more="WARC-Truncated: length\r\n",
        )
    )
    assert len(dict(rows[0]["metadata"])["title"]) <= 1_000
    assert report.counts == {"warc: page cut short": 1, "warc: title cut": 1}


def test_a_length_that_lies_costs_its_own_record_only():
    good = response(HTML.encode(), "Content-Type: text/html")
    rows, report = read(record(good, number=1) + record(good, length="77") + record(good, number=2))
    assert [row["id"][-1] for row in rows] == ["1", "2"]
    assert report.counts == {"warc: length differs": 1}


@pytest.mark.parametrize("name", ["WARC-Block-Digest", "WARC-Payload-Digest"])
def test_a_page_that_quotes_a_record_stays_whole_if_a_digest_says_so(name):
    body = (HTML + "\r\n\r\n" + WARCINFO.decode()).encode()
    block = response(body, "Content-Type: text/html; charset=utf-8")
    digest = base64.b32encode(hashlib.sha1(body if "Payload" in name else block).digest()).decode()
    [text] = texts(record(block, more=f"{name}: sha1:{digest}\r\n"))
    assert text.startswith(TEXT)
    rows, report = read(record(block) + page())
    assert [row["text"] for row in rows] == [TEXT]
    assert "warc: length differs" in report.counts


def test_a_file_that_is_cut_is_marked_and_gives_what_came_before():
    rows, report = read((gzip.compress(page()) * 2)[:-30])
    assert [row["text"] for row in rows] == [TEXT]
    assert report == ReadReport(truncated="the file ends inside a gzip member")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is empty"),
        (HTML.encode(), "neither gzip nor WARC"),
        (record(b"GET /", type_="request"), "it holds no response record that can be read"),
        (record(b"x", type_="metadata") + record(b"Title\nText", type_="conversion"), "it holds no response record"),
    ],
)
def test_what_holds_no_page_is_refused_in_one_sentence(data, sentence):
    with pytest.raises(UnreadableInputError, match=sentence):
        read(data)


BOMB = bytes(MAX_DOCUMENT_BYTES + 1)
LARGE = {
    "as stored": page(BOMB, "Content-Type: text/html"),
    "behind gzip": page(gzip.compress(BOMB * 8, 1), "Content-Type: text/html", "Content-Encoding: gzip"),
    "behind brotli": page(brotli.compress(BOMB * 8, quality=1), "Content-Type: text/html", "Content-Encoding: br"),
    "behind both": page(
        brotli.compress(gzip.compress(BOMB, 1), quality=1), "Content-Type: text/html", "Content-Encoding: gzip, br"
    ),
}


@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE)
def test_a_huge_page_is_dropped_in_bounded_memory(large):
    data = gzip.compress(large, 1) + gzip.compress(page())
    tracemalloc.start()
    rows, report = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row["dropped"] for row in rows] == ["too_large", None]
    assert report == ReadReport()
    assert peak < 6 * MAX_DOCUMENT_BYTES


def test_a_page_of_too_many_tags_and_a_short_one_are_dropped_by_name():
    rows, report = read(page("<p>x" * 600_000) + page("<p>x"))
    assert [row["dropped"] for row in rows] == ["too_many_tags", "too_short"]
    assert report == ReadReport()


@settings(max_examples=300)
@given(st.randoms(use_true_random=False))
def test_damage_gives_pages_that_were_written_or_a_counted_reason(rng):
    """Bytes of compressed members are changed: checksums catch them, so that every page given is whole."""
    data = bytearray(b"".join(gzip.compress(part, mtime=0) for part in (WARCINFO, page(), page(), page())))
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(data))
        data[start : start + rng.choice([1, 10, 200])] = rng.randbytes(rng.choice([0, 1, 10]))
    try:
        rows, _ = read(bytes(data))
    except UnreadableInputError:
        return
    assert all(row["text"] == TEXT for row in rows)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "br", "deflate", "identity"]), st.booleans())
def test_any_body_is_a_page_or_counted(body, encoding, chunked):
    headers = [f"Content-Encoding: {encoding}", *(["Transfer-Encoding: chunked"] if chunked else [])]
    rows, report = read(page(body, "Content-Type: text/html", *headers))
    assert rows or report.counts


# ---- real files


def read_file(path: Path) -> tuple[Rows, ReadReport]:
    return read(path.read_bytes())


def test_a_real_page_is_the_same_document_from_warc_and_from_wet(shared_data):
    [page], warc_report = read_file(shared_data / "web/whirlwind-python__whirlwind.warc.gz")
    [text], wet_report = read_file(shared_data / "web/whirlwind-python__whirlwind.warc.wet.gz")
    assert warc_report == wet_report == ReadReport()
    assert page["id"] == text["id"] == "commoncrawl/test/2aabeff2-67f5-4608-8466-e87c6296e2b6"
    assert dict(text["metadata"]) == {**dict(page["metadata"]), "crawl_languages": "spa"}
    assert page["text"].split() == text["text"].split()
    ours, theirs = Counter(page["text"].split("\n")), Counter(text["text"].strip().split("\n"))
    assert (ours & theirs).total() > 0.94 * theirs.total()


def test_a_real_crawl(shared_data):
    rows, report = read_file(shared_data / "web/dolma__sample-0000.warc.gz")
    assert len(rows) == 22
    assert {row["dropped"] for row in rows} == {None}
    assert report == ReadReport(Counter({"warc: resource record": 2}))
    assert not any("<div" in row["text"] or "function(" in row["text"] for row in rows)
    by_title = {dict(row["metadata"])["title"]: row for row in rows}
    weld = by_title["Dan Weld | Paul G. Allen School of Computer Science & Engineering"]  # chunked
    assert dict(weld["metadata"])["url"] == "https://www.cs.washington.edu/people/faculty/weld"


def test_real_files_that_are_broken(shared_data):
    rows, report = read_file(shared_data / "web/warcio__example-bad.warc.gz.bad")
    assert [dict(row["metadata"])["title"] for row in rows] == ["Example Domain"]
    assert report.counts == {"warc: http 3xx": 1, "warc: revisit record": 1}
    for name in ("warcio__example-trunc.warc", "warcio__example-wrong-chunks.warc.gz"):
        with pytest.raises(UnreadableInputError, match="it holds no response record that can be read"):
            read_file(shared_data / "web" / name)
    with pytest.raises(UnreadableInputError, match="it holds no WARC record that can be read"):
        read_file(shared_data / "web/cc_net__sample.warc.txt")  # edited by hand: no length is right
