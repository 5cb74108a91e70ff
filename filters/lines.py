"""Lines that are repeated across pages: menus, footers, licences, notices.

A line is what newlines separate. Two lines are the same if their keys are: CCNet's normal form (Wenzek et al. 2019,
arXiv 1911.00359, section 3.1), hashed. A blank line has no key; it is neither a repeat nor kept.
"""

import hashlib
from functools import cache
from itertools import compress
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.decisions import BoolArray, drop, kept, scatter, set_column

Keys = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

PUNCTUATION = "，。、„”“«»１」「《》´∶：？！（）；–—．～’…━〈〉【】％►"
"""The 34 marks that CCNet leaves out of a key (ASCII punctuation stays)."""

_DIGEST = np.dtype([("key", "<u8"), ("rest", "V12")])
_DELETED = np.uint32(0xFFFFFFFF)


def line_keys(batch: pa.RecordBatch) -> tuple[Keys, Offsets]:
    """The key of every line of the kept documents, and where each document's keys begin.

    A key is the first 8 bytes of the SHA-1 of the line's normal form in UTF-8, as a little-endian number: stripped,
    lower-cased, each decimal digit of any script `0`, without `PUNCTUATION` and the control characters U+0000-1F and
    U+007F-9F.

    Returns:
        keys: uint64, shape (lines,), in the order of documents and lines.
        offsets: int64, shape (rows + 1,); row i's keys are `keys[offsets[i]:offsets[i + 1]]`, none for a dropped row.
    """
    lines: list[str] = []
    offsets = [0]
    for text, keep in zip(batch["text"].to_pylist(), kept(batch), strict=True):
        if keep:
            lines.extend(filter(None, map(str.strip, text.split("\n"))))
        offsets.append(len(lines))
    return _keys(lines), np.array(offsets, dtype=np.int64)


def _keys(lines: list[str]) -> Keys:
    """The keys of stripped lines. All of them are normalised at once, as an array of code points."""
    if not lines:
        return np.empty(0, np.uint64)
    joined = "\n".join(lines)
    if "İ" in joined or "Σ" in joined:  # the two whose lower case is more than a table of characters can tell
        joined = joined.lower()
    points = _normal_forms()[np.frombuffer(joined.encode("utf-32-le"), dtype="<u4")]
    normal = points[points != _DELETED].tobytes().decode("utf-32-le").encode()
    digests = b"".join([hashlib.sha1(line).digest() for line in normal.split(b"\n")])
    return np.frombuffer(digests, dtype=_DIGEST)["key"].astype(np.uint64)


@cache
def _normal_forms() -> npt.NDArray[np.uint32]:
    """What each code point becomes in a key; `_DELETED` if nothing. Newlines stay."""
    table = np.arange(0x110000, dtype=np.uint32)
    letters = np.concatenate((np.arange(0xD800), np.arange(0xE000, 0x110000)))
    characters = "".join(map(chr, letters)).replace("İ", "i")
    table[letters] = np.frombuffer(characters.lower().encode("utf-32-le"), dtype="<u4")
    table[letters[[character.isdecimal() for character in characters]]] = ord("0")
    table[[ord(mark) for mark in PUNCTUATION if not mark.isdecimal()]] = _DELETED
    table[0x00:0x20] = table[0x7F:0xA0] = _DELETED
    table[ord("\n")] = ord("\n")
    return table


class Removals:
    """Which lines of a split to remove, batch after batch in the split's order.

    Args:
        unique_keys: the split's keys, sorted and distinct.
        everywhere: a bool beside each: whether all its lines in this split are to be removed.
        keep: what is kept of the others: with "first" one line a key, the split's first; with "none" every line (a line
            that is repeated within the split is then among `everywhere`).
    """

    def __init__(self, unique_keys: Keys, everywhere: BoolArray, keep: Literal["none", "first"]) -> None:
        self._keys = unique_keys
        self._removed = everywhere.copy()
        self._first_only = keep == "first"

    def __call__(self, keys: Keys) -> BoolArray:
        """True for each of the next lines' keys, shape (lines,), whose line is to be removed.

        Raises:
            ValueError: a key is not among the split's, so that its digest was made of another text.
        """
        present, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        places = np.searchsorted(self._keys, present)
        if len(present) and (places[-1] == len(self._keys) or (self._keys[places] != present).any()):
            raise ValueError("a line's key is not in the digest of its split")
        removed = self._removed[places]
        if not self._first_only:
            return removed[inverse]
        later = np.ones(len(keys), dtype=bool)
        later[first] = removed
        self._removed[places] = True
        return later


def remove_lines(batch: pa.RecordBatch, offsets: Offsets, removed: BoolArray) -> pa.RecordBatch:
    """The batch without the lines that `removed` marks (shape (lines,), in the order of `line_keys`) and blank ones.

    Adds `lines_kept` and `lines_removed` (int32, blank lines not counted); a text left empty is `no_lines_left`.
    """
    where = kept(batch)
    texts = batch["text"].to_pylist()
    stays = (~removed).tolist()
    for row in np.flatnonzero(where):
        lines = filter(str.strip, texts[row].split("\n"))
        texts[row] = "\n".join(compress(lines, stays[offsets[row] : offsets[row + 1]]))
    total = np.diff(offsets)[where]
    removed_before = np.concatenate(([0], np.cumsum(removed)))
    removed_here = np.diff(removed_before[offsets])[where]
    batch = set_column(batch, "text", pa.array(texts, pa.string()))
    batch = set_column(batch, "lines_kept", scatter(total - removed_here, where, pa.int32()))
    batch = set_column(batch, "lines_removed", scatter(removed_here, where, pa.int32()))
    return drop(batch, pc.equal(pc.binary_length(batch["text"]), 0).to_numpy(zero_copy_only=False), "no_lines_left")
