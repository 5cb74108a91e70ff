"""Builds the sample: WET files and Wikipedia dumps in the layout of the real data, with two broken files among them.

    web/CC-MAIN-SAMPLE-0000N.warc.wet.gz                            crawled pages
    web/CC-MAIN-SAMPLE-{truncated,empty}.warc.wet.gz                broken on purpose
    wikipedia/enwiki-20220801-pages-articles-multistream.xml.bz2    many bzip2 streams
    wikipedia/dewiki-20220801-pages-articles.xml.bz2                one
    sample.json                                                     what it was built from, and the files' sizes

The prose is ours. The rest is documentation that every installation has, so the repository holds no one else's text.
The same packages give the same bytes: nothing here looks at a clock or at where the files lie.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.errors import UserError
from pipelines.sample.dump import WikiPage, multistream, single_stream
from pipelines.sample.packages import descriptions, documented_modules, licences, package_versions
from pipelines.sample.pages import COOKIE_NOTICE, article_title, articles, fraction, in_encyclopedia, web_pages
from pipelines.sample.wet import COLLECTION, WebPage, wet_members

WEB_FILES = 7
ENGLISH_DUMP = "wikipedia/enwiki-20220801-pages-articles-multistream.xml.bz2"
GERMAN_DUMP = "wikipedia/dewiki-20220801-pages-articles.xml.bz2"
_HERE = Path(__file__).parent
_STAMP = "sample.json"
_TRUNCATED_SHARE = 0.01  # of the pages, in the file that is cut short
_CRAWL_LANGUAGES = {"en": "eng", "de": "deu"}
_LISTS = 6


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
        if path.suffix in {".py", ".txt", ".wiki"}:
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
    for name in ("web", "wikipedia"):
        (folder / name).mkdir(parents=True)
    web, english = list(_own_pages()), list(_own_articles("en"))
    for module in documented_modules():
        if in_encyclopedia(module):
            english.extend(articles(module))
        else:
            web.extend(web_pages(module))
    for description in (*descriptions(), *licences()):
        web.extend(web_pages(description))
    german = list(_own_articles("de"))
    _write_web(folder / "web", web)
    english = _distinct(english)
    (folder / ENGLISH_DUMP).write_bytes(multistream("en", english))
    (folder / GERMAN_DUMP).write_bytes(single_stream("de", german))
    return {
        "web_pages": len(web),
        "web_characters": sum(len(line) + 1 for page in web for line in page.lines),
        "wiki_pages": len(english) + len(german),
        "wiki_characters": sum(len(page.text) for page in (*english, *german)),
    }


def _write_web(folder: Path, pages: list[WebPage]) -> None:
    """Pages in an order fixed by their addresses, dealt to files of about the same size."""
    ordered = sorted({page.url: page for page in pages}.values(), key=lambda page: fraction(page.url))
    cut = round(len(ordered) * _TRUNCATED_SHARE)
    truncated, ordered = ordered[:cut], ordered[cut:]
    total = sum(len(line) for page in ordered for line in page.lines)
    files: list[list[WebPage]] = [[] for _ in range(WEB_FILES)]
    place = 0
    for page in ordered:
        files[place * WEB_FILES // total].append(page)
        place += sum(map(len, page.lines))
    for number, part in enumerate(files):
        name = f"{COLLECTION}-{number:05}.warc.wet.gz"
        (folder / name).write_bytes(b"".join(wet_members(name, part)))
    name = f"{COLLECTION}-truncated.warc.wet.gz"
    members = wet_members(name, truncated)
    last = members[-1]
    (folder / name).write_bytes(b"".join([*members[:-1], last[: len(last) // 2]]))
    (folder / f"{COLLECTION}-empty.warc.wet.gz").touch()


def _own_pages() -> Iterator[WebPage]:
    """Our prose as a small site would show it, and pages of the kinds that crawls are full of."""
    for language, site in _SITES.items():
        for path in sorted((_HERE / "prose" / language).glob("*.txt")):
            title, *lines = _lines(path)
            banner = site.notice if fraction(path.name) < 0.3 else ()
            shown = [f"{title} | {site.name}", *site.menu, *banner, title, *lines, site.footer, *site.menu]
            yield WebPage(f"https://saltandwind.example/{language}/{path.stem}", _CRAWL_LANGUAGES[language], shown)
    for path in sorted((_HERE / "prose" / "crawl").glob("*.txt")):
        name, language = path.stem.rsplit(".", 1)
        for address in (name, f"{name}?ref=newsletter"):  # crawlers fetch one page under several addresses
            yield WebPage(f"https://shop.example/{address}", _CRAWL_LANGUAGES[language], _lines(path))
    for number in range(1, _LISTS + 1):
        lines = [f"Spare parts, list {number} of {_LISTS}", *_parts(number)]
        yield WebPage(f"https://parts.example/list/{number}", "eng", lines)


class _Site(NamedTuple):
    name: str
    menu: tuple[str, ...]
    notice: tuple[str, ...]
    footer: str


_SITES = {
    "en": _Site(
        "Salt and Wind",
        ("Home", "Essays", "Archive", "About", "Subscribe"),
        COOKIE_NOTICE,
        "Written for the readers of Salt and Wind.",
    ),
    "de": _Site(
        "Salz und Wind",
        ("Startseite", "Aufsätze", "Archiv", "Impressum"),
        (
            "Diese Seite verwendet Cookies",
            "Wir verwenden Cookies, um uns zu merken, wie Sie diese Seiten gern lesen. "
            "Wer weiterliest, stimmt unserer Richtlinie zu.",
            "Alle annehmen",
            "Nur notwendige",
        ),
        "Geschrieben für die Leser von Salz und Wind.",
    ),
}


def _parts(number: int) -> Iterator[str]:
    """A list of codes and numbers: text that no language model expects."""
    for row in range(150):
        code = hashlib.sha256(f"{number} {row}".encode()).hexdigest().upper()
        part, quantity, price = int(code[3:8], 16), int(code[10:12], 16), int(code[14:17], 16)
        yield f"{code[:3]}-{part}/{code[8:10]} qty {quantity} bin {code[12:14]} EUR {price}.90"


def _own_articles(language: str) -> Iterator[WikiPage]:
    """Articles, templates, categories and redirects that we wrote as wikitext: the first line is the title."""
    for path in sorted((_HERE / "articles" / language).rglob("*.wiki"), key=Path.as_posix):
        title, _, text = path.read_text(encoding="utf-8").partition("\n")
        yield WikiPage(article_title(title), text.strip())


def _distinct(pages: list[WikiPage]) -> list[WikiPage]:
    return list({page.title: page for page in pages}.values())


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
