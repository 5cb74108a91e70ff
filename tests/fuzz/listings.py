"""Listings of files, plain and packed."""

import gzip

from pipelines.errors import UserError
from pipelines.listings import listed
from tests.fuzz._inputs import folder

_NAMES = b"crawl-data/CC-MAIN-2019-30/segments/1/wet/a.warc.wet.gz\ncrawl-data/b.gz\r\n\n"
SEEDS = (_NAMES, gzip.compress(_NAMES, mtime=0), b"a\n../b\n", b"https://a.example/b\n/c\n")
MAX_BYTES = 1 << 12


def one_input(data: bytes) -> None:
    """Files at or below the listing's root, or an error of ours."""
    place = folder() / "crawl-data"
    place.mkdir(exist_ok=True)
    path = place / ("wet.paths.gz" if data.startswith(b"\x1f\x8b") else "wet.paths")
    path.write_bytes(data)
    try:
        names = listed(f"{path}#first=3")
    except UserError:
        return
    assert 0 < len(names) <= 3
    assert all(name.startswith(f"{folder()}/") and ".." not in name.split("/") for name in names)
