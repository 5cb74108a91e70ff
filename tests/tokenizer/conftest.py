"""Text that every Python brings with it, and small tokenizers trained on it."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tokenizer.sample import lines_of
from tokenizer.train import SETTINGS, train_sentencepiece

OTHERS = """Schöne Grüße aus Köln, über 1.234,5 Häuser. Élève déjà vu à côté; l'été, où ça? Привет, мир: всё хорошо.
日本語のテキストです。これは二行目。中文也有一些字。
\tTabs\tand   runs    of        spaces, 2022-06-01 00:00. naïve café 🙂🙂👍"""
VARIANTS: dict[str, dict[str, Any]] = {
    "llama": {},
    "across words": {"split_by_whitespace": False, "split_digits": False, "split_by_unicode_script": False},
    "own symbols": {"user_defined_symbols": "<|x|>,  ,of the"},
    "few characters": {"character_coverage": 0.98},
}


@pytest.fixture(scope="session")
def documents() -> list[str]:
    """Some 500 kB of English and code, in 80 documents, and some lines in other languages."""
    pages = [text + "\n\n" + textwrap.indent(text[:500], "        ") for _, text in sorted(topics.items())]
    return [OTHERS * 3, *pages]


@pytest.fixture(scope="session")
def train_variant(documents: list[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A model of 1,000 pieces with LLaMA's settings, but for those that the named variant has of its own."""
    made: dict[str, Path] = {}

    def train(name: str) -> Path:
        if name not in made:
            lines = [line for text in documents for line in lines_of(text)]
            made[name] = tmp_path_factory.mktemp("model") / "tokenizer.model"
            made[name].write_bytes(train_sentencepiece(lines, 1_000, {**SETTINGS, **VARIANTS[name]}))
        return made[name]

    return train


@pytest.fixture(scope="session")
def model(train_variant: Callable[[str], Path]) -> Path:
    """A tokenizer with LLaMA's settings."""
    return train_variant("llama")


@pytest.fixture
def write_text(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of clean text: `write_text(name, {id: text, ...})`."""

    def write(name: str, texts: dict[str, str], row_group_size: int = 10, **columns: list[str]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.table(
            {"id": pa.array(texts.keys(), pa.string()), "text": pa.array(texts.values(), pa.string()), **columns}
        )
        pq.write_table(table, path, row_group_size=row_group_size)
        return path

    return write
