"""Code from exports and checkouts: every file with its repository and licence, and nothing from outside."""

import bz2
import gzip
import io
import json
import os
import resource
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from identify.vendor.licenses import LICENSES

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers import github
from pipelines.readers.github import read_export, read_github

MIT = dict(LICENSES)["MIT"].encode()
GPL = dict(LICENSES)["GPL-3.0"].encode()
ROW = {
    "id": "ab12", "size": "6", "content": "a = 1\n", "binary": False, "copies": "1", "repo_name": "me/repo",
    "ref": "refs/heads/main",
    "path": "src/a.py", "mode": "33188", "license": "mit",
}  # fmt: skip


def table(batches) -> pa.Table:
    found = list(batches)
    for batch in found:
        batch.validate(full=True)
    return pa.Table.from_batches(found, found[0].schema) if found else pa.table({"id": [], "text": [], "dropped": []})


def export(*rows: dict, **options) -> tuple[pa.Table, ReadReport]:
    report = ReadReport()
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return table(read_export(io.BytesIO(gzip.compress(data)), collection="c", report=report, **options)), report


# ---- exports


def test_a_row_is_a_document():
    found, report = export(ROW)
    (document,) = found.to_pylist()
    assert document["id"] == "github/c/me/repo@refs/heads/main/src/a.py"
    assert (document["text"], document["dropped"]) == ("a = 1\n", None)
    assert dict(document["metadata"]) == {
        "repo": "me/repo", "path": "src/a.py", "ref": "refs/heads/main", "license": "mit", "language": "Python",
    }  # fmt: skip
    assert not report.counts


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        ({"content": None, "binary": True}, "binary"),
        ({"content": None, "binary": "true"}, "binary"),
        ({"content": None}, "no_content"),
        ({"content": 3}, "no_content"),
        ({"content": "a\0"}, "binary"),
        ({"content": "a\ufffd"}, "not_utf8"),
        ({"content": "x" * 101}, "too_large"),
        ({"content": ""}, None),
        ({"license": None}, None),
        ({"license": "MIT"}, None),
        ({"ref": None}, None),
    ],
)
def test_what_a_row_may_lack(change, dropped):
    found, report = export(ROW | change, max_document_bytes=100)
    assert found["dropped"].to_pylist() == [dropped]
    assert not report.counts


@pytest.mark.parametrize("change", [{"path": None}, {"repo_name": ""}, {"path": 3}, {"path": "x" * 5_000}])
def test_a_row_without_a_name_is_counted(change):
    found, report = export(ROW | change, ROW)
    assert len(found) == 1
    assert report.counts == {"export: row without name": 1}


def test_parquet_and_json_give_the_same(tmp_path):
    rows = [
        ROW | {"path": f"src/{n}.py", "content": None if n % 7 == 0 else f"a = {n}\n", "binary": n % 7 == 0}
        for n in range(200)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet", row_group_size=64)
    (tmp_path / "rows.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = (
        table(read_github(tmp_path / n, collection="c", report=ReadReport())) for n in ("rows.parquet", "rows.json")
    )
    assert first.equals(second)
    assert len(first) == 200


def test_parquet_that_is_damaged_or_of_something_else_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    whole = path.read_bytes()
    not_utf8 = whole.replace(b"\x01a", b"\x01\xff")  # in the column's name
    for data, said in ((whole, "no column"), (whole[:-9], "footer"), (b"PAR1", "footer"), (not_utf8, "footer")):
        with pytest.raises(UnreadableInputError, match=said):
            list(read_export(io.BytesIO(data), collection="c", report=ReadReport()))


def test_a_footer_that_lists_more_than_any_export_has_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist([ROW] * 20), path, row_group_size=1)
    assert len(table(read_github(path, collection="c", report=ReadReport()))) == 20
    monkeypatch.setattr(github, "MAX_FOOTER_ITEMS", 19)
    with pytest.raises(UnreadableInputError, match="footer"):
        list(read_github(path, collection="c", report=ReadReport()))


