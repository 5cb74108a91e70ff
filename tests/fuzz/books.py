"""Text files, gzip and tars to books without their frames."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from filters.books import clean
from filters.nearduplicates import shingles, signature
from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.books import read_books
from tests.fuzz._inputs import mended, tar

_BOOK = (
    b"The Project Gutenberg Etext of Nights\r\n\r\nTitle: Nights\r\n\r\nCharacter set encoding: ISO-8859-2\r\n\r\n"
    b"***START**THE SMALL PRINT!**START***\r\n\r\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*END*\r\n\r\n"
    b"Produced by Some One\r\n\r\nIt was a dark night, caf\xe9.\r\n\r\nEnd of Project Gutenberg's Nights\r\n"
)
_TAR = tar(("one.txt", _BOOK), ("long" * 40 + ".txt", _BOOK), format_=tarfile.PAX_FORMAT)
SEEDS = (_BOOK, gzip.compress(_BOOK, mtime=0), _TAR, gzip.compress(_TAR, mtime=0))
WORDS = (
    b"\n*** START OF THE PROJECT GUTENBERG EBOOK", b"\n*** END OF THIS PROJECT GUTENBERG EBOOK",
    b"\n*** START: FULL LICENSE ***", b"[EBook #12]", b"\nCharacter set encoding: ", b"koi8-r", b"windows-1253",
    b"\nTitle: ", b"\nAuthor: ", b"\nTranscribed by ", b"\xef\xbb\xbf", b"\xff\xfe",
)  # fmt: skip


def real(folder: Path) -> Iterator[bytes]:
    """Where editions begin and end."""
    for path in sorted(folder.glob("books/*.gz"))[::9]:
        book = gzip.decompress(path.read_bytes())
        yield book[:5_000] + book[-1_500:]


def one_input(data: bytes) -> None:
    """Anything is read, or refused with UnreadableInputError."""
    try:
        batches = list(read_books(io.BytesIO(mended(data)), collection="c", name="n.txt", report=ReadReport()))
    except UnreadableInputError:
        return
    for batch in batches:
        for row in clean(batch).to_pylist():
            assert row["dropped"] or "\r" not in row["text"]
            signature(shingles(row["text"]))
