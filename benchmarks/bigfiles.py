"""Files far larger than a worker's memory: are they read with the memory that is given?

    python -m benchmarks.bigfiles wikipedia --folder /some/folder --memory-mb 300
    python -m benchmarks.bigfiles stackexchange --folder /some/folder --memory-mb 300 --form 7z

writes one file that holds ten times `--memory-mb` of XML: a dump in a single bz2 stream, or a Posts.xml in which every
answer stands half a file behind its question. A run makes clean text of it under that limit, as any run does; then
every task's time and peak memory are printed, and all that was written must have come out.
"""

import argparse
import bz2
import gzip
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import py7zr

from pipelines.commands import engine, run_text
from pipelines.config import Config
from pipelines.tasks import total_counts

TIMES = 10
ANSWERS = 2
SITEINFO = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n<siteinfo>'
    "<dbname>enwiki</dbname><base>https://en.wikipedia.org/wiki/Main_Page</base></siteinfo>\n"
)


class Words:
    """Sentences of made-up words, the same ones every time."""

    def __init__(self) -> None:
        self.draw = random.Random(0)
        words = ["".join(self.draw.choices("aeionrstlmdcu", k=self.draw.randint(2, 9))) for _ in range(20_000)]
        self._lines = [" ".join(self.draw.choices(words, k=40)) for _ in range(20_000)]

    def lines(self, number: int) -> list[str]:
        return self.draw.choices(self._lines, k=number)


def site(megabytes: int) -> tuple[Iterator[str], dict[str, int]]:
    """Posts.xml, about 1 KB a post, and what must come of it: questions, then answers in another order."""
    words, questions = Words(), megabytes * 1_000_000 // (1_120 * (1 + ANSWERS))

    def body() -> str:
        return "&lt;p&gt;" + "&lt;/p&gt;&#xA;&lt;p&gt;".join(words.lines(4)) + "&lt;/p&gt;"

    def text() -> Iterator[str]:
        yield '\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
        for number in range(1, questions + 1):
            [title] = words.lines(1)
            yield f'  <row Id="{number}" PostTypeId="1" Score="3" Title="{title[:60]}" Body="{body()}" />\n'
        for number in range(questions * ANSWERS):
            parent, score = number * 7919 % questions + 1, words.draw.randint(-2, 20)
            yield (
                f'  <row Id="{questions + 1 + number}" PostTypeId="2" ParentId="{parent}" Score="{score}" '
                f'Body="{body()}" />\n'
            )
        yield "</posts>\n"

    return text(), {"kept": questions, "answers": questions * ANSWERS}


def dump(megabytes: int) -> tuple[Iterator[str], dict[str, int]]:
    """A dump of articles of 13 KB or so, and what must come of it. One in a thousand has 2 MB, as few real ones do."""
    words, articles = Words(), megabytes * 1_000_000 // 15_100

    def text() -> Iterator[str]:
        yield SITEINFO
        for number in range(1, articles + 1):
            lines = words.lines(8_000 if number % 1_000 == 0 else 48)
            lines[::4] = (
                f"\n== {line[:20]} ==\n* '''{line[20:40]}''' [[{line[:30]}|{line[30:60]}]] "
                f"{{{{convert|{number}|km|mi}}}} {line}"
                for line in lines[::4]
            )
            paragraphs = "\n".join(lines)
            yield (
                f"  <page><title>Page {number}</title><ns>0</ns><id>{number}</id><revision><id>{number}</id>"
                f"<timestamp>2022-07-01T00:00:00Z</timestamp><text>{paragraphs}</text></revision></page>\n"
            )
        yield "</mediawiki>\n"

    return text(), {"kept": articles}


@dataclass(frozen=True)
class Kind:
    """A source, the file it is given, and what that is to hold."""

    make: Callable[[int], tuple[Iterator[str], dict[str, int]]]
    file: str
    member: str  # its name in a .7z


KINDS = {
    "stackexchange": Kind(site, "big.example.com/Posts.xml", "Posts.xml"),
    "wikipedia": Kind(dump, "enwiki-20220801-pages-articles.xml", "enwiki-20220801-pages-articles.xml"),
}


def write(path: Path, text: Iterator[str], form: str, member: str) -> Path:
    """The text as `form`: bz2 or gzip in a single stream, 7z, or plain."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if form in ("bz2", "gz"):
        path = path.with_name(f"{path.name}.{form}")
        with bz2.open(path, "wt") if form == "bz2" else gzip.open(path, "wt", compresslevel=1) as packed:
            packed.writelines(text)
        return path
    with path.open("w", encoding="utf-8") as plain:
        plain.writelines(text)
    if form == "plain":
        return path
    archived = path.parent.with_suffix(".com.7z") if path.name == "Posts.xml" else path.with_name(f"{path.name}.7z")
    with py7zr.SevenZipFile(archived, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 1}]) as archive:
        archive.write(path, member)
    path.unlink()
    return archived


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=KINDS)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--memory-mb", type=int, default=300)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--form", choices=("plain", "bz2", "gz", "7z"), help="default: bz2 for wikipedia, plain else")
    arguments = parser.parse_args()
    name, kind, megabytes = arguments.source, KINDS[arguments.source], TIMES * arguments.memory_mb
    text, wanted = kind.make(megabytes)
    form = arguments.form or ("bz2" if name == "wikipedia" else "plain")
    path = write(arguments.folder / kind.file, text, form, kind.member)
    print(f"{path}: {path.stat().st_size / 1e6:,.0f} MB of {megabytes:,} MB of XML, {wanted}", flush=True)

    config = Config.model_validate(
        {
            "sources": {name: {"weight": 100, "inputs": {"big": [str(path)]}}},
            "limits": {"memory_mb": arguments.memory_mb},
        }
    )
    out, started = arguments.folder / "out", time.monotonic()
    shutil.rmtree(out, ignore_errors=True)
    records = run_text(config, str(out), engine(config, "direct", arguments.workers, (), str(out))).records
    print(f"{time.monotonic() - started:,.0f} s")
    for stage, done in records.items():
        for key, record in sorted(done.items()):
            seconds = record.run["ended"] - record.run["started"]
            counts = {k: n for k, n in record.counts.items() if n}
            print(f"{stage} {key}: {seconds:,.1f} s, peak {record.run['peak_mb']} MB, {counts}")
    total = total_counts(records[f"{name}.clean"].values())
    if any(total[count] != number for count, number in wanted.items()):
        raise SystemExit(f"{dict(total)} is not {wanted}")
    print(f"all of {wanted}")


if __name__ == "__main__":
    main()
