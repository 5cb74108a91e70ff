"""Lines of pages: their keys and which are removed; the normal forms that language models and near-duplicates know."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from filters.lines import Removals, line_keys, remove_lines
from filters.nearduplicates import shingles
from filters.perplexity import normalize
from tests.fuzz._inputs import batch, heads

SEEDS = (
    "Menu\nHome\n\n Menu \nĠ 12 １２ ٣٤ — “x”…\x85\u2028y\n".encode(),
    "İstanbul ΣΑΣ ǅ ﬁ e\u0301 \u0345\n\ud7ff\U0010ffff\0\x7f".encode(),
)


def real(folder: Path) -> Iterator[bytes]:
    yield from heads(folder, "c4/*.jsonl", 4_000)


def one_input(data: bytes) -> None:
    """Every line that is not blank has a key; what is removed are later lines of the same key."""
    text = data.decode(errors="replace")
    page = batch(text)
    keys, offsets = line_keys(page)
    assert len(keys) == offsets[-1] == sum(bool(line.strip()) for line in text.split("\n"))
    unique = np.unique(keys)
    removed = Removals(unique, np.zeros(len(unique), bool), "first")(keys)
    assert len(unique) == len(keys) - removed.sum()
    [row] = remove_lines(page, offsets, removed).to_pylist()
    assert row["lines_kept"] == len(unique)
    assert "\n" not in normalize(text)
    shingles(text)
