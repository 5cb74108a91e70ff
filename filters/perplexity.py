"""How well a language model trained on Wikipedia predicts a document, and the bucket that puts it in.

CCNet's measure (Wenzek et al. 2019, arXiv 1911.00359, section 4.2):

    text -> normalize -> SentencePiece (unigram) -> KenLM 5-gram, the whole document as one sentence
         -> perplexity = 10^(-log10 P / n), n being the pieces and one end of sentence

SentencePiece sums scores over a whole document in 32 bits: where two segmentations of a word are almost as good, what
stands before it decides. So pieces are not computed once for each distinct word (which here saves little time, too).
"""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import kenlm
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sentencepiece

from filters.decisions import drop, kept, scatter, set_column

NO_MODEL = "all"

ASCII_PUNCTUATION = {
    **dict.fromkeys("„“”«»「」《》", '"'),
    **dict.fromkeys("´’", "'"),
    **dict.fromkeys("，、", ","),
    **dict.fromkeys("∶：", ":"),
    **dict.fromkeys("–━►", "-"),
    **{"。": ".", "．": ". ", "…": "...", "—": " - ", "；": ";", "？": "?", "！": "!", "～": "~", "％": "%"},
    **{"（": "(", "）": ")", "〈": "<", "〉": ">", "【": "[", "】": "]"},
}
"""What the 34 marks of CCNet become (the 34th is a digit, U+FF11, and is treated as one)."""


class _Characters(NamedTuple):
    """What each code point becomes: `counts[point]` code points, from `forms[starts[point]]` on."""

    counts: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int32]
    forms: npt.NDArray[np.uint32]


def normalize(text: str) -> str:
    """`text` as the language models know it: one line, lower case, without accents, digits `0`, plain punctuation.

    A character becomes the canonical decomposition of its lower case, less its combining marks (Mn). Decimal digits of
    any script become `0`, punctuation as in `ASCII_PUNCTUATION`, white space a space; other control characters go.
    """
    if "İ" in text or "Σ" in text:  # the two whose lower case is more than a table of characters can tell
        text = text.lower()
    counts, starts, forms = _characters()
    points = np.frombuffer(text.strip().encode("utf-32-le"), dtype="<u4")
    lengths = counts[points]
    ends = np.cumsum(lengths, dtype=np.int64)
    places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts[points] - ends + lengths, lengths)
    return forms[places].tobytes().decode("utf-32-le")


@cache
def _characters() -> _Characters:
    forms = list(range(0x110000))  # most stay themselves
    starts = np.arange(0x110000, dtype=np.int32)
    counts = np.ones(0x110000, np.uint8)
    for point in range(0x110000):
        form = _form(chr(point))
        if form != chr(point):
            starts[point] = len(forms)
            counts[point] = len(form)
            forms.extend(map(ord, form))
    return _Characters(counts, starts, np.array(forms, np.uint32))


def _form(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace():
        return " "
    if category == "Cc":
        return ""
    if category in ("Cn", "Co", "Cs"):
        return character
    letters = [c for c in unicodedata.normalize("NFD", character.lower()) if unicodedata.category(c) != "Mn"]
    return "".join("0" if c.isdecimal() else ASCII_PUNCTUATION.get(c, c) for c in letters)


class LanguageScorer:
    """A language's SentencePiece model and the KenLM model over its pieces."""

    def __init__(self, pieces: sentencepiece.SentencePieceProcessor, model: kenlm.Model) -> None:
        self._pieces = pieces
        self._model = model

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The perplexity of each text, rounded to one decimal; shape (texts,)."""
        sentences = self._pieces.encode([normalize(text) for text in texts], out_type=str, num_threads=1)
        log10 = np.array([self._model.score(" ".join(sentence)) for sentence in sentences], np.float64)
        lengths = np.array([len(sentence) + 1 for sentence in sentences], np.float64)
        return np.round(10 ** (-log10 / lengths), 1).astype(np.float32)


def measure(batch: pa.RecordBatch, *, scorers: Mapping[str, LanguageScorer]) -> pa.RecordBatch:
    """Add `perplexity` (see `LanguageScorer`), null where there is no scorer for a document's `language`."""
    languages = np.array(batch["language"].to_pylist(), dtype=object)
    where = kept(batch)
    perplexities = np.zeros(batch.num_rows, np.float32)
    scored = np.zeros(batch.num_rows, bool)
    for language, scorer in sorted(scorers.items()):
        rows = where & (languages == language)
        perplexities[rows] = scorer(batch["text"].filter(pa.array(rows)).to_pylist())
        scored |= rows
    return set_column(batch, "perplexity", pa.array(perplexities, mask=~scored))


# ---- buckets


def bucket(batch: pa.RecordBatch, *, cutoffs: Mapping[str, tuple[float, float]]) -> pa.RecordBatch:
    """Add `bucket`: `head` below the first cut-off of the document's language, `middle` below the second, else `tail`.

    Without cut-offs for its language, or without a perplexity, a document's bucket is `all`.
    """
    where = kept(batch)
    languages, perplexities = batch["language"].to_pylist(), batch["perplexity"].to_pylist()
    buckets = [_bucket(perplexities[row], cutoffs.get(languages[row])) for row in np.flatnonzero(where)]
    return set_column(batch, "bucket", scatter(buckets, where, pa.string()))


def _bucket(perplexity: float | None, cutoffs: tuple[float, float] | None) -> str:
    if perplexity is None or cutoffs is None:
        return NO_MODEL
    head, middle = map(np.float32, cutoffs)  # as perplexities are stored
    return "head" if perplexity < head else "middle" if perplexity < middle else "tail"


def keep_buckets(batch: pa.RecordBatch, *, buckets: Sequence[str]) -> pa.RecordBatch:
    """Drop documents of other buckets than these, as `perplexity_<bucket>`."""
    for name in {"head", "middle", "tail", NO_MODEL} - set(buckets):
        is_in = pc.fill_null(pc.equal(batch["bucket"], name), False)
        batch = drop(batch, is_in.to_numpy(zero_copy_only=False), f"perplexity_{name}")
    return batch


def percentile_cutoffs(
    perplexities: npt.NDArray[np.floating[Any]], percentiles: tuple[float, float] = (30, 60)
) -> tuple[float, float]:
    """The cut-offs (head, middle) of a language: its `perplexities`, shape (documents,), at these percentiles.

    Raises:
        ValueError: there are no perplexities.
    """
    if not len(perplexities):
        raise ValueError("no perplexities to take percentiles of")
    head, middle = np.percentile(perplexities, percentiles, method="inverted_cdf")
    return round(float(head), 1), round(float(middle), 1)


def load_language_scorer(sentencepiece_path: Path | str, kenlm_path: Path | str) -> LanguageScorer:
    """A language's scorer from the files of its two models (KenLM: binary or ARPA).

    Raises:
        ValueError: one of them is not such a model.
    """
    for path in (sentencepiece_path, kenlm_path):
        with open(path, "rb"):  # the libraries' own errors do not tell a missing file from a bad one
            pass
    try:
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_path))
    except RuntimeError:
        raise ValueError(f"{sentencepiece_path}: not a SentencePiece model, or not a whole one") from None
    try:
        model = kenlm.Model(str(kenlm_path))
    except OSError:
        raise ValueError(f"{kenlm_path}: not a KenLM model, or not a whole one") from None
    return LanguageScorer(pieces, model)
