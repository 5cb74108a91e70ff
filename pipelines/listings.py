"""Listings of files: https has none, so Common Crawl publishes `wet.paths.gz`, a name a line, for what a dump holds."""

import gzip
import io
import zlib

from pipelines import store
from pipelines.errors import UserError

ENDINGS = (".paths", ".paths.gz")
FIRST = "#first="
MAX_BYTES = 256 << 20  # a million names take half of that


def is_listing(path: str) -> bool:
    return path.partition(FIRST)[0].endswith(ENDINGS)


def listed(path: str) -> list[str]:
    """The files that the listing at `path` names, in its order; with `#first=N` behind it the first N.

    Their names start above the listing where it lies below a folder that they start with, as Common Crawl's do below
    `crawl-data/`; otherwise beside it. Raises UserError for a listing that is none, and OSError.
    """
    path, wanted, first = path.partition(FIRST)
    if wanted and not (first.isdecimal() and int(first)):
        raise UserError(f"{path}{wanted}{first}: a whole number above 0 is wanted after {FIRST}")
    data = store.read_bytes(path)
    try:
        if path.endswith(".gz"):
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UserError(f"{path}: a listing of more than {MAX_BYTES:,} bytes: refused as a bomb")
        text = data.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        raise UserError(f"{path}: not a listing of files: broken, or no text") from None
    names = [line.strip() for line in text.splitlines() if line.strip()][: int(first) if wanted else None]
    if not names:
        raise UserError(f"{path}: this listing names no file")
    for name in names:
        if name.startswith("/") or "://" in name or ".." in name.split("/"):
            raise UserError(f"{path}: {name!r} leaves the listing's folder")
    folder = path.rpartition("/")[0]
    roots = {top: _root(folder, top) for top in {name.partition("/")[0] for name in names}}
    return [store.join(roots[name.partition("/")[0]], name) for name in names]


def _root(folder: str, top: str) -> str:
    """The folder in which names that start with `top` lie."""
    return f"{folder}/".partition(f"/{top}/")[0] if f"/{top}/" in f"{folder}/" else folder
