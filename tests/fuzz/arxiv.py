"""An archive of arXiv's, or what one member of it holds, to submissions."""

import gzip
import io
import tarfile
from collections.abc import Iterator

from pipelines.documents import ReadReport, UnreadableInputError
from pipelines.readers.arxiv import read_arxiv
from pipelines.readers.tar import tar_ranges


def _tar(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def one_input(data: bytes) -> None:
    for archive in (data, _tar(("2401/2401.00001.gz", data)), _tar(("2401/2401.00001.gz", gzip.compress(data, 1)))):
        stream = io.BytesIO(archive)
        try:
            whole = [row for b in read_arxiv(stream, collection="", report=ReadReport()) for row in b.to_pylist()]
        except UnreadableInputError:
            continue
        parts = [
            row
            for member_range in tar_ranges(stream, 1_024)
            for b in read_arxiv(stream, collection="", report=ReadReport(), member_range=member_range)
            for row in b.to_pylist()
        ]
        assert parts == whole
        assert all((row["dropped"] is None) == bool(row["files"]) for row in whole)


def seeds() -> Iterator[bytes]:
    paper = b"\\documentclass{a}\\usepackage[latin2]{inputenc}\\begin{document}\xe9\\end{document}"
    inner = _tar(("ms.tex", paper), ("long/" * 30 + "b.sty", b"x"), ("00README.XXX", b"ms.tex toplevelfile"))
    yield _tar(
        ("2401/2401.00001.gz", gzip.compress(inner)), ("0001/math0001001.gz", gzip.compress(paper)), ("a.pdf", b"%PDF")
    )
    yield inner
    yield paper
