"""Dumps as they are published, and as they come when something went wrong."""

import bz2
import datetime
import gzip
import io
import tracemalloc
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.mediawiki import cut_dump, describe_file_name, page_ranges, read_dump

HEADER = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n  <siteinfo>\n'
    "    <sitename>Wikipedia</sitename>\n    <dbname>enwiki</dbname>\n"
    "    <base>https://en.wikipedia.org/wiki/Main_Page</base>\n  </siteinfo>\n"
)
END = "</mediawiki>\n"


def page(number: int, text: str = "Text.", *, namespace: int = 0, inside: str = "", model: str = "wikitext") -> str:
    return (
        f"  <page>\n    <title>Page {number}</title>\n    <ns>{namespace}</ns>\n    <id>{number}</id>\n{inside}"
        f"    <revision>\n      <id>{number + 1000}</id>\n      <timestamp>2022-07-01T00:00:00Z</timestamp>\n"
        f"      <model>{model}</model>\n      <format>text/x-wiki</format>\n"
        f'      <text bytes="1" xml:space="preserve">{escape(text)}</text>\n    </revision>\n  </page>\n'
    )


def read(data: bytes, **options: Any) -> tuple[list[dict[str, Any]], ReadReport]:
    report = ReadReport()
    batches = read_dump(io.BytesIO(data), collection="20220801", report=report, **options)
    return [row for batch in batches for row in batch.to_pylist()], report


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["id"].rsplit("/", 1)[1]) for row in rows]


def plain(*pages: str) -> bytes:
    return (HEADER + "".join(pages) + END).encode()


def multistream(streams: list[str]) -> bytes:
    """As Wikimedia writes it: the header, pages by the hundred, and the end, each a bz2 stream of its own."""
    return b"".join(bz2.compress(part.encode()) for part in (HEADER, *streams, END))


def test_an_article_has_its_id_text_and_metadata() -> None:
    [row], report = read(plain(page(12, "'''A''' & <ref>b</ref>")))
    assert row["id"] == "wikipedia/20220801/enwiki/12"
    assert row["source"] == "wikipedia"
    assert row["text"] == "'''A''' & <ref>b</ref>"
    assert row["dropped"] is None
    assert dict(row["metadata"]) == {
        "title": "Page 12",
        "url": "https://en.wikipedia.org/wiki/Page_12",
        "language": "en",
        "page_id": "12",
        "timestamp": "2022-07-01T00:00:00Z",
        "model": "wikitext",
    }
    assert not report.counts
    assert report.truncated is None


def test_what_is_no_article_is_counted() -> None:
    rows, report = read(
        plain(
            page(1),
            page(2, namespace=10),
            page(3, inside='    <redirect title="Page 1" />\n'),
            page(4, model="javascript"),
        )
    )
    assert ids(rows) == [1]
    assert report.counts == {"page: namespace": 1, "page: redirect": 1, "page: model": 1}


@pytest.mark.parametrize("compress", [bytes, bz2.compress])
def test_a_dump_cut_inside_a_page_gives_every_whole_page(compress: Any) -> None:
    whole = plain(page(1), page(2), page(3))
    rows, report = read(compress(whole[: whole.index(b"<id>1003") + 2]))
    assert ids(rows) == [1, 2]
    assert report.truncated == "the dump ends inside a page"


def test_a_dump_cut_between_pages_is_truncated_too() -> None:
    rows, report = read((HEADER + page(1)).encode())
    assert ids(rows) == [1]
    assert report.truncated == "the dump ends without </mediawiki>"


def test_a_bz2_file_cut_inside_a_stream_says_where() -> None:
    data = multistream([page(1), page(2)])
    rows, report = read(data[: data.rindex(b"BZh91AY&SY") - 20])
    assert ids(rows)[:1] == [1]
    assert report.truncated is not None
    assert "inside a bz2 stream" in report.truncated


def test_a_damaged_stream_costs_only_its_pages() -> None:
    data = bytearray(multistream([page(1), page(2, "x" * 500), page(3)]))
    starts = [i for i in range(len(data)) if data[i : i + 10] == b"BZh91AY&SY"]
    data[starts[2] + 40] ^= 0xFF
    rows, report = read(bytes(data))
    assert ids(rows) == [1, 3]
    assert report.counts == {"bz2: damaged stream": 1}
    assert report.truncated is None


