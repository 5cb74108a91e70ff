"""C4 as it is published: JSON lines in gzip, `{text, timestamp, url}` a page."""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from pipelines.sample.archives import gzipped
from pipelines.sample.wet import WebPage, fetched

FILES = 2
_END_MARKS = (".", "?", "!", '"')
_MIN_WORDS, _MIN_LINES = 5, 3


class Row(NamedTuple):
    """A published page."""

    text: str
    timestamp: str
    url: str


def rows(pages: Iterable[WebPage]) -> Iterator[Row]:
    """What C4's rules leave of pages: lines that are sentences, each on one page only."""
    seen: set[str] = set()
    for page in pages:
        lines = [
            line
            for line in dict.fromkeys(map(str.strip, page.lines[1:]))
            if line.endswith(_END_MARKS)
            and len(line.split()) >= _MIN_WORDS
            and not ("{" in line or "cookie" in line)
            and line not in seen
        ]
        if len(lines) >= _MIN_LINES:
            seen.update(lines)
            yield Row("\n".join(lines), fetched(page.url), page.url)


def published(pages: Iterable[Row]) -> dict[str, bytes]:
    """Files by name. The last one holds what no file should: a blank page, a row without a text, and half a row."""
    lines = [json.dumps(row._asdict(), ensure_ascii=False) for row in pages]
    blank = Row(" \n ", fetched("blank"), "https://blank.example/")
    odd = [json.dumps(blank._asdict()), json.dumps({"url": blank.url}), '{"text": "A row that was cut in']
    cuts = [len(lines) * number // FILES for number in range(FILES + 1)]
    parts = [lines[start:end] for start, end in pairwise(cuts)]
    parts[-1] += odd
    return {
        f"c4-train.{number:05}-of-{FILES:05}.json.gz": gzipped("".join(f"{line}\n" for line in part).encode())
        for number, part in enumerate(parts)
    }
