"""Wikipedia dumps as Wikimedia publishes them: MediaWiki export 0.10, in one bzip2 stream or in many (multistream)."""

import bz2
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from xml.sax.saxutils import escape

PAGES_PER_STREAM = 100  # as in the real multistream dumps

NAMESPACES: Mapping[str, Mapping[int, str]] = {
    "en": {
        -2: "Media", -1: "Special", 0: "", 1: "Talk", 2: "User", 3: "User talk", 4: "Wikipedia", 5: "Wikipedia talk",
        6: "File", 7: "File talk", 8: "MediaWiki", 9: "MediaWiki talk", 10: "Template", 11: "Template talk", 12: "Help",
        13: "Help talk", 14: "Category", 15: "Category talk", 100: "Portal", 101: "Portal talk", 118: "Draft",
        119: "Draft talk", 828: "Module", 829: "Module talk",
    },
    "de": {
        -2: "Medium", -1: "Spezial", 0: "", 1: "Diskussion", 2: "Benutzer", 3: "Benutzer Diskussion", 4: "Wikipedia",
        5: "Wikipedia Diskussion", 6: "Datei", 7: "Datei Diskussion", 8: "MediaWiki", 9: "MediaWiki Diskussion",
        10: "Vorlage", 11: "Vorlage Diskussion", 12: "Hilfe", 13: "Hilfe Diskussion", 14: "Kategorie",
        15: "Kategorie Diskussion", 100: "Portal", 101: "Portal Diskussion", 828: "Modul", 829: "Modul Diskussion",
    },
}  # fmt: skip
_HOME = {"en": "Main_Page", "de": "Wikipedia:Hauptseite"}
_REDIRECT = re.compile(r"#(?:REDIRECT|WEITERLEITUNG)\s*\[\[([^\]|#]+)", re.IGNORECASE)


class WikiPage(NamedTuple):
    """A wiki page: its full title, with the namespace, and its source."""

    title: str
    text: str


def single_stream(language: str, pages: Iterable[WikiPage]) -> bytes:
    """A dump as one bzip2 stream."""
    return bz2.compress("".join([_header(language), *_pages(language, pages), _FOOTER]).encode())


def multistream(language: str, pages: Iterable[WikiPage]) -> bytes:
    """A dump as a header's stream, streams of up to a hundred pages, and the end's stream."""
    written = list(_pages(language, pages))
    groups = ["".join(written[at : at + PAGES_PER_STREAM]) for at in range(0, len(written), PAGES_PER_STREAM)]
    return b"".join(bz2.compress(part.encode()) for part in (_header(language), *groups, _FOOTER))


_FOOTER = "</mediawiki>\n"


def _header(language: str) -> str:
    schema = "http://www.mediawiki.org/xml/export-0.10"
    namespaces = "".join(
        f'      <namespace key="{key}" case="first-letter"' + (f">{name}</namespace>\n" if name else " />\n")
        for key, name in NAMESPACES[language].items()
    )
    return (
        f'<mediawiki xmlns="{schema}/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{schema}/ {schema}.xsd" version="0.10" xml:lang="{language}">\n'
        "  <siteinfo>\n"
        "    <sitename>Wikipedia</sitename>\n"
        f"    <dbname>{language}wiki</dbname>\n"
        f"    <base>https://{language}.wikipedia.org/wiki/{_HOME[language]}</base>\n"
        "    <generator>MediaWiki 1.39.0-wmf.22</generator>\n"
        "    <case>first-letter</case>\n"
        f"    <namespaces>\n{namespaces}    </namespaces>\n"
        "  </siteinfo>\n"
    )


def _pages(language: str, pages: Iterable[WikiPage]) -> Iterator[str]:
    """Pages as XML, with ids that grow in order and leave gaps, as deleted pages do."""
    keys = {name: key for key, name in NAMESPACES[language].items() if name}
    page_id = 0
    for title, text in pages:
        seed = int.from_bytes(hashlib.sha256(title.encode()).digest()[:8], "big")
        page_id += 1 + seed % 9
        prefix, colon, _ = title.partition(":")
        redirect = _REDIRECT.match(text)
        model, form = _content(title)
        day = f"2022-{1 + seed % 7:02}-{1 + seed // 7 % 28:02}T{seed // 196 % 24:02}:30:00Z"
        yield (
            "  <page>\n"
            f"    <title>{escape(title)}</title>\n"
            f"    <ns>{keys.get(prefix, 0) if colon else 0}</ns>\n"
            f"    <id>{page_id}</id>\n"
            + (f'    <redirect title="{escape(redirect[1], _QUOTE)}" />\n' if redirect else "")
            + "    <revision>\n"
            f"      <id>{1_000_000_000 + seed % 100_000_000}</id>\n"
            f"      <timestamp>{day}</timestamp>\n"
            "      <contributor>\n"
            "        <username>Altiplano sample</username>\n"
            "        <id>1</id>\n"
            "      </contributor>\n"
            f"      <model>{model}</model>\n"
            f"      <format>{form}</format>\n"
            f'      <text bytes="{len(text.encode())}" xml:space="preserve">{escape(text, _QUOTE)}</text>\n'
            f"      <sha1>{_base36(hashlib.sha1(text.encode(), usedforsecurity=False).digest())}</sha1>\n"
            "    </revision>\n"
            "  </page>\n"
        )


def _content(title: str) -> tuple[str, str]:
    """Content model and format of a page, which follow from its title."""
    if title.startswith(("Module:", "Modul:")):
        return "Scribunto", "text/plain"
    if title.startswith("MediaWiki:") and title.endswith(".js"):
        return "javascript", "text/javascript"
    return "wikitext", "text/x-wiki"


_QUOTE = {'"': "&quot;"}


def _base36(digest: bytes) -> str:
    """MediaWiki's way to write a SHA-1: 31 digits in base 36."""
    number, digits = int.from_bytes(digest, "big"), ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits.zfill(31)