def test_bytes_after_the_last_stream_are_counted() -> None:
    rows, report = read(multistream([page(1)]) + bytes(512))
    assert ids(rows) == [1]
    assert report.counts == {"bz2: bytes between streams": 1}
    assert report.truncated is None


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is empty"),
        (bz2.compress(b""), "before its first byte of text"),
        (bz2.compress(HEADER.encode())[:20], "before its first byte of text"),
        (b"BZh9 and then no bz2 at all" * 10, "before its first byte of text"),
        (b"\x1f\x8b\x08\x00" + bytes(100), "before its first byte of text"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(10), "the 7z archive is cut short"),
        (b"\xfd7zXZ\x00" + bytes(100), "the file is xz"),
        (b"just some words, no XML", "not a MediaWiki dump"),
        (bytes(range(256)) * 100, "not a MediaWiki dump"),
        (b'<?xml version="1.0"?><posts><row Id="1"/></posts>', "not a MediaWiki dump"),
        (b"<mediawiki><page></page></mediawiki>", "without a <siteinfo>"),
        (b"<mediawiki><siteinfo><dbname>en", "without a <siteinfo>"),
        (b"<mediawiki><siteinfo><dbname></siteinfo><page>", "not well-formed"),
        (b'<?xml version="1.0" encoding="klingon"?><mediawiki>', "unknown encoding, 'klingon'"),
        (b'<!DOCTYPE m [<!ENTITY a "b">]><mediawiki><siteinfo>&a;</siteinfo>', "has a DOCTYPE"),
        (b'<!DOCTYPE m SYSTEM "file:///etc/passwd"><mediawiki>', "has a DOCTYPE"),
    ],
)
def test_what_is_no_dump_is_refused_in_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableInputError, match=sentence) as refused:
        read(data)
    assert "\n" not in str(refused.value)


def test_entities_are_never_resolved() -> None:
    bomb = page(1).replace("Text.", "&lol; &lol;")
    inner = page(2).replace("  <page>", '  <page><!DOCTYPE x [<!ENTITY lol "lol">]>')
    rows, report = read(plain(bomb, inner, page(3)))
    assert ids(rows) == [3]
    assert report.counts == {"page: not well-formed": 2}


@pytest.mark.parametrize("broken", [b"\xff\xfe", b"\x00", b"\x1b[1m", b"&#x1;", b"&#0;", b"\xed\xa0\x80"])
def test_forbidden_characters_cost_neither_their_page_nor_the_next(broken: bytes) -> None:
    rows, report = read(plain(page(1, "before MARK after"), page(2)).replace(b"MARK", broken))
    assert ids(rows) == [1, 2]
    assert rows[0]["text"].startswith("before ")
    assert rows[0]["text"].endswith(" after")
    assert report.counts == {"page: invalid characters": 1}


def test_a_page_that_never_ends_does_not_take_the_next_one() -> None:
    rows, report = read(plain(page(1).replace("</page>", ""), page(2)))
    assert ids(rows) == [2]
    assert report.counts == {"page: not closed": 1}


def test_a_page_without_an_id_is_counted() -> None:
    rows, report = read(plain(page(1).replace("<id>1</id>", ""), page(2)))
    assert ids(rows) == [2]
    assert report.counts == {"page: without id, title or revision": 1}


def test_a_page_over_the_limit_is_dropped_with_its_metadata() -> None:
    rows, _ = read(plain(page(1, "x" * 5000), page(2)), max_document_bytes=4000)
    assert [(row["dropped"], row["text"]) for row in rows] == [("too_large", ""), (None, "Text.")]
    assert dict(rows[0]["metadata"])["title"] == "Page 1"


class _Endless(io.RawIOBase):
    """A dump with a page of 200 MB in one line, made while it is read."""

    def __init__(self, line: int) -> None:
        before, after = (HEADER + page(1, "SPLIT")).encode().split(b"SPLIT")
        self._before, self._after, self._line = before, after + (page(2) + END).encode(), line
        self._size = len(self._before) + line + len(self._after)
        self._position = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def read(self, size: int = -1) -> bytes:
        start, end = self._position, min(self._size, self._position + size)
        self._position = end
        line_end = len(self._before) + self._line
        head = self._before[start:end]
        middle = b"x" * max(0, min(end, line_end) - max(start, len(self._before)))
        tail = self._after[max(0, start - line_end) : max(0, end - line_end)]
        return head + middle + tail


