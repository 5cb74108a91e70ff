"""Which language a document is in, by fastText (Joulin et al. 2016, arXiv 1607.01759; lid.176)."""

import mmap
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import fasttext
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.decisions import drop, kept, scatter, set_column

_MAGIC, _VERSION = 793712314, 12
_LABEL = "__label__"


class LanguageModel(Protocol):
    """fastText's model, of which this is what we use: for each text its best label and that label's probability."""

    def predict(self, text: list[str]) -> tuple[list[list[str]], list[npt.NDArray[np.float32]]]: ...


def label(batch: pa.RecordBatch, *, model: LanguageModel) -> pa.RecordBatch:
    """Add `language`, what `model` (see `load_language_model`) ranks first, and `language_score`, rounded to 4 digits.

    Newlines count as spaces: deleting them would glue words together.
    """
    where = kept(batch)
    texts = pc.replace_substring(batch["text"].filter(pa.array(where)), "\n", " ").to_pylist()
    labels, scores = model.predict(texts) if texts else ([], [])  # a list: single strings fail with numpy 2
    languages = [top[0].removeprefix(_LABEL) if top else None for top in labels]
    rounded = np.round(np.array([top[0] if len(top) else 0 for top in scores], np.float32), 4)
    batch = set_column(batch, "language", scatter(languages, where, pa.string()))
    return set_column(batch, "language_score", scatter(rounded, where, pa.float32()))


def keep_languages(batch: pa.RecordBatch, *, languages: Sequence[str], min_score: float = 0.5) -> pa.RecordBatch:
    """Drop other languages than these (`language`), then scores below `min_score` (`language_score`)."""
    others = pc.invert(pc.is_in(batch["language"], pa.array(languages, pa.string())))
    batch = drop(batch, others.to_numpy(zero_copy_only=False), "language")
    low = batch["language_score"].to_numpy(zero_copy_only=False) < np.float32(min_score)
    return drop(batch, low, "language_score")


def load_language_model(path: Path | str) -> LanguageModel:
    """A fastText model from its file.

    Raises:
        ValueError: the file is not a fastText model, or not a whole one; fastText itself crashes on most such files.
    """
    with open(path, "rb") as file:
        start = file.read(8)
        if len(start) < 8 or struct.unpack("<ii", start) != (_MAGIC, _VERSION):
            raise ValueError(f"{path}: not a fastText model (version {_VERSION})")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                whole = _Layout(data).end() == len(data)
            except (struct.error, ValueError):
                whole = False
    damaged = ValueError(f"{path}: a fastText model that is damaged or cut short")
    if not whole:
        raise damaged
    try:
        return fasttext.load_model(str(path))
    except (RuntimeError, ValueError, MemoryError):
        raise damaged from None


class _Layout:
    """Walks through a model file, only to find where it should end."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._position = 8

    def end(self) -> int:
        self._skip("12id")  # arguments
        size, _, _, _, pruned = self._read("iiiqq")
        for _ in range(size):
            word_end = self._data.find(b"\0", self._position)
            if word_end < 0:
                raise ValueError("the dictionary has no end")
            self._position = word_end + 1
            self._skip("qb")
        self._skip(f"{2 * max(pruned, 0)}i")
        (quantized,) = self._read("?")
        self._skip_matrix(quantized)
        (output_too,) = self._read("?")
        self._skip_matrix(quantized and output_too)
        return self._position

    def _skip_matrix(self, quantized: bool) -> None:
        if not quantized:
            rows, columns = self._read("qq")
            self._skip(f"{rows * columns}f")
            return
        with_norms, rows, _, codes = self._read("?qqi")
        self._skip(f"{codes}b")
        self._skip_quantizer()
        if with_norms:
            self._skip(f"{rows}b")
            self._skip_quantizer()

    def _skip_quantizer(self) -> None:
        dimension, *_ = self._read("4i")
        self._skip(f"{256 * dimension}f")

    def _read(self, format_: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + format_, self._data, self._position)
        self._skip(format_)
        return values

    def _skip(self, format_: str) -> None:
        self._position += struct.calcsize("<" + format_)
