"""Text to piece ids: exactly SentencePiece's, computed once for each distinct unit.

    texts -> one buffer of bytes -> units -> distinct units -> their pieces (cached) -> gathered back in order

BPE (Sennrich et al. 2016, arXiv 1508.07909; as in SentencePiece, Kudo and Richardson 2018, arXiv 1808.06226) joins two
neighbours only into a piece of the model. So a cut between two bytes that stand side by side in no piece changes
nothing, and what lies between two cuts, a *unit*, can be encoded alone. Where to cut is read from the model itself, as
a table of 256 x 256 byte pairs: before spaces, around line ends and digits, between letters and punctuation, ... Text
repeats its units, so that most are looked up.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer.model import MARK, NEWLINE, Model

MAX_UNIT_BYTES = 64 << 10  # SentencePiece takes some 50 bytes of memory for each byte of text
SLICE_BYTES = 16 << 20  # of texts that are joined
WINDOW_BYTES = 4 << 20  # of joined texts that are cut and looked up at once
CALL_BYTES = 1 << 10  # of units that SentencePiece is given at once: its time grows faster than its text
CACHE_BYTES = 128 << 20  # of known units, before the cache starts anew
UNIT_BYTES = 160  # what a known unit takes beside its own bytes: a Python object, its place in a dictionary, its pieces

DIGITS = slice(ord("0"), ord("9") + 1)

Integers = npt.NDArray[np.integer]
Bytes = npt.NDArray[np.uint8]


class Encoder:
    """Encodes texts with one SentencePiece BPE model, and keeps the pieces of the units it meets.

    Raises ValueError, in one sentence, for a file that is not such a model.
    """

    def __init__(self, path: Path | str) -> None:
        self.model = Model.load(path)
        self.dtype = np.dtype(np.uint16 if self.model.pieces <= 0xFFFF else np.uint32)
        pieces = [text for _, text in self.model.text_pieces()]
        if any("\n" in piece for piece in pieces):
            raise ValueError(f"{path}: a model with line ends inside its pieces cannot be used")
        self._pairs = pa.array(cuttable_pairs(pieces).ravel().view(np.uint8))
        self._cache = _Cache(self.model, self.dtype)

    def encode_batch(self, texts: pa.Array | Sequence[str], counts: Counter[str] | None = None) -> pa.ListArray:
        """A list of ids for each text, BOS first: list<uint16>, or list<uint32> for a model of more than 65,535 pieces.

        Adds to `counts` what is not exact: `space_marks`, literal U+2581 that SentencePiece cannot tell from spaces,
        and `unit_cuts`, cuts inside a unit of more than 64 KiB, around which pieces may differ from SentencePiece's
        (the text comes back the same). Texts are strings without nulls. Apart from three times what it returns, a
        call takes some 200 MB and twice its longest text.
        """
        array = (texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())).cast(pa.large_string())
        if array.null_count:
            raise ValueError("a text to encode is null")
        counts = Counter() if counts is None else counts
        values: list[Integers] = [np.empty(0, self.dtype)]
        firsts: list[Integers] = []
        total = 0
        for part in _slices(array):
            data, starts = self._prepare(part, counts)
            for bounds in self._cut(data, starts, counts):
                ids, sizes = self._cache.encode(_units(data, bounds))
                before = np.cumsum(sizes, dtype=np.int64) - sizes
                inside = starts[slice(*np.searchsorted(starts, bounds[[0, -1]]))]
                firsts.append(total + before[np.searchsorted(bounds, inside)])
                values.append(ids)
                total += len(ids)
            firsts.append(np.full(np.count_nonzero(starts[:-1] == len(data)), total))  # empty texts at the end
        if total + len(array) > np.iinfo(np.int32).max:
            raise ValueError(f"{total:,} tokens are too many for one array: encode fewer texts at once")
        offsets = np.concatenate([*firsts, [total]]).astype(np.int64)
        ids = np.insert(np.concatenate(values), offsets[:-1], self.model.processor.bos_id())
        offsets += np.arange(len(offsets))
        return pa.ListArray.from_arrays(offsets.astype(np.int32), ids)

    def decode_batch(self, tokens: pa.ListArray | Sequence[Sequence[int]]) -> list[str]:
        """The texts of lists of ids; BOS and EOS give no text. Raises ValueError for an id that is no piece."""
        lists: list[list[int]] = tokens.to_pylist() if isinstance(tokens, pa.Array) else [list(ids) for ids in tokens]
        for ids in filter(None, lists):
            if min(ids) < 0 or max(ids) >= self.model.pieces:
                wrong = min(ids) if min(ids) < 0 else max(ids)
                raise ValueError(f"{wrong} is no id of this tokenizer: they go from 0 to {self.model.pieces - 1}")
        return [self.model.processor.decode(ids) for ids in lists]

    def _prepare(self, texts: pa.LargeStringArray, counts: Counter[str]) -> tuple[Bytes, Integers]:
        """The bytes of all texts as SentencePiece sees them, and where each starts, with the end of the last."""
        marks = pc.sum(pc.count_substring(texts, MARK)).as_py()
        if marks:
            counts["space_marks"] += marks
            texts = pc.replace_substring(texts, MARK, " ")
        prefix = pc.if_else(pc.equal(pc.binary_length(texts), 0), "", " ").cast(pa.large_string())
        joined = pc.binary_join_element_wise(prefix, texts, pa.scalar("", pa.large_string()))
        starts = np.frombuffer(joined.buffers()[1], np.int64, len(joined) + 1, joined.offset * 8)
        data = np.frombuffer(joined.buffers()[2] or b"", np.uint8)[starts[0] : starts[-1]]
        return data, starts - starts[0]

    def _cut(self, data: Bytes, starts: Integers, counts: Counter[str]) -> Iterator[Integers]:
        """Where units start in `data`, ascending, in windows of some 4 MB; the last number of each is where it ends."""
        begin = 0
        while begin < len(data):
            end = min(begin + WINDOW_BYTES, len(data))
            pairs = data[begin : end - 1].astype(np.uint16)
            pairs <<= 8
            pairs |= data[begin + 1 : end]
            cut = np.ones(end - begin + 1, bool)
            cut[1:-1] = pc.take(self._pairs, pa.array(pairs)).to_numpy()
            cut[starts[slice(*np.searchsorted(starts, (begin, end)))] - begin] = True
            bounds = np.flatnonzero(cut) + begin
            for unit in np.flatnonzero(np.diff(bounds) > MAX_UNIT_BYTES):
                inside = list(_inexact_cuts(data, int(bounds[unit]), int(bounds[unit + 1])))
                cut[np.array(inside) - begin] = True
                counts["unit_cuts"] += len(inside)
            cut[-1] = end == len(data)  # else the last unit may go on in the next window
            bounds = np.flatnonzero(cut) + begin
            yield bounds
            begin = int(bounds[-1])


def _inexact_cuts(data: Bytes, start: int, end: int) -> Iterator[int]:
    """Cuts inside a unit that is too long, between characters; where they fall depends on the unit alone."""
    while end - start > MAX_UNIT_BYTES:
        start += MAX_UNIT_BYTES
        while data[start] & 0xC0 == 0x80:
            start -= 1
        yield start


class _Cache:
    """Units that were met, and their pieces: the n-th one's are `pieces[ends[n - 1] : ends[n]]`."""

    def __init__(self, model: Model, dtype: np.dtype[Any]) -> None:
        self._model = model
        self._newline = model.processor.PieceToId(NEWLINE)
        self._prefix = len(model.processor.encode("\n")) - 1  # the pieces of the space before every text
        self._pieces = _Growing(dtype)
        self._ends = _Growing(np.dtype(np.int32))
        self._numbers = _Numbers()
        self._clear()

    def _clear(self) -> None:
        self._numbers.clear()
        self._numbers.new = []
        self._pieces.clear()
        self._ends.clear()
        self._numbers[b"\n"] = 0  # the one unit that cannot be separated from others by line ends
        self._pieces.extend(np.array([self._newline]))
        self._ends.extend(np.array([0, 1]))
        self._bytes = 0

    def encode(self, units: pa.BinaryArray) -> tuple[Integers, Integers]:
        """The ids of all units, one after the other, and how many each has."""
        if self._bytes > CACHE_BYTES:
            self._clear()
        distinct = units.dictionary_encode()
        keys = distinct.dictionary.to_pylist()
        numbers = np.fromiter(map(self._numbers.__getitem__, keys), np.int32, len(keys))
        if self._numbers.new:
            try:
                self._learn(self._numbers.new)
            except BaseException:
                self._clear()  # numbers without pieces would be wrong ids, should anybody encode again
                raise
            self._numbers.new = []
        which = numbers[distinct.indices.to_numpy()]
        ends = self._ends.view
        lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(self._pieces.view))
        return lists.take(pa.array(which)).flatten().to_numpy(), np.diff(ends)[which]

    def _learn(self, units: list[bytes]) -> None:
        sizes = np.fromiter(map(len, units), np.int64, len(units))
        call = np.cumsum(sizes) // CALL_BYTES
        edges = [0, *(np.flatnonzero(np.diff(call)) + 1).tolist(), len(units)]
        encode = self._model.processor.encode
        calls = [encode(b"\n%b\n" % b"\n".join(units[a:b]), return_type="numpy") for a, b in pairwise(edges)]
        ids = np.concatenate([call[self._prefix + 1 :] for call in calls])  # after each unit, a line end
        lines = np.flatnonzero(ids == self._newline)
        assert len(lines) == len(units)
        self._ends.extend(self._ends.view[-1] + np.cumsum(np.diff(lines, prepend=-1) - 1))
        self._pieces.extend(np.delete(ids, lines))
        self._bytes += int(sizes.sum()) + UNIT_BYTES * len(units)


