"""Posts.xml as the archive publishes it, and as nobody should."""

import io
import tracemalloc
from html import escape

import py7zr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.documents import MAX_DOCUMENT_BYTES, ReadReport, UnreadableInputError
from pipelines.readers import stackexchange
from pipelines.readers.stackexchange import posts_bytes, read_posts

START = '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
END = "</posts>"


def row(**attributes: object) -> str:
    written = " ".join(f'{name}="{escape(str(value))}"' for name, value in attributes.items())
    return f"  <row {written} />\n"


def question(id_: int, **more: object) -> str:
    return row(Id=id_, PostTypeId=1, Score=1, Title=f"Title {id_}", Body="<p>Body</p>", **more)


def read(data: str | bytes) -> tuple[list[dict], ReadReport]:
    report = ReadReport()
    raw = data.encode() if isinstance(data, str) else data
    return [post for batch in read_posts(io.BytesIO(raw), report=report) for post in batch.to_pylist()], report


def test_questions_and_answers_come_with_what_the_file_says_of_them():
    posts, report = read(
        START
        + row(Id=7, PostTypeId=1, Score=-3, Title="A & B", Body="<p>é &amp;\n</p>", Tags="<a><b>", CreationDate="2014")
        + row(Id=9, ParentId=7, PostTypeId=2, Score=12, Body="x", ContentLicense="CC BY-SA 4.0")
        + row(Id=10, PostTypeId=5, Body="wiki")
        + row(Id=11, PostTypeId=5, Body="wiki")
        + END
    )
    assert posts == [
        {"question": 7, "id": 7, "score": -3, "title": "A & B", "body": "<p>é &amp; </p>", "tags": "<a><b>",
         "created": "2014", "license": None, "bytes": 21},
        {"question": 7, "id": 9, "score": 12, "title": None, "body": "x", "tags": None, "created": None,
         "license": "CC BY-SA 4.0", "bytes": 1},
    ]  # fmt: skip
    assert report == ReadReport({"post of type 5": 2})


def test_a_row_that_cannot_be_taken_costs_only_itself():
    posts, report = read(
        START
        + question(1)
        + '  <row Id="2" PostTypeId="1" Body="&nosuch;" />\n'
        + '  <row Id="3" PostTypeId="1" PostTypeId="1" />\n'
        + "  <row Id=4 />\n"
        + row(PostTypeId=1)
        + row(Id="x", PostTypeId=1)
        + row(Id=5, PostTypeId=2)
        + row(Id=6, PostTypeId=1, Score="high")
        + row(Id=7)
        + question(8)
        + END
    )
    assert [post["id"] for post in posts] == [1, 8]
    assert report.counts == {
        "row: not well-formed": 3, "row: no Id": 1, "row: Id is no number": 1, "row: no ParentId": 1,
        "row: Score is no number": 1, "row: no post type": 1,
    }  # fmt: skip


def test_characters_that_xml_forbids_are_taken_out_of_their_row():
    data = (START + question(1) + END).encode().replace(b"Body&lt;", b"Bo&#x1F;&#11;\x02dy&#xD800;\xff&#x41;&#9;&lt;")
    posts, report = read(data)
    assert posts[0]["body"] == "<p>Body\ufffdA\t</p>"
    assert report.counts == {"row: characters that XML forbids": 1}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\x1f\x8b" + bytes(50), "the file is gzip"),
        ((START + END).encode("utf-16"), "the file is UTF-16"),
        (b"<html><posts>", "not a Stack Exchange dump"),
        (b"<!-- a --><!-- b -->" * 3_000, "not a Stack Exchange dump"),
        (b'<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "b">]><posts><row Id="1" Body="&a;"/></posts>', "DOCTYPE"),
        (b'<?xml version="1.0" encoding="windows-1252"?><posts></posts>', "windows-1252"),
    ],
)
def test_what_is_no_dump_is_refused_in_one_sentence(data, said):
    with pytest.raises(UnreadableInputError, match=said) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_a_file_cut_anywhere_gives_the_rows_before_the_cut():
    whole = (START + question(1) + question(2) + question(3) + END).encode()
    ends = [whole.index(b"/>", whole.index(b'Id="%d"' % n)) + 2 for n in (1, 2, 3)]
    for cut in range(len(START.encode()), len(whole)):
        posts, report = read(whole[:cut])
        assert [post["id"] for post in posts] == [n for n, end in zip((1, 2, 3), ends, strict=True) if end <= cut]
        assert (report.truncated is None) == (cut >= whole.index(b"</posts") + len("</posts"))


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_chunks_fall_anywhere(monkeypatch, chunk):
    monkeypatch.setattr(stackexchange, "CHUNK_BYTES", chunk)
    posts, report = read(START + "<!-- c -->" + question(1) + '<row Id="2" PostTypeId="1" Body="a/>b>"></row>' + END)
    assert [(post["id"], post["body"]) for post in posts] == [(1, "<p>Body</p>"), (2, "a/>b>")]
    assert report == ReadReport()


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\t\x00", exclude_categories=["Cc"]))))
def test_bodies_come_out_as_they_went_in(bodies):
    posts, report = read(START + "".join(row(Id=i, PostTypeId=1, Body=b) for i, b in enumerate(bodies)) + END)
    assert [post["body"] for post in posts] == [b.replace("\ufffe", "").replace("\uffff", "") for b in bodies]
    assert all("forbids" in reason for reason in report.counts)


@given(st.binary(max_size=400))
def test_no_bytes_end_in_a_traceback(data):
    for raw in (data, (START + question(1)).encode() + b"<" + data):
        try:
            posts, _ = read(raw)
        except UnreadableInputError:
            continue
        assert raw is data or posts[0]["id"] == 1


def test_a_row_over_the_limit_is_never_held():
    def chunks():
        yield (START + question(1) + '<row Id="2" Body="').encode()
        for _ in range(100):
            yield bytes(1 << 20)
        yield ('" />' + question(3) + END).encode()

    report = ReadReport()
    tracemalloc.start()
    rows = list(stackexchange._rows(chunks(), report))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [found["Id"] for found in rows] == ["1", "3"]
    assert report.counts == {"row: too large": 1}
    assert peak < 3 * MAX_DOCUMENT_BYTES


def test_the_same_posts_come_from_a_7z():
    text = (START + "".join(map(question, range(50))) + END).encode()
    written = io.BytesIO()
    with py7zr.SevenZipFile(written, "w") as made:
        made.writestr(b"<badges/>", "Badges.xml")
        made.writestr(text, "Posts.xml")
    assert read(written.getvalue()) == read(text)
    assert posts_bytes(written) == posts_bytes(io.BytesIO(text)) == len(text)


def test_real_sites_are_read_whole(shared_data):
    found = 0
    for path in sorted((shared_data / "stackexchange").glob("*.7z")):
        report = ReadReport()
        with path.open("rb") as stream:
            found += sum(len(batch) for batch in read_posts(stream, report=report))
        assert report.truncated is None
        assert all(reason.startswith("post of type") for reason in report.counts)
    assert found >= 1_000