def test_a_line_of_200_megabytes_is_never_held() -> None:
    report = ReadReport()
    stream: Any = _Endless(200 << 20)
    tracemalloc.start()
    rows = [row for batch in read_dump(stream, collection="c", report=report) for row in batch.to_pylist()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(row["dropped"], row["text"]) for row in rows] == [("too_large", ""), (None, "Text.")]
    assert peak < 100 << 20


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32", "utf-16-le"])
def test_other_encodings_are_told_by_their_bytes(encoding: str) -> None:
    rows, report = read((HEADER + page(1, "Köln ✓ 𝄞") + END).encode(encoding))
    assert rows[0]["text"] == "Köln ✓ 𝄞"
    assert report.truncated is None


def test_a_declared_encoding_is_followed() -> None:
    data = ('<?xml version="1.0" encoding="ISO-8859-1"?>\n' + HEADER + page(1, "Köln") + END).encode("latin-1")
    assert read(data)[0][0]["text"] == "Köln"


def test_the_wiki_that_the_caller_knows_wins_and_the_difference_is_counted() -> None:
    [row], report = read(plain(page(7)), wiki="zh_min_nanwiki")
    assert row["id"] == "wikipedia/20220801/zh_min_nanwiki/7"
    assert dict(row["metadata"])["language"] == "zh-min-nan"
    assert dict(row["metadata"])["url"] == "https://zh-min-nan.wikipedia.org/wiki/Page_7"
    assert report.counts == {"siteinfo: another wiki's name": 1}


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("enwiki-20220801-pages-articles.xml.bz2", ("enwiki", datetime.date(2022, 8, 1))),
        ("dumps/zh_yuewiki-20220620-pages-articles-multistream1.xml-p1p187712.bz2",
         ("zh_yuewiki", datetime.date(2022, 6, 20))),
        ("dbpedia-minidump-srwiki.xml.bz2", ("srwiki", None)),
        ("enwiki-20221399-pages-articles.xml.bz2", ("enwiki", None)),
        ("articles.xml", (None, None)),
    ],
)  # fmt: skip
def test_a_file_name_tells_wiki_and_date(name: str, described: tuple[str | None, datetime.date | None]) -> None:
    assert describe_file_name(name) == described


def test_a_malformed_base_address_leaves_the_wiki_by_its_name() -> None:
    rows, _ = read(plain(page(7)).replace(b"https://en.wikipedia.org/wiki/Main_Page", b"http://[half"))
    assert [dict(row["metadata"])["language"] for row in rows] == ["en"]


def test_many_comments_before_something_else_take_no_time() -> None:
    start = b"<!-- a comment -->\n" * 60 + b"<nothing>" + b"x" * 5_000  # doubled with each, this would never end
    with pytest.raises(UnreadableInputError, match="does not start with a <mediawiki> element"):
        list(read_dump(io.BytesIO(start), collection="c", report=ReadReport()))


@given(
    counts=st.lists(st.integers(1, 4), max_size=6),
    target=st.integers(1, 3000),
    damaged=st.one_of(st.none(), st.floats(0.1, 0.99)),
)
@settings(max_examples=60)
def test_splits_together_give_what_the_whole_dump_gives(counts: list[int], target: int, damaged: float | None) -> None:
    numbers = iter(range(1, 100))
    streams = ["".join(page(n := next(numbers), f"Words of {n}. " * n) for _ in range(count)) for count in counts]
    data = bytearray(multistream(streams))
    if damaged is not None and counts:
        header = len(bz2.compress(HEADER.encode()))
        data[header + int(damaged * (len(data) - header - 1))] ^= 0x55
    ranges = page_ranges(io.BytesIO(data), target, target)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == len(data)
    assert all(left[1] == right[0] for left, right in pairwise(ranges))
    together = [row for each in ranges for row in read(bytes(data), stream_range=each)[0]]
    assert together == read(bytes(data))[0]


def test_a_multistream_dump_is_cut_at_every_stream_of_pages() -> None:
    data = multistream([page(1), page(2), page(3)])
    assert len(page_ranges(io.BytesIO(data), 1, 1)) == 4
    assert page_ranges(io.BytesIO(data), len(data), 1) == [(0, len(data))]


def test_streams_that_start_inside_a_page_are_not_cut() -> None:
    whole = plain(*(page(n) for n in range(1, 6)))
    data = b"".join(bz2.compress(whole[i : i + 333]) for i in range(0, len(whole), 333))
    ranges = page_ranges(io.BytesIO(data), 1, 1)
    assert [n for each in ranges for n in ids(read(data, stream_range=each)[0])] == [1, 2, 3, 4, 5]