def test_a_damaged_row_group_costs_itself(tmp_path):
    path = tmp_path / "rows.parquet"
    rows = [ROW | {"path": f"{n}.py", "content": os.urandom(500).hex()} for n in range(30)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=10, compression="zstd")
    data = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(1).column(2)
    data[column.data_page_offset : column.data_page_offset + 400] = b"\xff" * 400
    report = ReadReport()
    found = table(read_export(io.BytesIO(bytes(data)), collection="c", report=report))
    paths = [dict(m)["path"] for m in found["metadata"].to_pylist()]
    assert {f"{n}.py" for n in (*range(10), *range(20, 30))} <= set(paths)
    assert report.counts == {"parquet: damaged row group": 1}


# ---- checkouts

FILES = {
    "one/LICENSE": MIT, "one/a.py": b"a = 1\n", "one/sub/b.c": b"int b;\n",
    "one/sub/LICENSE": GPL, "one/bin": b"\0\1", "one/l1.py": b"\xe9\n",
    "two/COPYING": GPL, "two/x.py": b"x\n",
    "three/deep/LICENSE.md": MIT, "three/deep/LICENSE-GPL": GPL, "three/deep/c.py": b"c\n",
    "four/d.py": b"d\n", "five/LICENSE": b"All mine.", "five/e.py": b"e\n",
}  # fmt: skip
LICENSED = {"one": "mit", "two": "gpl-3.0", "three/deep": "gpl-3.0 and mit", "four": None, "five": None}


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def tar(files: dict[str, bytes], *members: tarfile.TarInfo, format_: int = tarfile.PAX_FORMAT) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=format_) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size) if member.isreg() else None)
    return data.getvalue()


def read_tar(folder: Path, data: bytes) -> tuple[pa.Table, ReadReport]:
    path, report = folder / "some.tar", ReadReport()
    path.write_bytes(data)
    return table(read_github(path, collection="c", report=report)), report


def described(found: pa.Table) -> dict[tuple[str, str], tuple]:
    return {
        ((m := dict(row["metadata"]))["repo"], m["path"]): (
            row["text"],
            row["dropped"],
            m.get("license"),
            m.get("language"),
        )
        for row in found.to_pylist()
    }


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress], ids=["tar", "tar.gz", "tar.bz2"])
def test_a_tar_and_a_folder_give_the_same_repositories_with_their_licences(tmp_path, pack):
    inside, _ = read_tar(tmp_path, pack(tar({f"./all/{name}": data for name, data in FILES.items()})))
    folder = write_folder(tmp_path / "all", FILES)
    outside = table(read_github(folder, collection="c", report=ReadReport()))
    assert described(inside) == described(outside)
    for (repo, path), (text, dropped, key, _) in described(outside).items():
        name = repo.removeprefix("all/")
        assert key == LICENSED[name]
        data = FILES[f"{name}/{path}"]
        assert dropped == ("binary" if b"\0" in data else "not_utf8" if b"\xe9" in data else None)
        assert text == ("" if dropped else data.decode())
    assert len(outside) == len(FILES)
    assert outside["id"][0].as_py() == "github/c/all/five/LICENSE"


def test_a_folder_with_files_is_a_repository_itself(tmp_path):
    folder = write_folder(tmp_path / "repo", {"LICENSE": MIT, "src/a.py": b"a\n"})
    found = described(table(read_github(folder, collection="c", report=ReadReport())))
    assert set(found) == {("repo", "LICENSE"), ("repo", "src/a.py")}
    assert {value[2] for value in found.values()} == {"mit"}
    assert set(described(read_tar(tmp_path, tar({"LICENSE": MIT, "src/a.py": b"a\n"}))[0])) == {
        ("some", "LICENSE"),
        ("some", "src/a.py"),
    }


