"""Text files, gzip and tars to books without their frames."""

import gzip
import io
import tarfile

from filters.books import clean
from filters.nearduplicates import shingles, signature
from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.books import read_books

_BOOK = (
    b"The Project Gutenberg Etext of Nights\r\n\r\nTitle: Nights\r\n\r\nCharacter set encoding: ISO-8859-2\r\n\r\n"
    b"***START**THE SMALL PRINT!**START***\r\n\r\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*END*\r\n\r\n"
    b"Produced by Some One\r\n\r\nIt was a dark night, caf\xe9.\r\n\r\nEnd of Project Gutenberg's Nights\r\n"
)


def _tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("one.txt", "long" * 40 + ".txt"):
            info = tarfile.TarInfo(name)
            info.size = len(_BOOK)
            archive.addfile(info, io.BytesIO(_BOOK))
    return made.getvalue()


SEEDS = (_BOOK, gzip.compress(_BOOK), _tar(), gzip.compress(_tar()))


def one_input(data: bytes) -> None:
    """Anything is read, or refused with UnreadableInputError."""
    try:
        batches = list(read_books(io.BytesIO(data), collection="c", name="n.txt", report=ReadReport()))
    except UnreadableInputError:
        return
    for batch in batches:
        for row in clean(batch).to_pylist():
            assert row["dropped"] or "\r" not in row["text"]
            signature(shingles(row["text"]))