@given(
    st.lists(
        st.sampled_from([b"<page>", b"</page>", b"<text>", b"<id>1</id>", b"<ns>0</ns>", b"&lt;", b"\xff", b"\0",
                         b"a" * 50, page(5).encode(), END.encode(), b"<!DOCTYPE x>", b"]]>", b"<![CDATA["])
        | st.binary(max_size=20),
        max_size=30,
    ),
    st.booleans(),
)  # fmt: skip
def test_no_bytes_make_the_reader_fail(parts: list[bytes], compressed: bool) -> None:
    data = HEADER.encode() + b"".join(parts)
    rows, _ = read(bz2.compress(data) if compressed else data, max_document_bytes=400)
    assert all(row["dropped"] in (None, "too_large") for row in rows)


ARTICLES = {
    "bg": 1, "ca": 1, "cs": 2, "da": 1, "de": 2, "en": 24, "es": 1, "fr": 3, "hr": 1, "hu": 1, "it": 1, "ja": 1,
    "nl": 2, "pl": 1, "pt": 1, "ro": 1, "ru": 1, "sl": 1, "sr": 1, "sv": 1, "uk": 1, "zh": 1,
}  # fmt: skip


@pytest.mark.parametrize("language", ARTICLES)
def test_real_dumps_of_each_language(shared_data: Path, language: str) -> None:
    data = (shared_data / "wikipedia" / f"dbpedia-minidump-{language}wiki.xml.bz2").read_bytes()
    rows, report = read(data, wiki=f"{language}wiki")
    assert len(rows) == ARTICLES[language]
    assert all(row["id"].startswith(f"wikipedia/20220801/{language}wiki/") for row in rows)
    assert all(len(row["text"]) > 200 for row in rows)
    assert report.truncated is None
    assert report.counts["page: redirect"] + report.counts["page: namespace"] == (3 if language == "en" else 0)


def test_the_real_english_excerpt(shared_data: Path) -> None:
    file = shared_data / "wikipedia" / "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
    rows, report = read(file.read_bytes())
    assert len(rows) == 106
    assert report.counts == {"page: redirect": 99, "page: namespace": 1}
    assert report.truncated is None


def test_a_real_utf_16_dump_is_taken(shared_data: Path) -> None:
    data = (shared_data / "wikipedia" / "bgwiki-latest-pages-articles-shortened.xml.bz2").read_bytes()
    [row], report = read(data)
    assert row["id"] == "wikipedia/20220801/bgwiki/558"
    assert "Григорианск" in row["text"]
    assert report.counts == {"page: namespace": 2}


@given(st.lists(st.integers(1, 200), max_size=20), st.integers(1, 20_000), st.booleans())
@settings(max_examples=60)
def test_pieces_together_give_what_the_whole_dump_gives(lengths: list[int], piece_bytes: int, ended: bool) -> None:
    pages = [page(n, "words " * length * length) for n, length in enumerate(lengths, 1)]
    data = gzip.compress((HEADER + "".join(pages) + (END if ended else page(99)[:90])).encode())
    report = ReadReport()
    cut = cut_dump(io.BytesIO(data), piece_bytes, report=report, max_document_bytes=100_000)
    pieces = [b"".join(chunks) for chunks in cut]
    whole, told = read(data, max_document_bytes=100_000)
    assert [row for piece in pieces for row in read(piece, max_document_bytes=100_000)[0]] == whole
    assert (report.counts, report.truncated) == (told.counts, told.truncated)
    assert all(len(piece) < piece_bytes + 101_000 + len(HEADER) for piece in pieces)


def test_plain_xml_is_cut_before_its_pages() -> None:
    data = plain(page(1), page(2), page(3))
    ranges = page_ranges(io.BytesIO(data), 1, 200)
    assert len(ranges) == 4
    assert [n for each in ranges for n in ids(read(data, stream_range=each)[0])] == [1, 2, 3]
    assert all(read(data, stream_range=each)[1].truncated is None for each in ranges)


@pytest.mark.parametrize("cut", [40, 400, -3])
def test_damaged_gzip_gives_what_could_be_read(cut: int) -> None:
    data = bytearray(gzip.compress(plain(*(page(n, str(hash(n * n))) for n in range(1, 300))), compresslevel=1))
    data[cut if cut < 0 else len(data) - cut :] = b""
    rows, report = read(bytes(data))
    assert len(rows) > 250
    assert report.truncated is not None
    assert "gzip data" in report.truncated