def test_links_and_special_files_of_a_folder_are_counted_and_not_followed(tmp_path):
    secret = tmp_path / "secret.py"
    secret.write_text("secret")
    folder = write_folder(tmp_path / "repo", {"LICENSE": MIT, "a.py": b"a\n", ".git/config": b"x"})
    (folder / "link.py").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    report = ReadReport()
    found = table(read_github(folder, collection="c", report=report))
    assert "secret" not in found["text"].to_pylist()
    assert len(found) == 2
    assert report.counts == {"checkout: link": 2, "checkout: git": 1, "checkout: special file": 1}


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_that_leave_their_folder_are_counted(tmp_path, format_):
    bad = [
        tarfile.TarInfo(name)
        for name in ("../up.py", "/etc/passwd", "repo/../../x", "repo/.git/config", "repo/" + "n" * 5_000)
    ]
    links = [
        special("repo/l", tarfile.SYMTYPE, "/etc/passwd"),
        special("repo/h", tarfile.LNKTYPE, "repo/a.py"),
        special("repo/f", tarfile.FIFOTYPE),
    ]
    found, report = read_tar(tmp_path, tar({"repo/LICENSE": MIT, "repo/a.py": b"a\n"}, *bad, *links, format_=format_))
    assert set(described(found)) == {("repo", "LICENSE"), ("repo", "a.py")}
    assert report.counts == {
        "checkout: name outside its folder": 4, "checkout: git": 1, "checkout: link": 2, "checkout: special file": 1,
    }  # fmt: skip
    assert {p.name for p in tmp_path.iterdir()} == {"some.tar"}


def test_a_tar_that_is_cut_short_gives_what_could_be_read(tmp_path):
    data = tar({f"repo/{n:03}.py": b"x" * 2_000 for n in range(50)})
    for cut in (len(data) // 2, 512 + 2_048 * 1 + 700):
        found, report = read_tar(tmp_path, data[:cut])
        assert 0 < len(found) < 50
        assert report.truncated is not None
    assert read_tar(tmp_path, data)[1].truncated is None
    found, report = read_tar(tmp_path, gzip.compress(data)[:-20])
    assert report.truncated is not None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\xfd7zXZ\0" + b"x" * 600, "xz"),
        (tar({}), "not JSON lines|no file"),
        (tar({}, special("repo/l", tarfile.SYMTYPE, "x")), "holds no file"),
        (b"random bytes" * 100, "not JSON lines"),
    ],
)
def test_what_is_neither_is_refused_in_a_sentence(tmp_path, data, said):
    with pytest.raises(UnreadableInputError, match=said):
        read_tar(tmp_path, data)


def test_bombs_are_refused_and_take_little_memory(tmp_path, monkeypatch):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    pax = tar({"repo/a.py": b"a\n"})[:1024] + header.tobuf() + b"\0" * (1 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableInputError, match="a header of the tar says"):
        read_tar(tmp_path, gzip.compress(pax))
    monkeypatch.setattr(github, "BASE_BYTES", 1 << 20)
    zeros = tarfile.TarInfo("repo/zeros")
    zeros.size = 300 << 20
    with pytest.raises(UnreadableInputError, match="decompresses to more than"):
        read_tar(tmp_path, gzip.compress(zeros.tobuf() + b"\0" * zeros.size))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 << 10  # the test itself holds 300 MB


def test_endless_headers_end(tmp_path):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 512
    one = header.tobuf() + b"11 path=ab\n".ljust(512, b"\0")
    found, report = read_tar(tmp_path, tar({"repo/a.py": b"a\n"})[:1024] + one * 5_000)
    assert len(found) == 1
    assert report.truncated is not None


WHOLE = tar(
    {"repo/LICENSE": MIT, "repo/a.py": b"a\n", "repo/" + "d" * 120: b"b"}, special("repo/l", tarfile.SYMTYPE, "x")
)


@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=12)), max_size=4),
    st.integers(600, len(WHOLE)),
)
@settings(max_examples=60)
def test_any_damage_gives_documents_or_a_clear_sentence(tmp_path_factory, changes, end):
    data = bytearray(WHOLE)
    for place, new in changes:
        data[place : place + len(new)] = new
    try:
        found, _ = read_tar(tmp_path_factory.getbasetemp(), bytes(data[:end]))
    except UnreadableInputError:
        pass
    else:
        assert all(".." not in id_.split("/") for id_ in found["id"].to_pylist())