class _Numbers(dict[bytes, int]):
    """Numbers units in the order they are met; `new` lists those met since it was last emptied."""

    def __init__(self) -> None:
        self.new: list[bytes] = []

    def __missing__(self, unit: bytes) -> int:
        number = self[unit] = len(self)
        self.new.append(unit)
        return number


class _Growing:
    """An array that grows at its end."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._array: Integers = np.empty(1 << 10, dtype)
        self.clear()

    @property
    def view(self) -> Integers:
        return self._array[: self._length]

    def clear(self) -> None:
        self._length = 0

    def extend(self, values: Integers) -> None:
        end = self._length + len(values)
        if end > len(self._array):
            grown = np.empty(2 * end, self._array.dtype)
            grown[: self._length] = self.view
            self._array = grown
        self._array[self._length : end] = values
        self._length = end


def _slices(texts: pa.LargeStringArray) -> Iterator[pa.LargeStringArray]:
    """Runs of texts of some 16 MB, or of one longer text."""
    ends = np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False))
    first = 0
    while first < len(texts):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + SLICE_BYTES, "right")))
        yield texts[first:last]
        first = last


def _units(data: Bytes, bounds: Integers) -> pa.BinaryArray:
    """The bytes between one bound and the next."""
    offsets = pa.py_buffer((bounds - bounds[0]).astype(np.int32))
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(bounds) - 1, [None, offsets, pa.py_buffer(data[bounds[0] : bounds[-1]])]
    )


def cuttable_pairs(pieces: Iterable[str]) -> npt.NDArray[np.bool_]:
    """bool[256, 256]: true where text may be cut between a byte (row) and the next one (column): no piece holds both.

    Never true before a UTF-8 continuation byte, so that characters stay whole, nor between digits, as numbers repeat.
    """
    pairs = np.ones((256, 256), bool)
    pairs[:, 0x80:0xC0] = False
    pairs[DIGITS, DIGITS] = False
    for piece in pieces:
        data = np.frombuffer(piece.encode(), np.uint8)
        pairs[data[:-1], data[1:]] = False
    return pairs
