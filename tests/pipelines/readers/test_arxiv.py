"""arXiv's archives: what is read, what is refused, and that nothing grows without a bound."""

import gzip
import io
import tarfile
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers import arxiv
from pipelines.readers.arxiv import read_arxiv, submission_id
from pipelines.readers.tar import tar_ranges

PAPER = b"\\documentclass{article}\\begin{document}\\section{One} Text.\\end{document}\n"


def tar(*members: tuple[str, bytes | str], format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of files; a `str` in place of the content is a symbolic link's target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def submission(*members: tuple[str, bytes | str]) -> bytes:
    return gzip.compress(tar(*members), mtime=0)


def read(data: bytes, **options: Any) -> tuple[list[dict[str, Any]], ReadReport]:
    report = ReadReport()
    batches = read_arxiv(io.BytesIO(data), collection="test", report=report, **options)
    return [row for batch in batches for row in batch.to_pylist()], report


def only(data: bytes) -> dict[str, Any]:
    (row,), _ = read(tar(("2401/2401.00001.gz", data)))
    return row


def files(row: dict[str, Any]) -> dict[str, str]:
    return {file["name"]: file["text"] for file in row["files"]}


def test_the_real_archive_has_62_submissions(shared_data):
    rows, report = read((shared_data / "arxiv" / "arXiv_src_2401_001.tar").read_bytes())
    assert len(rows) == 62
    assert all(row["dropped"] is None and row["files"] and not row["text"] for row in rows)
    assert report.counts == {"file: decoded as cp1252": 1}
    assert report.truncated is None
    assert rows[0]["id"] == "arxiv/test/2401.00001"
    assert dict(rows[0]["metadata"]) == {
        "arxiv_id": "2401.00001",
        "license": "unknown",
        "url": "https://arxiv.org/abs/2401.00001",
        "yymm": "2401",
    }
    assert len(rows[0]["files"]) >= 40


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("2401/2401.00001.gz", ("2401.00001", "2401")),
        ("0704/0704.0001.gz", ("0704.0001", "0704")),
        ("9301/hep-th9301001.gz", ("hep-th/9301001", "9301")),
        ("0001/math0001234.pdf", ("math/0001234", "0001")),
        ("0001/math.AG0001234.gz", ("math.AG/0001234", "0001")),
        ("2401.00001v2.tar.gz", ("2401.00001v2", "2401")),
        ("2401/readme.txt", None),
        ("2401", None),
    ],
)
def test_ids(member, expected):
    assert submission_id(member) == expected


def test_a_submission_is_a_tar_or_one_file_gzipped_or_not():
    assert files(only(submission(("ms.tex", PAPER), ("fig/a.eps", b"%!PS"), ("own.sty", b"x")))) == {
        "ms.tex": PAPER.decode(),
        "own.sty": "x",
    }
    for data in (gzip.compress(PAPER), PAPER):
        assert files(only(data)) == {"main.tex": PAPER.decode()}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (submission(("a.eps", b"%!PS")), "no_tex"),
        (gzip.compress(b"%!PS-Adobe-3.0\n"), "postscript"),
        (gzip.compress(b"\0\1\2" * 100), "no_tex"),
        (gzip.compress(b""), "no_tex"),
        (b"", "no_tex"),
        (submission(("ms.tex", PAPER * 50))[:-40], "damaged_archive"),
        (gzip.compress(tar(("ms.tex", PAPER * 50))[:2000]), "damaged_archive"),
        (gzip.compress(PAPER)[:10] + b"damage" + gzip.compress(PAPER)[16:], "damaged_archive"),
    ],
)
def test_a_submission_that_gives_no_tex_is_dropped_with_a_reason(data, reason):
    row = only(data)
    assert row["dropped"] == reason
    assert row["files"] == []


def test_pdfs_and_what_is_no_submission_are_counted():
    members = [
        ("2401", "elsewhere"),
        ("2401/2401.00001.pdf", b"%PDF-1.4"),
        ("2401/2401.00002.gz", b"%PDF-1.5"),
        ("list", b"x"),
    ]
    rows, report = read(tar(*members))
    assert rows == []
    assert report.counts == {"tar: neither file nor folder": 1, "member: pdf": 2, "member: no arXiv id": 1}


def test_nothing_leaves_its_folder():
    members = [
        ("../a.tex", PAPER),
        ("/etc/b.tex", PAPER),
        ("c.tex", "/etc/passwd"),
        ("d/./e/../f.tex", PAPER),
        ("g.tex", PAPER),
    ]
    rows, report = read(tar(("2401/2401.00001.gz", submission(*members))))
    assert set(files(rows[0])) == {"g.tex"}
    assert report.counts == {"tar: a name that leads out of its folder": 3, "tar: neither file nor folder": 1}


def test_long_names_are_read():
    name = "folder/" * 40 + "ms.tex"
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert set(files(only(gzip.compress(tar((name, PAPER), format=format))))) == {name}


