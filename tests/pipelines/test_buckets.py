"""Rows spread over buckets and brought together again."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import buckets
from pipelines.buckets import BucketReader, BucketWriter

SCHEMA = pa.schema([pa.field("key", pa.int64()), pa.field("place", pa.int64()), pa.field("size", pa.int64())])


def write(folder, batches, number, files=1):
    paths = [folder / f"{i}.arrow" for i in range(files)]
    with BucketWriter(paths, SCHEMA, "key", number) as writer:
        for batch in batches:
            writer.write(batch)
    return paths


def rows(keys, sizes=None):
    sizes = [1] * len(keys) if sizes is None else sizes
    return pa.record_batch([pa.array(keys, pa.int64()), pa.array(range(len(keys))), pa.array(sizes)], schema=SCHEMA)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), max_size=80),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(10, 100),
)
def test_every_row_comes_once_with_all_rows_of_its_key(tmp_path_factory, drawn, files, number, group_bytes):
    number = max(files, number)
    keys, sizes = [key for key, _ in drawn], [size for _, size in drawn]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "WAITING_BYTES", 200)
        patch.setattr(buckets, "BATCH_ROWS", 3)
        batches = [rows(keys, sizes).slice(i, 7) for i in range(0, 80, 7)]
        paths = write(tmp_path_factory.mktemp("rows"), batches, number, files)
    readers, seen, left_out = [BucketReader(path, "key", "size") for path in paths], [], []
    total = {key: sum(size for k, size in drawn if k == key) for key in keys}
    for reader, bucket in [(each, bucket) for each in readers for bucket in each.buckets]:
        before = -1
        for table, oversized in reader.groups(bucket, group_bytes, 60):
            here = table["key"].to_pylist()
            assert set(np.array(here) % number) <= {bucket}
            assert min([*here, *oversized.tolist()]) > before
            before = max([*here, *oversized.tolist()])
            assert sum(table["size"].to_pylist()) <= group_bytes + 60
            assert not set(here) & {key for other, _ in seen for key in other}
            seen.append((set(here), table["place"].to_pylist()))
            left_out += oversized.tolist()
    assert sorted(left_out) == sorted(key for key, size in total.items() if size > 60)
    assert sum(len(places) for _, places in seen) == sum(key not in left_out for key in keys)
    assert {key for here, _ in seen for key in here} == set(keys) - set(left_out)


def test_the_files_depend_on_the_rows_alone(tmp_path):
    data = [rows(list(range(100))), rows([5] * 50)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, data, 7, 2)
    for file in ("0.arrow", "1.arrow"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_no_rows_are_no_buckets(tmp_path):
    [path] = write(tmp_path, [], 3)
    assert BucketReader(path, "key", "size").buckets == []


def test_one_bucket_of_any_size_is_read_in_bounded_pieces(tmp_path):
    schema = pa.schema([*SCHEMA, pa.field("text", pa.string())])
    path = tmp_path / "rows.arrow"
    with BucketWriter([path], schema, "key", 1) as writer:
        for start in range(0, 4_000, 100):
            keys = pa.array(range(start, start + 100), pa.int64())
            text = pa.array([f"{key:05d}" * 4_000 for key in keys.to_pylist()])
            writer.write(pa.record_batch([keys, keys, pa.array([20_000] * 100), text], schema=schema))
    reader = BucketReader(path, "key", "size")
    seen = [table["key"].to_pylist() for table, _ in reader.groups(0, 5 << 20, 32 << 20)]
    assert [key for keys in seen for key in keys] == list(range(4_000))
    assert max(map(len, seen)) <= (5 << 20) // 20_000 + 1
