"""Token shards: Parquet files, a row per document, read one segment (see `order`) at a time into a bounded cache."""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from trainer.errors import TrainerError
from trainer.manifest import Manifest, Shard

TokenArray = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]


class RowGroup(NamedTuple):
    """One row group: its shard, its number in that file, and the tokens that the manifest promises."""

    shard: Shard
    number: int
    tokens: int


def row_groups_of(manifest: Manifest, source: str) -> list[RowGroup]:
    """Every row group of a source, in the manifest's order."""
    shards = manifest.sources[source].shards
    return [RowGroup(shard, number, tokens) for shard in shards for number, tokens in enumerate(shard.row_groups)]


def read_row_group(manifest: Manifest, row_group: RowGroup) -> TokenArray:
    """The tokens of a row group, documents one after another, [tokens].

    The file's size, tokenizer, number of rows and row groups, and this row group's tokens are held against the
    manifest; any difference is a TrainerError that names the shard.
    """
    shard, filesystem = row_group.shard, manifest.filesystem
    path = f"{manifest.folder}/{shard.path}" if manifest.folder else shard.path
    try:
        size = filesystem.size(path)
        if size != shard.bytes:
            raise _mismatch(shard, "bytes", size, shard.bytes)
        with filesystem.open(path, "rb") as file, pq.ParquetFile(file, pre_buffer=True) as parquet:
            made_by = (parquet.schema_arrow.metadata or {}).get(b"altiplano.tokenizer", b"").decode(errors="replace")
            if made_by != manifest.tokenizer.sha256:
                raise _mismatch(shard, "tokenizer", made_by or "none", manifest.tokenizer.sha256)
            if parquet.metadata.num_rows != shard.rows:
                raise _mismatch(shard, "rows", parquet.metadata.num_rows, shard.rows)
            if parquet.num_row_groups != len(shard.row_groups):
                raise _mismatch(shard, "row groups", parquet.num_row_groups, len(shard.row_groups))
            column = parquet.read_row_group(row_group.number, columns=["tokens"])["tokens"]
    except FileNotFoundError:
        raise TrainerError(f"{shard.path}: the manifest names this shard, but it is not there") from None
    except TrainerError:
        raise
    except Exception as error:  # a store's library raises what it likes
        raise TrainerError(f"{shard.path}: cannot be read: {' '.join(str(error).split())}") from None
    if column.type not in (pa.list_(pa.uint16()), pa.list_(pa.uint32())) or column.null_count:
        raise TrainerError(f"{shard.path}: column `tokens` is {column.type}, not lists of uint16 or uint32")
    flat = pa.chunked_array([chunk.flatten() for chunk in column.chunks], type=column.type.value_type)
    if len(flat) - flat.null_count != row_group.tokens:
        raise _mismatch(shard, f"tokens in row group {row_group.number}", len(flat) - flat.null_count, row_group.tokens)
    tokens: TokenArray = flat.to_numpy()
    if tokens.size and int(tokens.max()) >= manifest.tokenizer.pieces:
        pieces = manifest.tokenizer.pieces
        raise TrainerError(f"{shard.path}: holds token {tokens.max()}, but the tokenizer has {pieces:,} pieces")
    return tokens


def read_segment(manifest: Manifest, row_groups: Sequence[RowGroup]) -> TokenArray:
    """The tokens of several row groups, one after another, [tokens]. Raises TrainerError, as `read_row_group` does."""
    if len(row_groups) == 1:
        return read_row_group(manifest, row_groups[0])
    joined: TokenArray = np.concatenate([read_row_group(manifest, row_group) for row_group in row_groups])
    return joined


def _mismatch(shard: Shard, what: str, found: object, promised: object) -> TrainerError:
    return TrainerError(f"{shard.path}: not the shard that the manifest names: {what}: {found}, not {promised}")


class SegmentCache:
    """Reads segments and keeps the `capacity` last used. Threads that want the same one wait for one reader."""

    def __init__(self, manifest: Manifest, capacity: int) -> None:
        self._manifest = manifest
        self._capacity = capacity
        self._lock = Lock()
        self._segments: OrderedDict[tuple[str, int], Future[TokenArray]] = OrderedDict()

    def get(self, source: str, segment: int, row_groups: Sequence[RowGroup]) -> TokenArray:
        """The tokens of a segment, its row groups joined, [tokens]. Raises TrainerError, as `read_row_group` does."""
        key = (source, segment)
        with self._lock:
            future = self._segments.get(key)
            if future is not None:
                self._segments.move_to_end(key)
                mine = False
            else:
                future = self._segments[key] = Future()
                mine = True
                if len(self._segments) > self._capacity:
                    self._segments.popitem(last=False)
        if mine:
            try:
                future.set_result(read_segment(self._manifest, row_groups))
            except BaseException as error:
                future.set_exception(error)
        return future.result()
