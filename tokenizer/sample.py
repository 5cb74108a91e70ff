"""The documents and lines that models are trained on: the same ones however the text is spread over files.

Documents with the lowest keyed hashes of their ids, until they fill a budget. Their texts are given line by line,
because whole documents are longer than what SentencePiece takes and would be skipped.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer.texts import TextFile, keyed_hashes, read_texts

MAX_LINE_BYTES = 4192  # SentencePiece's max_sentence_length
SKIPPED_CHARACTERS = ("\u2585", "\0")  # SentencePiece leaves out lines that hold one, whole
PRUNE_ROWS = 1 << 20


@dataclass(frozen=True)
class Picked:
    """What a sample takes from one source: bytes of text, against those its weight asked for."""

    documents: int
    bytes: int
    wanted: int


class Sample:
    """A sample of several sources in the proportions of `weights`, some `sample_bytes` of UTF-8 text in all.

    A source with too little text gives all it has: `picked` tells. Where documents' ids are distinct the sample depends
    on nothing else. Memory stays at some 50 bytes for each sampled document; texts wait in `scratch`, a folder on disk.
    Raises ValueError for a source without files or text.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[TextFile]],
        weights: Mapping[str, Fraction | int],
        sample_bytes: int,
        seed: int,
        scratch: Path,
    ) -> None:
        self._sources = sources
        self._seed = seed
        self._scratch = scratch
        self._choices: dict[str, _Choice] = {}
        self.picked: dict[str, Picked] = {}
        for name in sorted(weights):
            if not weights[name]:
                continue
            if not sources.get(name):
                raise ValueError(f"source {name} has a weight, but no files of clean text")
            wanted = int(sample_bytes * Fraction(weights[name]) / sum(map(Fraction, weights.values())))
            choice = self._choices[name] = _choose(sources[name], seed, max_bytes=wanted)
            self.picked[name] = Picked(len(choice.keys), int(choice.sizes.sum()), wanted)

    def lines(self) -> Iterator[str]:
        """Lines of at most 4,192 bytes: sources by name, documents by hash."""
        for name, choice in self._choices.items():
            for text in _texts(self._sources[name], choice, self._scratch):
                yield from lines_of(text)


def sample_documents(files: Sequence[TextFile], seed: int, max_documents: int, scratch: Path) -> Iterator[str]:
    """The texts of at most `max_documents` documents of one source, by hash."""
    return _texts(files, _choose(files, seed, max_documents=max_documents), scratch)


def lines_of(text: str, max_bytes: int = MAX_LINE_BYTES) -> Iterator[str]:
    """The lines of a text that are not empty; longer ones cut at spaces, or between characters where a word is as long.

    A space that is cut at is left out: SentencePiece puts one before every line.
    """
    for character in SKIPPED_CHARACTERS:
        text = text.replace(character, "\n")
    for line in text.split("\n"):
        if len(line) * 4 <= max_bytes or len(data := line.encode()) <= max_bytes:
            if line:
                yield line
            continue
        start = 0
        while len(data) - start > max_bytes:
            end = data.rfind(b" ", start + 1, start + max_bytes + 1)
            after = end + 1
            if end < 0:
                end = start + max_bytes
                while data[end] & 0xC0 == 0x80:
                    end -= 1
                after = end
            yield data[start:end].decode()
            start = after
        if start < len(data):
            yield data[start:].decode()


@dataclass(frozen=True)
class _Choice:
    """Chosen documents, by hash: where each stands (number of its file and row in it), and its bytes."""

    keys: npt.NDArray[np.uint64]
    files: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]

    def lowest(self, max_bytes: int | None, max_documents: int | None) -> "_Choice":
        """The documents with the lowest hashes, up to the one that fills the budget."""
        order = np.lexsort((self.sizes, self.keys))[:max_documents]
        if max_bytes is not None:
            before = np.cumsum(self.sizes[order]) - self.sizes[order]
            order = order[: np.searchsorted(before, max_bytes)]
        return _Choice(self.keys[order], self.files[order], self.rows[order], self.sizes[order])


def _choose(
    files: Sequence[TextFile], seed: int, *, max_bytes: int | None = None, max_documents: int | None = None
) -> _Choice:
    waiting: list[_Choice] = []
    rows_waiting = 0
    limit = PRUNE_ROWS

    def pruned() -> _Choice:
        columns = ("keys", "files", "rows", "sizes")
        return _Choice(*(np.concatenate([getattr(c, n) for c in waiting]) for n in columns)).lowest(
            max_bytes, max_documents
        )

    for number, file in enumerate(files):
        row = 0
        for batch in read_texts(file):
            rows = np.arange(row, row + len(batch))
            keys = keyed_hashes(batch["id"], seed, "sample")
            sizes = pc.binary_length(batch["text"]).to_numpy().astype(np.int64)
            waiting.append(_Choice(keys, np.full(len(batch), number, np.int32), rows, sizes))
            row += len(batch)
            rows_waiting += len(batch)
            if rows_waiting > limit:
                waiting = [pruned()]
                rows_waiting = len(waiting[0].keys)
                limit = max(PRUNE_ROWS, 2 * rows_waiting)
    if not rows_waiting:
        raise ValueError("there is no document to train on: the files of clean text are empty")
    return pruned()


def _texts(files: Sequence[TextFile], choice: _Choice, scratch: Path) -> Iterator[str]:
    """Texts of the chosen documents, by hash: copied to a scratch file as they are stored, then read back in order."""
    stored = np.lexsort((choice.rows, choice.files))
    schema = pa.schema([pa.field("text", pa.large_string())])
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder) / "texts.arrow"
        starts = [0]
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for number, file in enumerate(files):
                rows = choice.rows[stored[choice.files[stored] == number]]
                row = 0
                for batch in read_texts(file) if len(rows) else ():
                    chosen = rows[np.searchsorted(rows, row) : np.searchsorted(rows, row + len(batch))] - row
                    row += len(batch)
                    if len(chosen):
                        texts = batch["text"].take(pa.array(chosen)).cast(pa.large_string())
                        writer.write(pa.record_batch([texts], schema=schema))
                        starts.append(starts[-1] + len(chosen))
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            columns = [reader.get_batch(i)["text"] for i in range(reader.num_record_batches)]
            for place in np.argsort(stored):
                batch_number = int(np.searchsorted(starts, place, "right")) - 1
                yield columns[batch_number][int(place) - starts[batch_number]].as_py()
