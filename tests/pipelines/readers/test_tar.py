"""Tars as they are made, cut, and lied about."""

import io
import tarfile
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.documents import ReadReport
from pipelines.readers.tar import BLOCK, read_tar, tar_ranges

LONG = "folder/" + "long" * 60 + ".txt"


def tar(files: dict[str, bytes], format_: int = tarfile.GNU_FORMAT, extra=()) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format_) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return made.getvalue()


def special(name: str, kind: bytes, **fields) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def read(data: bytes, start: int = 0, end: int | None = None) -> tuple[dict[str, bytes], ReadReport]:
    report, stream = ReadReport(), io.BytesIO(data)
    stream.seek(start)
    members = read_tar(stream, report, None if end is None else end - start)
    return {member.name: member.read(1 << 30) for member in members}, report


FILES = {"a.txt": b"a" * 700, "empty": b"", LONG: b"long", "é.txt": b"x" * BLOCK, "z": b"z" * 5_000}


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_file_comes_with_its_name(format_):
    assert read(tar(FILES, format_)) == (FILES, ReadReport())


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("target", [1, 1_000, 3_000, 1 << 30])
def test_ranges_cover_a_tar_and_each_file_is_in_one(format_, target):
    data = tar(FILES, format_)
    ranges = tar_ranges(io.BytesIO(data), target)
    assert [ranges[0][0], ranges[-1][1]] == [0, len(data)]
    assert all(one[1] == other[0] for one, other in pairwise(ranges))
    parts = [read(data, *one) for one in ranges]
    assert [name for part, _ in parts for name in part] == list(FILES)
    assert {name: text for part, _ in parts for name, text in part.items()} == FILES
    assert len(ranges) > 1 or target > 1 << 20


def test_what_leads_away_is_counted_and_passed_over():
    extra = [
        special("link", tarfile.SYMTYPE, linkname="/etc/passwd"),
        special("hard", tarfile.LNKTYPE, linkname="a.txt", size=700),
        special("device", tarfile.CHRTYPE),
        special("folder", tarfile.DIRTYPE),
    ]
    files = {"../up.txt": b"up", "/root.txt": b"root", "in/../../out.txt": b"out", "a.txt": b"kept"}
    found, report = read(tar(files, extra=extra))
    assert found == {"a.txt": b"kept"}
    assert report == ReadReport({"tar: a name that leads out of its folder": 3, "tar: neither file nor folder": 3})


def test_a_member_that_is_not_read_is_passed_over():
    stream = io.BytesIO(tar(FILES))
    assert [member.name for member in read_tar(stream, ReadReport())] == list(FILES)
    stream.seek(0)
    assert [member.read(3) for member in read_tar(stream, ReadReport())] == [data[:3] for data in FILES.values()]


def test_a_cut_tar_gives_what_is_whole_and_says_so():
    data = tar({"a": b"a" * 1_000, "b": b"b" * 1_000})
    for cut in (600, 1_200, 1_600, 2_000, 2_600):
        found, report = read(data[:cut])
        assert list(found) == ["a", "b"][: 1 + (cut > 4 * BLOCK)]
        assert {"a": b"a" * 1_000, "b": b"b" * 1_000}[list(found)[-1]].startswith(list(found.values())[-1])
        assert report.truncated
        assert "the tar ends inside a file" in report.truncated
    assert read(data[:1_536])[1].truncated is None  # between two files: as some tools end a tar


def test_reading_goes_on_behind_a_damaged_header():
    data = bytearray(tar({"a": b"a" * 100, "b": b"b", "c": b"c"}))
    data[2 * BLOCK] ^= 1
    found, report = read(bytes(data))
    assert found == {"a": b"a" * 100, "c": b"c"}
    assert report.counts["tar: damaged header"] == 2  # the header, and the text behind it


def test_a_header_that_claims_any_size_takes_no_memory():
    lying = special("x", tarfile.XHDTYPE, size=1 << 40).tobuf(tarfile.GNU_FORMAT)
    tracemalloc.start()
    found, report = read(lying + bytes(4 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found, bool(report.truncated)) == ({}, True)
    assert peak < 12 << 20


@given(st.lists(st.tuples(st.integers(0, 9_999), st.integers(0, 255)), max_size=8), st.integers(0, 12_000))
def test_no_damage_ends_in_a_traceback(changes, cut):
    data = bytearray(tar(FILES, tarfile.PAX_FORMAT))
    for place, value in changes:
        data[place % len(data)] = value
    found, _ = read(bytes(data[:cut]))
    assert all(not name.startswith("/") for name in found)


@given(st.binary(max_size=2_000))
def test_no_bytes_end_in_a_traceback(data):
    read(data)
