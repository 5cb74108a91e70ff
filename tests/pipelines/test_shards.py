"""A shard holds every document once, in an order and in bytes that depend on nothing but its documents."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.shards import ShardInfo, read_shard_info, write_shard
from tokenizer.encode import Encoder
from tokenizer.sample import lines_of
from tokenizer.train import SETTINGS, train_sentencepiece

CONFIGURATION = hashlib.sha256(b"configuration").hexdigest()
Write = Callable[..., ShardInfo]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    path = tmp_path_factory.mktemp("model") / "tokenizer.model"
    lines = [line for text in topics.values() for line in lines_of(text)]
    path.write_bytes(train_sentencepiece(lines, 800, SETTINGS))
    return Encoder(path)


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    texts = [text[i : i + 700] for text in topics.values() for i in range(0, len(text), 700)]
    return {f"web/x/{n}": text for n, text in enumerate(texts)} | {"web/x/empty": ""}


def write_text(path: Path, documents: dict[str, str], row_group_size: int = 100) -> Path:
    columns = {"id": pa.array(documents.keys(), pa.string()), "text": pa.array(documents.values(), pa.string())}
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


@pytest.fixture
def write(tmp_path: Path, encoder: Encoder) -> Write:
    def call(*texts: Path, name: str = "shard.parquet", seed: int = 1, **options: Any) -> ShardInfo:
        options = {"row_group_tokens": 20_000, "configuration_sha256": CONFIGURATION, **options}
        return write_shard(texts, tmp_path / name, encoder=encoder, seed=seed, **options)

    return call


def test_every_document_is_there_once_with_its_tokens(
    tmp_path: Path, write: Write, encoder: Encoder, documents: dict[str, str]
) -> None:
    info = write(write_text(tmp_path / "text.parquet", documents))
    table = pq.read_table(tmp_path / "shard.parquet")
    assert table.schema.field("id").type == pa.string()
    assert table.schema.field("tokens").type == pa.list_(pa.uint16())
    assert (
        dict(zip(table["id"].to_pylist(), encoder.decode_batch(table["tokens"].combine_chunks()), strict=True))
        == documents
    )
    lengths = [len(tokens) for tokens in table["tokens"].to_pylist()]
    assert (info.rows, info.tokens) == (len(documents), sum(lengths))
    assert info.bytes == (tmp_path / "shard.parquet").stat().st_size
    assert info.sha256 == hashlib.sha256((tmp_path / "shard.parquet").read_bytes()).hexdigest()
    assert read_shard_info(tmp_path / "shard.parquet") == info


def test_row_groups_close_at_the_first_document_that_fills_them(
    tmp_path: Path, write: Write, documents: dict[str, str]
) -> None:
    info = write(write_text(tmp_path / "text.parquet", documents), row_group_tokens=5_000)
    file = pq.ParquetFile(tmp_path / "shard.parquet")
    assert len(info.row_groups) == file.num_row_groups > 10
    for group, tokens in enumerate(info.row_groups):
        lengths = [len(t) for t in file.read_row_group(group)["tokens"].to_pylist()]
        assert sum(lengths) == tokens
        assert sum(lengths[:-1]) < 5_000
        assert tokens >= 5_000 or group == len(info.row_groups) - 1


def test_bytes_do_not_depend_on_files_or_their_order(tmp_path: Path, write: Write, documents: dict[str, str]) -> None:
    whole = write(write_text(tmp_path / "text.parquet", documents))
    items = list(documents.items())
    random.Random(0).shuffle(items)
    parts = [write_text(tmp_path / f"{n}.parquet", dict(items[n::5]), 7 + n) for n in range(5)]
    assert write(*parts, name="parts.parquet") == whole
    assert write(*parts[::-1], name="reverse.parquet") == whole
    assert write(*parts, name="seed.parquet", seed=2).sha256 != whole.sha256
    with parts[0].open("rb") as file:
        assert write(file, *parts[1:], name="open.parquet") == whole


def test_a_row_group_is_a_random_sample(tmp_path: Path, write: Write, documents: dict[str, str]) -> None:
    write(write_text(tmp_path / "text.parquet", documents))
    ids = pq.read_table(tmp_path / "shard.parquet")["id"].to_pylist()
    places = {id_: n for n, id_ in enumerate(documents)}
    first_half = np.array([places[id_] for id_ in ids[: len(ids) // 2]])
    assert abs(first_half.mean() / len(ids) - 0.5) < 0.05


def test_the_file_names_its_tokenizer_and_configuration(
    tmp_path: Path, write: Write, encoder: Encoder, documents: dict[str, str]
) -> None:
    write(write_text(tmp_path / "text.parquet", documents))
    metadata = pq.read_schema(tmp_path / "shard.parquet").metadata
    assert metadata[b"altiplano.tokenizer"].decode() == encoder.model.sha256
    assert metadata[b"altiplano.configuration"].decode() == CONFIGURATION


def test_no_documents_give_a_shard_without_rows(tmp_path: Path, write: Write) -> None:
    info = write()
    assert (info.rows, info.tokens, info.row_groups) == (0, 0, ())
    assert write(write_text(tmp_path / "text.parquet", {}), name="empty.parquet") == info
    assert pq.read_table(tmp_path / "shard.parquet").num_rows == 0


def test_what_is_not_exact_is_counted(tmp_path: Path, write: Write) -> None:
    counts = Counter[str]()
    write(write_text(tmp_path / "text.parquet", {"a": "x\u2581y", "b": "er" * 100_000}), counts=counts)
    assert counts == {"space_marks": 1, "unit_cuts": 3}


def test_files_that_are_not_what_they_should_be(tmp_path: Path, write: Write, documents: dict[str, str]) -> None:
    text = write_text(tmp_path / "text.parquet", documents)
    write(text)
    shard = tmp_path / "shard.parquet"
    with pytest.raises(ValueError, match=r"shard\.parquet: not a Parquet file of clean text.*no column text"):
        write(shard, name="other.parquet")
    with pytest.raises(ValueError, match=r"text\.parquet: not a token shard"):
        read_shard_info(text)
    data = shard.read_bytes()
    shard.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"shard\.parquet: not a token shard, or a damaged one"):
        read_shard_info(shard)
    with pytest.raises(ValueError, match=r"missing\.parquet"):
        read_shard_info(tmp_path / "missing.parquet")
