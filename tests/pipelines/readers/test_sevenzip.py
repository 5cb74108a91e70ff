"""One file out of a 7z archive, and archives that lie."""

import io
import lzma
import struct
import tracemalloc
import zlib
from dataclasses import replace

import py7zr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers import sevenzip
from pipelines.readers.sevenzip import find_member, read_member

FILTERS = {
    "LZMA2 with an x86 filter": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "LZMA2": [{"id": py7zr.FILTER_LZMA2, "preset": 1}],
    "LZMA": [{"id": py7zr.FILTER_LZMA, "preset": 1}],
    "BZip2": [{"id": py7zr.FILTER_BZIP2}],
}


def archive(files: dict[str, bytes], filters=None) -> bytes:
    written = io.BytesIO()
    with py7zr.SevenZipFile(written, "w", filters=filters or FILTERS["LZMA2"]) as made:
        for name, data in files.items():
            made.writestr(data, name)
    return written.getvalue()


def read(data: bytes, name: str = "Posts.xml") -> tuple[bytes, ReadReport]:
    report = ReadReport()
    stream = io.BytesIO(data)
    return b"".join(read_member(stream, find_member(stream, name), report)), report


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("size", [1, 100, 3_000_000])
def test_reads_one_file_of_a_solid_archive(filters, size):
    text = (b"%09d " * 300_000 % tuple(range(300_000)))[:size]
    data = archive({"Badges.xml": b"b" * 70_000, "Posts.xml": text, "Votes.xml": b"v"}, filters)
    assert read(data) == (text, ReadReport())


@pytest.mark.parametrize("name", ["../Posts.xml", "/Posts.xml", "folder/Posts.xml", "posts.xml"])
def test_takes_a_file_by_its_exact_name_only(name):
    data = archive({"Posts.xml": b"x"})
    with pytest.raises(UnreadableInputError, match=r"holds no .* at its top"):
        find_member(io.BytesIO(data), name)
    if not name.startswith(("..", "/")):  # py7zr writes no such names
        with pytest.raises(UnreadableInputError, match=r"holds no Posts.xml at its top"):
            find_member(io.BytesIO(archive({name: b"x"})), "Posts.xml")


def test_names_a_method_that_it_does_not_read():
    for filters, said in (
        ([{"id": py7zr.FILTER_DEFLATE}], "Deflate"),
        ([{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 24}], "PPMd"),
        ([{"id": py7zr.FILTER_COPY}], "no compression"),
    ):
        with pytest.raises(UnreadableInputError, match=f"uses {said}; LZMA, LZMA2 and BZip2 are read"):
            read(archive({"Posts.xml": b"x" * 1000}, filters))


def test_an_archive_without_its_end_is_refused_and_damage_inside_is_said():
    text = bytes(range(256)) * 5_000
    data = archive({"Posts.xml": text}, FILTERS["BZip2"])
    with pytest.raises(UnreadableInputError, match="cut short"):
        read(data[:-10])
    with pytest.raises(UnreadableInputError, match="cut short"):
        read(data[:20])
    damaged = data[:200] + bytes([data[200] ^ 1]) + data[201:]
    found, report = read(damaged)
    assert text.startswith(found)
    assert report.truncated
    assert "damaged" in report.truncated


def test_a_wrong_checksum_is_said():
    stream, report = io.BytesIO(archive({"Posts.xml": b"some text"})), ReadReport()
    member = replace(find_member(stream, "Posts.xml"), crc32=0)
    assert b"".join(read_member(stream, member, report)) == b"some text"
    assert report.truncated == "the 7z data is damaged: its checksum is wrong"


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(sevenzip, "BOMB_BYTES", 1 << 20)
    with pytest.raises(UnreadableInputError, match="refused as a bomb"):
        read(archive({"Posts.xml": bytes(4 << 20)}))


def test_a_header_that_grows_is_refused():
    packed = lzma.compress(bytes(64 << 20), lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}])

    def number(value: int) -> bytes:
        return b"\xff" + struct.pack("<Q", value)

    header = (
        b"\x17\x06" + number(0) + number(1) + b"\x09" + number(len(packed)) + b"\x00"
        b"\x07\x0b\x01\x00\x01\x21\x21\x01\x08\x0c" + number(64 << 20) + b"\x00\x00"
    )  # fmt: skip
    start = struct.pack("<QQL", len(packed), len(header), zlib.crc32(header))
    data = sevenzip.MAGIC + b"\x00\x04" + zlib.crc32(start).to_bytes(4, "little") + start + packed + header
    tracemalloc.start()
    with pytest.raises(UnreadableInputError, match="header size exceeds"):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_sizes_that_do_not_add_up_are_refused():
    written = io.BytesIO()
    with py7zr.SevenZipFile(written, "w", filters=FILTERS["LZMA2"]) as made:
        made.set_encoded_header_mode(False)
        made.writestr(b"b" * 30, "Badges.xml")
        made.writestr(b"x" * 20, "Posts.xml")
    data = written.getvalue()
    end = 32 + int.from_bytes(data[12:20], "little")
    header = data[end:].replace(b"\x09\x1e", b"\x09\x7f")  # of 50 bytes the first file is said to take 127
    start = struct.pack("<QQL", end - 32, len(header), zlib.crc32(header))
    data = data[:8] + struct.pack("<L", zlib.crc32(start)) + start + data[32:end] + header
    with pytest.raises(UnreadableInputError, match="sizes of its files do not add up"):
        read(data)


@pytest.mark.parametrize("properties", [b"", b"\xff", b"\x29", b"\x26"])
def test_properties_that_no_decompressor_takes_are_refused(properties):
    with pytest.raises(UnreadableInputError):
        sevenzip._decompressor(((b"\x21", properties),))


def test_memory_stays_small_however_large_the_member_is():
    data = archive({"Posts.xml": b"".join(b"%d " % i for i in range(3_000_000))})
    stream = io.BytesIO(data)
    member = find_member(stream, "Posts.xml")
    tracemalloc.start()
    total = sum(len(chunk) for chunk in read_member(stream, member, ReadReport()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == member.size > 20_000_000
    assert peak < 6 << 20


WHOLE = archive({"Badges.xml": b"badges" * 100, "Posts.xml": b"<posts/>" * 100})


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6), st.integers(0, 40))
def test_no_damage_ends_in_a_traceback(changes, cut):
    data = bytearray(WHOLE)
    for place, value in changes:
        data[place] = value
    start = bytes(data[12:32])
    data[8:12] = zlib.crc32(start).to_bytes(4, "little")
    try:
        found, report = read(bytes(data[: len(data) - cut]))
    except UnreadableInputError:
        return
    assert found == b"<posts/>" * 100 or report.truncated
