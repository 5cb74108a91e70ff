from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.trainer.conftest import TOKENIZER
from trainer import shards
from trainer.errors import TrainerError
from trainer.manifest import read_manifest
from trainer.shards import SegmentCache, read_row_group, read_segment, row_groups_of

WIKIPEDIA = "tokens/wikipedia/00000.parquet"
UINT16 = pa.uint16()


def test_row_groups_come_in_the_manifests_order(small_run):
    manifest = read_manifest(small_run)
    groups = row_groups_of(manifest, "commoncrawl")
    assert [(group.shard.path[-13:], group.number, group.tokens) for group in groups] == [
        ("00000.parquet", 0, 500),
        ("00000.parquet", 1, 400),
        ("00000.parquet", 2, 36),
        ("00001.parquet", 0, 700),
    ]
    tokens = read_segment(manifest, groups)
    assert tokens.dtype == np.uint16
    assert np.array_equal(tokens, np.arange(1636))


def replace_shard(small_run: str, edit_manifest, table: pa.Table) -> None:
    """Put another file in the shard's place, and its size in the manifest."""
    path = Path(small_run).parent / WIKIPEDIA
    pq.write_table(table, path)
    edit_manifest(small_run, lambda m: m["sources"]["wikipedia"]["shards"][0].update(bytes=path.stat().st_size))


def wikipedia_table(lengths=(100, 60), type_=UINT16, tokenizer=TOKENIZER, values=None) -> pa.Table:
    values = pa.array([7] * sum(lengths), type_) if values is None else values
    tokens = pa.ListArray.from_arrays(pa.array([0, *np.cumsum(lengths)], pa.int32()), values)
    table = pa.table({"id": [str(i) for i in range(len(lengths))], "tokens": tokens})
    return table.replace_schema_metadata({"altiplano.tokenizer": tokenizer})


def read_first(small_run: str) -> None:
    manifest = read_manifest(small_run)
    read_row_group(manifest, row_groups_of(manifest, "wikipedia")[0])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (wikipedia_table(tokenizer="another"), "tokenizer: another, not 7777"),
        (wikipedia_table().replace_schema_metadata({}), "tokenizer: none, not 7777"),
        (wikipedia_table(), "rows: 2, not 4"),
        (wikipedia_table(lengths=(40, 40, 20, 60)), "row groups: 1, not 2"),
    ],
)
def test_a_shard_unlike_its_manifest_is_named(small_run, edit_manifest, table, message):
    replace_shard(small_run, edit_manifest, table)
    with pytest.raises(TrainerError) as error:
        read_first(small_run)
    assert str(error.value).startswith(f"{WIKIPEDIA}: not the shard that the manifest names: {message}")


def fit_manifest(small_run: str, edit_manifest, *, rows: int, tokens: int) -> None:
    """Make the manifest promise one row group of `tokens` tokens in `rows` rows."""

    def change(content: dict) -> None:
        source = content["sources"]["wikipedia"]
        source["tokens"] = tokens
        source["shards"][0].update(rows=rows, tokens=tokens, row_groups=[tokens])

    edit_manifest(small_run, change)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (wikipedia_table(lengths=(100, 50)), "tokens in row group 0: 150, not 160"),
        (wikipedia_table(values=pa.array([None] + [7] * 159, pa.uint16())), "tokens in row group 0: 159, not 160"),
        (wikipedia_table(type_=pa.int64()), "column `tokens` is list<element: int64>"),
        (wikipedia_table().drop_columns("tokens"), "cannot be read: .*tokens"),
        (wikipedia_table(type_=pa.uint32(), values=pa.array([70_000] * 160, pa.uint32())), "holds token 70000, but"),
    ],
)
def test_a_row_group_unlike_its_manifest_is_named(small_run, edit_manifest, table, message):
    replace_shard(small_run, edit_manifest, table)
    fit_manifest(small_run, edit_manifest, rows=2, tokens=160)
    with pytest.raises(TrainerError, match=f"^{WIKIPEDIA}: .*{message}"):
        read_first(small_run)


def test_a_shard_of_another_size_is_named(small_run):
    with open(Path(small_run).parent / WIKIPEDIA, "ab") as file:
        file.write(b"x")
    with pytest.raises(TrainerError, match=f"{WIKIPEDIA}: not the shard that the manifest names: bytes"):
        read_first(small_run)


def test_a_shard_with_damaged_bytes_is_named(small_run):
    path = Path(small_run).parent / WIKIPEDIA
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(TrainerError, match=rf"^{WIKIPEDIA}: cannot be read: [^\n]*$"):
        read_first(small_run)


def test_a_missing_shard_is_named(small_run):
    (Path(small_run).parent / WIKIPEDIA).unlink()
    with pytest.raises(TrainerError, match=f"{WIKIPEDIA}: the manifest names this shard, but it is not there"):
        read_first(small_run)


def test_uint32_tokens_are_read(small_run, edit_manifest):
    replace_shard(small_run, edit_manifest, wikipedia_table(type_=pa.uint32()))
    fit_manifest(small_run, edit_manifest, rows=2, tokens=160)
    manifest = read_manifest(small_run)
    tokens = read_row_group(manifest, row_groups_of(manifest, "wikipedia")[0])
    assert tokens.dtype == np.uint32
    assert tokens.tolist() == [7] * 160


def test_the_cache_reads_each_segment_once_and_forgets_the_least_used(small_run, monkeypatch):
    manifest = read_manifest(small_run)
    groups = row_groups_of(manifest, "commoncrawl")
    reads = []
    monkeypatch.setattr(shards, "read_segment", lambda manifest, groups: reads.append(groups[0].number) or np.zeros(1))
    cache = SegmentCache(manifest, capacity=2)
    for segment in (0, 1, 0, 2, 0, 1):
        cache.get("commoncrawl", segment, [groups[segment]])
    assert reads == [0, 1, 2, 1]


def test_threads_that_want_the_same_segment_share_one_read(small_run, monkeypatch):
    manifest = read_manifest(small_run)
    groups = row_groups_of(manifest, "commoncrawl")
    reads = []
    real = shards.read_segment
    monkeypatch.setattr(shards, "read_segment", lambda *arguments: reads.append(1) or real(*arguments))
    cache = SegmentCache(manifest, capacity=2)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: cache.get("commoncrawl", 0, groups[:1]), range(50)))
    assert len(reads) == 1
    assert all(result is results[0] for result in results)
