"""Wikitext parsers and dump readers side by side, as the tables of docs/wikitext.md.

    python -m benchmarks.wikitext FOLDER      # of *.xml.bz2 dumps; about a minute for 9 MB of wikitext on one core

`mwparserfromhell` and `wikitextparser` are compared where they are installed; each gives its own plain text
(`strip_code()`, `plain_text()`), as a pipeline that used it would start from. Speeds are CPU time on one core.
"""

import argparse
import bz2
import datetime
import importlib
import io
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from filters.wikitext import Page, TooComplexError, plain_text
from pipelines.documents import ReadReport
from pipelines.readers.mediawiki import describe_file_name, read_dump

DATE = datetime.date(2022, 8, 1)
RESIDUE = re.compile(r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}|<ref\b|\bthumb\||''")
FORMULA = re.compile(r"(?is)<(math|chem|ce|code|syntaxhighlight|source|pre|nowiki)\b[^<>]*>.*?</\1\s*>")
# Words and numbers that a sentence carries in a template, and where they stand in it.
VALUES = re.compile(
    r"(?im)^(?![|!{*#;:\s]).*?[\w,.(] \{\{"
    r"(?:(?:convert|cvt|conversie|unité|nobr|nowrap|szám|TA|nombre|fmtn|lang-\w+)\||formatnum:|lang(?:ue)?\|\w+\|)"
    r"([^|{}\[\]<>'&]+)"
)
HARD_PAGES = {
    "`{{a\\|` 20,000 times": "{{a|" * 20_000,
    "`[[a\\|{{b\\|` 10,000 times": "[[a|{{b|" * 10_000,
    "`<ref>` 20,000 times": "<ref>" * 20_000,
    "`{\\|` in lines, 20,000 times": "{|\n|" * 20_000,
}
LIMIT_S = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of .xml.bz2 dumps")
    files = sorted(parser.parse_args().folder.glob("*.xml*.bz2"))
    if not files:
        parser.error("the folder holds no .xml.bz2 file")
    compare_parsers(files)
    compare_readers(files)


def compare_parsers(files: list[Path]) -> None:
    articles = [article for file in files for article in _articles(file)]
    size = sum(len(text.encode()) for _, text in articles) / 1e6
    print(f"\n{len(articles)} articles, {size:.1f} MB of wikitext\n")
    print("| | MB/s | markup left, per MB | values kept | " + " | ".join(HARD_PAGES) + " |")
    print("|---|---|---|---|" + "---|" * len(HARD_PAGES))
    for name, convert in _converters().items():
        start = time.process_time()
        texts = [convert(text, language) for language, text in articles]
        seconds = time.process_time() - start
        residue = sum(
            len(RESIDUE.findall(convert(FORMULA.sub("", text), language))) for language, text in articles
        )  # without code and formulas, where braces are right
        kept = [
            _squeeze(value) in _squeeze(text)
            for text, (_, wikitext) in zip(texts, articles, strict=True)
            for value in VALUES.findall(re.sub(r"(?s)<ref.*?(?:/>|</ref>)|<!--.*?-->|^\{\|.*?^\|\}", "", wikitext))
        ]
        hard = [_limited(convert, page) for page in HARD_PAGES.values()]
        values = f"{sum(kept)} of {len(kept)}"
        print(f"| {name} | {size / seconds:.1f} | {residue / size:.0f} | {values} | {' | '.join(hard)} |")


def _converters() -> dict[str, Callable[[str, str], str]]:
    """Name -> (wikitext, language) -> text."""
    found: dict[str, Callable[[str, str], str]] = {
        "filters.wikitext": lambda text, language: plain_text(text, Page(language, "Title", DATE))
    }
    if hell := _installed("mwparserfromhell"):
        found[f"mwparserfromhell {hell.__version__}"] = lambda text, _: str(hell.parse(text).strip_code())
    if wtp := _installed("wikitextparser"):
        found[f"wikitextparser {wtp.__version__}"] = lambda text, _: str(wtp.parse(text).plain_text())
    return found


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed: left out")
        return None


def _limited(convert: Callable[[str, str], str], page: str) -> str:
    """Seconds that a page nobody would write takes, and "dropped" if it is given up by count."""

    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    start = time.perf_counter()
    try:
        convert(page, "en")
        outcome = ""
    except TooComplexError:
        outcome = ", dropped"
    except TimeoutError:
        return f"over {LIMIT_S} s"
    except RecursionError:
        outcome = ", RecursionError"
    finally:
        signal.alarm(0)
    return f"{time.perf_counter() - start:.1f} s{outcome}"


def compare_readers(files: list[Path]) -> None:
    """Pages of plain XML to titles and texts; bz2 alone beside them."""
    dumps = [(file.name, bz2.decompress(file.read_bytes())) for file in files]
    dumps = [(name, xml) for name, xml in dumps if xml.lstrip().startswith(b"<mediawiki")]
    size = sum(len(xml) for _, xml in dumps) / 1e6
    print(f"\n{len(dumps)} dumps, {size:.1f} MB of XML\n\n| | MB/s |\n|---|---|")
    for name, read in _readers().items():
        start = time.process_time()
        for dump, xml in dumps:
            for _ in read(dump, xml):
                pass
        print(f"| {name} | {size / (time.process_time() - start):.0f} |")
    start = time.process_time()
    for file in files:
        bz2.decompress(file.read_bytes())
    print(f"| bz2 alone | {size / (time.process_time() - start):.0f} |")


def _readers() -> dict[str, Callable[[str, bytes], Iterator[object]]]:
    found: dict[str, Callable[[str, bytes], Iterator[object]]] = {
        "pipelines.readers.mediawiki": lambda name, xml: read_dump(
            io.BytesIO(xml), collection="bench", report=ReadReport(), wiki=describe_file_name(name)[0]
        ),
        "ElementTree.iterparse": lambda _, xml: _iterparse(ElementTree, xml),
    }
    if etree := _installed("lxml.etree"):
        found["lxml.iterparse (resolve_entities=False, huge_tree)"] = lambda _, xml: _iterparse(
            etree, xml, resolve_entities=False, huge_tree=True
        )
    return found


def _iterparse(library: Any, xml: bytes, **options: Any) -> Iterator[object]:
    for _, element in library.iterparse(io.BytesIO(xml), events=("end",), **options):
        if element.tag.endswith("}page"):
            yield element.findtext("{*}title"), element.findtext("{*}revision/{*}text")
            element.clear()


def _articles(file: Path) -> Iterator[tuple[str, str]]:
    """(language, wikitext) of the articles in a dump."""
    with file.open("rb") as stream:
        for batch in read_dump(stream, collection="bench", report=ReadReport(), wiki=describe_file_name(file.name)[0]):
            for metadata, text in zip(batch["metadata"].to_pylist(), batch["text"].to_pylist(), strict=True):
                yield dict(metadata)["language"], text


def _squeeze(text: str) -> str:
    return re.sub(r"\W", "", text)


if __name__ == "__main__":
    main()