@pytest.mark.parametrize(
    ("text", "expected", "encoding"),
    [
        ("é".encode(), "é", None),
        ("\ufeffé".encode(), "é", None),
        ("é".encode("utf-16"), "é", None),
        ("é–".encode("cp1252"), "é–", "cp1252"),
        (b"\\usepackage[latin2]{inputenc}\n" + "ő".encode("latin2"), "\\usepackage[latin2]{inputenc}\nő", "iso8859_2"),
        (b"\\usepackage[koi8-r]{inputenc}\n" + "ж".encode("koi8-r"), "\\usepackage[koi8-r]{inputenc}\nж", "koi8_r"),
        (b"\xe9\x81", "é\x81", "cp1252"),
        (b"a\r\nb\rc\n", "a\nb\nc\n", None),
    ],
)
def test_files_are_decoded(text, expected, encoding):
    rows, report = read(tar(("2401/2401.00001.gz", submission(("ms.tex", text)))))
    assert files(rows[0])["ms.tex"] == expected
    assert report.counts == ({f"file: decoded as {encoding}": 1} if encoding else {})


def test_a_bomb_is_given_up_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(arxiv, "MAX_UNPACKED_BYTES", 64 << 20)
    zeros = bytes(100 << 20)
    data = tar(
        ("2401/2401.00001.gz", submission(("figure.eps", zeros), ("ms.tex", PAPER))), ("2401/2401.00002.gz", PAPER)
    )
    del zeros
    tracemalloc.start()
    rows, _ = read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row["dropped"] for row in rows] == ["unpacks_too_large", None]
    assert peak < 32 << 20


def test_a_submission_with_too_much_tex_is_dropped():
    for data in (submission(("a.tex", PAPER * 20), ("b.tex", PAPER * 20)), gzip.compress(PAPER * 40)):
        rows, _ = read(tar(("2401/2401.00001.gz", data)), max_document_bytes=len(PAPER) * 30)
        assert [(row["dropped"], row["files"]) for row in rows] == [("too_large", [])]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (gzip.compress(tar()), "is gzip"),
        (b"%PDF-1.4", "a PDF"),
        (b"text " * 200, "tar header"),
    ],
)
def test_what_is_no_archive_is_refused(data, said):
    with pytest.raises(UnreadableInputError, match=said):
        read(data)


def test_an_archive_that_is_cut_gives_what_could_be_read():
    whole = tar(*((f"2401/2401.0000{i}.gz", submission(("ms.tex", PAPER * i * 30))) for i in (1, 2, 3)))
    rows, report = read(whole[: whole.rindex(b"2401/2401.00003") + 600])
    assert [row["dropped"] for row in rows] == [None, None, "damaged_archive"]
    assert report.truncated is not None


def test_a_damaged_header_costs_its_member_alone():
    parts = [tar((f"2401/2401.0000{i}.gz", gzip.compress(PAPER)))[:1024] for i in (1, 2, 3)]
    parts[1] = b"\xff" * 200 + parts[1][200:]
    rows, report = read(b"".join(parts) + bytes(1024))
    assert [row["id"] for row in rows] == ["arxiv/test/2401.00001", "arxiv/test/2401.00003"]
    assert report.counts["tar: damaged header"] >= 1


@given(st.lists(st.integers(0, 4_000), max_size=12), st.integers(1, 8_000))
def test_every_submission_lies_in_exactly_one_range(sizes, target):
    data = tar(*((f"2401/2401.{i:05d}.gz", PAPER + b"%" * size) for i, size in enumerate(sizes)))
    ranges = tar_ranges(io.BytesIO(data), target)
    assert [start for start, _ in ranges] == [0] + [end for _, end in ranges[:-1]]
    found, reports = [], Counter[str]()
    for member_range in ranges:
        rows, report = read(data, member_range=member_range)
        found += rows
        reports += report.counts
    whole, report = read(data)
    assert found == whole
    assert len(found) == len(sizes)
    assert reports == report.counts


@given(st.binary(max_size=3_000))
def test_any_submission_is_read_or_dropped(data):
    for content in (data, gzip.compress(data), gzip.compress(tar(("a.tex", data)) + data)):
        rows, report = read(tar(("2401/2401.00001.gz", content), ("2401/2401.00002.gz", PAPER)))
        assert len(rows) + report.counts["member: pdf"] == 2
        assert rows[-1]["dropped"] is None


@given(st.data())
def test_an_archive_with_any_damage_is_read_or_refused(data):
    archive = bytearray(tar(*((f"2401/2401.0000{i}.gz", submission(("ms.tex", PAPER))) for i in (1, 2))))
    for _ in range(data.draw(st.integers(1, 5))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    try:
        rows, _ = read(bytes(archive))
    except UnreadableInputError:
        return
    assert len(rows) <= 2
