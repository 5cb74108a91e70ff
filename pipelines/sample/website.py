"""Our own prose, as a small site shows it and as chapters of a book, and pages of the kinds that crawls are full of."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.sample.books import Chapter
from pipelines.sample.pages import COOKIE_NOTICE, fraction
from pipelines.sample.wet import WebPage

_PROSE = Path(__file__).parent / "prose"
_CRAWL_LANGUAGES = {"en": "eng", "de": "deu"}
_LISTS = 6


def essays(language: str) -> list[Chapter]:
    """Our prose as the chapters of a book."""
    texts = [_lines(path) for path in sorted((_PROSE / language).glob("*.txt"))]
    return [Chapter(title, paragraphs) for title, *paragraphs in texts]


def own_pages() -> Iterator[WebPage]:
    """Our prose as a small site would show it, and pages of the kinds that crawls are full of."""
    for language, site in _SITES.items():
        for path in sorted((_PROSE / language).glob("*.txt")):
            title, *lines = _lines(path)
            banner = site.notice if fraction(path.name) < 0.3 else ()
            shown = [f"{title} | {site.name}", *site.menu, *banner, title, *lines, site.footer, *site.menu]
            yield WebPage(f"https://saltandwind.example/{language}/{path.stem}", _CRAWL_LANGUAGES[language], shown)
    for path in sorted((_PROSE / "crawl").glob("*.txt")):
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


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
