"""Builds the sample: all seven sources in the layout of the real data, with two broken files among them.

    web/CC-MAIN-SAMPLE-0000N.warc.wet.gz                            crawled pages
    web/CC-MAIN-SAMPLE-{truncated,empty}.warc.wet.gz                broken on purpose
    c4/c4-train.0000N-of-00002.json.gz                              published rows
    github/contents-00000000000N.{json.gz,parquet}                  an export: installed packages as repositories
    github/checkouts.tar                                            small repositories of ours
    wikipedia/enwiki-20220801-pages-articles-multistream.xml.bz2    many bzip2 streams
    wikipedia/dewiki-20220801-pages-articles.xml.bz2                one
    books/                                                          single books and a tar, in several encodings
    arxiv/arXiv_src_2200_001.tar                                    submissions in TeX, and what is none
    stackexchange/<site>.7z, <site>/Posts.xml                       questions and answers
    sample.json                                                     what it was built from, and the files' sizes

The prose, the TeX, the questions and the checkouts are ours. The rest is documentation and code that every installation
has, so the repository holds no one else's text. The same packages give the same bytes: nothing here looks at a clock or
at where the files lie.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import UserError
from pipelines.sample import arxiv, books, c4, github, stackexchange
from pipelines.sample.dump import WikiPage, multistream, single_stream
from pipelines.sample.packages import descriptions, documented_modules, licences, package_versions, topics
from pipelines.sample.pages import article_title, articles, fraction, in_encyclopedia, web_pages
from pipelines.sample.website import essays, own_pages
from pipelines.sample.wet import COLLECTION, WebPage, wet_members

WEB_FILES = 7
ENGLISH_DUMP = "enwiki-20220801-pages-articles-multistream.xml.bz2"
GERMAN_DUMP = "dewiki-20220801-pages-articles.xml.bz2"
_HERE = Path(__file__).parent
_STAMP = "sample.json"
_TRUNCATED_SHARE = 0.01  # of the pages, in the file that is cut short
_C4_SHARE = 0.15  # of the modules whose documentation is crawled


def build_sample(folder: Path) -> dict[str, int]:
    """Build the sample in `folder`, unless it is there already, and say how many pages and characters it has.

    The folder appears whole or not at all. Raises `UserError` where packages are missing (`make setup`), or where
    `folder` holds something else.
    """
    version = _version()
    if (counts := _finished(folder, version)) is not None:
        return counts
    if folder.exists() and not (folder / _STAMP).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} holds something that is not the sample: choose an empty or a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        new = Path(scratch, "new")
        counts = _write(new)
        written = sorted(path for path in new.rglob("*") if path.is_file())
        files = {path.relative_to(new).as_posix(): path.stat().st_size for path in written}
        stamp = {"version": version, "files": files, "counts": counts}
        (new / _STAMP).write_text(json.dumps(stamp, indent=2, sort_keys=True) + "\n")
        new.chmod(0o755)
        if folder.exists():
            folder.rename(Path(scratch, "old"))
        try:
            new.rename(folder)
        except OSError:  # another process was faster: if it made the same, all is well
            if _finished(folder, version) is None:
                raise
    return counts


def _version() -> str:
    """A hash of everything the bytes come from: prose, generator and package versions."""
    state = hashlib.sha256(json.dumps(package_versions(), sort_keys=True).encode())
    for path in sorted(_HERE.rglob("*"), key=Path.as_posix):
        if path.is_file() and path.suffix != ".pyc":
            state.update(path.relative_to(_HERE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def _finished(folder: Path, version: str) -> dict[str, int] | None:
    """The counts of a sample of this version that is complete."""
    try:
        stamp = json.loads((folder / _STAMP).read_bytes())
        whole = all((folder / name).stat().st_size == size for name, size in stamp["files"].items())
        if stamp["version"] == version and whole:
            return {str(name): int(count) for name, count in stamp["counts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _write(folder: Path) -> dict[str, int]:
    web, cleaned, english = list(own_pages()), list[WebPage](), list(_own_articles("en"))
    for module in documented_modules():
        if in_encyclopedia(module):
            english.extend(articles(module))
        elif fraction(f"c4 {module.name}") < _C4_SHARE:
            cleaned.extend(web_pages(module))
        else:
            web.extend(web_pages(module))
    for description in (*descriptions(), *licences()):
        web.extend(web_pages(description))
    rows = list(c4.rows(cleaned))
    english, german = _distinct(english), list(_own_articles("de"))
    sources = {
        "web": _web(web),
        "c4": c4.published(rows),
        "github": {**github.export(), **github.checkouts()},
        "wikipedia": {ENGLISH_DUMP: multistream("en", english), GERMAN_DUMP: single_stream("de", german)},
        "books": books.shelf(essays("en"), essays("de"), books.reference(topics())),
        "arxiv": arxiv.archive(),
        "stackexchange": stackexchange.dumps(sorted(_HERE.glob("questions/*.md"), reverse=True)),
    }
    for source, files in sources.items():
        for name, data in files.items():
            path = folder / source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return {
        "web_pages": len(web),
        "web_characters": sum(len(line) + 1 for page in web for line in page.lines),
        "c4_rows": len(rows),
        "wiki_pages": len(english) + len(german),
        "wiki_characters": sum(len(page.text) for page in (*english, *german)),
    }


def _web(pages: list[WebPage]) -> dict[str, bytes]:
    """Pages in an order fixed by their addresses, dealt to files of about the same size; one cut short, one empty."""
    ordered = sorted({page.url: page for page in pages}.values(), key=lambda page: fraction(page.url))
    cut = round(len(ordered) * _TRUNCATED_SHARE)
    truncated, ordered = ordered[:cut], ordered[cut:]
    total = sum(len(line) for page in ordered for line in page.lines)
    parts: list[list[WebPage]] = [[] for _ in range(WEB_FILES)]
    place = 0
    for page in ordered:
        parts[place * WEB_FILES // total].append(page)
        place += sum(map(len, page.lines))
    named = {f"{COLLECTION}-{number:05}.warc.wet.gz": part for number, part in enumerate(parts)}
    files = {name: b"".join(wet_members(name, part)) for name, part in named.items()}
    name = f"{COLLECTION}-truncated.warc.wet.gz"
    *members, last = wet_members(name, truncated)
    return {
        **files,
        name: b"".join([*members, last[: len(last) // 2]]),
        f"{COLLECTION}-empty.warc.wet.gz": b"",
    }


def _own_articles(language: str) -> Iterator[WikiPage]:
    """Articles, templates, categories and redirects that we wrote as wikitext: the first line is the title."""
    for path in sorted((_HERE / "articles" / language).rglob("*.wiki"), key=Path.as_posix):
        title, _, text = path.read_text(encoding="utf-8").partition("\n")
        yield WikiPage(article_title(title), text.strip())


def _distinct(pages: list[WikiPage]) -> list[WikiPage]:
    return list({page.title: page for page in pages}.values())
