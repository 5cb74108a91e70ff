"""Parquet files of tokens, as the trainer reads them, and of clean text, as the tokenizer does."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import suppress

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz._inputs import folder
from tokenizer.texts import read_texts
from trainer.errors import TrainerError
from trainer.manifest import Manifest, Shard, Source, Tokenizer
from trainer.shards import RowGroup, read_row_group

_TOKENIZER = hashlib.sha256().hexdigest()
_ROWS = {"id": ["a", "b", "c"], "text": ["", "é", "x"], "tokens": [[1, 2], [], [3]]}


def seeds() -> Iterator[bytes]:
    """Shards with and without text, of two row groups, each encoding's."""
    for type_, options in (
        (pa.uint16(), {"compression": "zstd"}),
        (pa.uint32(), {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"}),
        (pa.uint16(), {"compression": "snappy", "use_dictionary": False, "column_encoding": {"id": "PLAIN"}}),
    ):
        fields = [("id", pa.string()), ("text", pa.string()), ("tokens", pa.list_(type_))]
        schema = pa.schema(fields, metadata={"altiplano.tokenizer": _TOKENIZER})
        made = io.BytesIO()
        pq.write_table(pa.table(_ROWS, schema=schema), made, row_group_size=2, **options)
        yield made.getvalue()


def one_input(data: bytes) -> None:
    """Tokens as promised, or an error in one line."""
    path = folder() / "shard.parquet"
    path.write_bytes(data)
    shard = Shard(path=path.name, rows=3, tokens=3, bytes=len(data), sha256="", row_groups=(2, 1))
    source = Source(weight=100, documents=3, tokens=3, shards=(shard,))
    tokenizer = Tokenizer(path="t", sha256=_TOKENIZER, pieces=100)
    manifest = Manifest("", "", fsspec.filesystem("file"), str(path.parent), {"x": source}, tokenizer)
    for number, tokens in enumerate(shard.row_groups):
        with suppress(TrainerError):
            assert len(read_row_group(manifest, RowGroup(shard, number, tokens))) == tokens
    try:
        for batch in read_texts(path):
            batch.validate()
    except ValueError as error:
        if isinstance(error, UnicodeError | pa.ArrowException):
            raise
