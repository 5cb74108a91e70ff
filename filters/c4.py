"""C4's rules for English web pages (Raffel et al. 2020, arXiv 1910.10683, section 2.2), in the order and with the
parameters of the code that made the released data set: the paper's text swaps the two minimums.

    address, once -> length -> lines -> phrases -> sentences -> repeated lines -> sentences -> language
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from langdetect import PROFILES_DIRECTORY
from langdetect.detector_factory import DetectorFactory
from langdetect.lang_detect_exception import LangDetectException

from filters.decisions import BoolArray, drop, kept, scatter, set_column
from filters.duplicates import Keys, keys_of

MAX_PAGE_CHARACTERS = 190_000
MAX_WORD_CHARACTERS = 1_000
MIN_WORDS = 5
MIN_SENTENCES = 3
MIN_LANGUAGE_SCORE = 0.99

CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
END_MARKS = (".", "?", "!", '"')
ELLIPSIS = "..."
SCRIPT = "javascript"
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
PLACEHOLDER = "lorem ipsum"
BRACE = "{"

_EARLY = ("lorem_ipsum", "brace")  # why a page is dropped before its last line is looked at
LINE_REASONS = ("long_word", "no_end_mark", "few_words", "javascript", "policy")
COUNTED = tuple(pa.field(name, pa.int32()) for name in ("lines_kept", *(f"lines_{reason}" for reason in LINE_REASONS)))
REPEATED = pa.field("lines_repeated", pa.int32())
LANGUAGE = (pa.field("language", pa.string()), pa.field("language_score", pa.float32()))


def normal_url(url: str) -> str:
    """An address without what does not tell pages apart: scheme, `www.`, letter case of the host, default ports, the
    fragment, a final slash.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:  # a malformed address is itself
        return url.strip()
    if port not in (None, 80, 443):
        host = f"{host}:{port}"
    return urlunsplit(("", host.removeprefix("www."), parts.path.rstrip("/"), parts.query, "")).removeprefix("//")


def url_keys(batch: pa.RecordBatch) -> Keys:
    """The keys of the kept pages' addresses, in their order; a page without one is like no other."""
    where = pa.array(kept(batch))
    urls = pc.map_lookup(batch["metadata"], "url", "first").filter(where).to_pylist()
    ids = batch["id"].filter(where).to_pylist()
    return keys_of(normal_url(url) if url else id_ for url, id_ in zip(urls, ids, strict=True))


def keep_pages(batch: pa.RecordBatch, *, max_characters: int = MAX_PAGE_CHARACTERS) -> pa.RecordBatch:
    """Drop pages of more characters than that: `page_too_long`."""
    return drop(
        batch, pc.greater(pc.utf8_length(batch["text"]), max_characters).to_numpy(zero_copy_only=False), "page_too_long"
    )


def clean_pages(
    batch: pa.RecordBatch,
    *,
    bad_words: "BadWords | None" = None,
    min_words: int = MIN_WORDS,
    min_sentences: int = MIN_SENTENCES,
    max_word_characters: int = MAX_WORD_CHARACTERS,
) -> pa.RecordBatch:
    """The rules for lines, and those for pages that look at the lines that are left.

    Adds `COUNTED` (int32): lines kept, and lines left out by reason. Drops `lorem_ipsum`, `brace`, `bad_word`,
    `few_sentences`.
    """
    where = kept(batch)
    texts = batch["text"].to_pylist()
    reasons: list[str | None] = [None] * len(texts)
    counts = []
    for row in np.flatnonzero(where):
        left, reasons[row], counted = _clean_page(texts[row], min_words, min_sentences, max_word_characters)
        if reasons[row] not in _EARLY:  # such a page is shown as it was
            texts[row] = left
        counts.append(counted)
    batch = set_column(batch, "text", pa.array(texts, pa.string()))
    for field, values in zip(COUNTED, zip(*counts, strict=True) if counts else ([],) * len(COUNTED), strict=True):
        batch = set_column(batch, field.name, scatter(list(values), where, field.type))
    if bad_words is not None:
        # A page that is dropped for its sentences may hold a bad word too: that is what it says then.
        early = np.array([reason in _EARLY for reason in reasons], bool)
        says = bad_words.found(batch["text"]) & ~early
        reasons = ["bad_word" if bad else reason for bad, reason in zip(says, reasons, strict=True)]
    for reason in ("lorem_ipsum", "brace", "bad_word", "few_sentences"):
        batch = drop(batch, np.array([r == reason for r in reasons], bool), reason)
    return batch


def _clean_page(
    text: str, min_words: int, min_sentences: int, max_word: int
) -> tuple[str, str | None, tuple[int, int, int, int, int, int]]:
    """The page's lines that are left, why it is dropped if it is, and `COUNTED`."""
    lower = text.lower()
    notices = [phrase for phrase in POLICIES if phrase in lower]  # most pages have none: then no line is searched
    script, placeholder, citations = SCRIPT in lower, PLACEHOLDER in lower, "[" in text
    lines: list[str] = []
    long_word = no_end_mark = few_words = javascript = policy = 0
    reason = None
    for line in text.split("\n"):
        line = line.strip()
        if not line:
            continue
        if len(line) > max_word and max(map(len, line.split())) > max_word:
            long_word += 1
            continue
        if citations:
            line = CITATION.sub("", line)
        if not line.endswith(END_MARKS) or line.endswith(ELLIPSIS):
            no_end_mark += 1
            continue
        if len(line.split()) < min_words:
            few_words += 1
            continue
        if placeholder and PLACEHOLDER in line.lower():
            reason = "lorem_ipsum"
            break
        if script and SCRIPT in line.lower():
            javascript += 1
            continue
        if BRACE in line:
            reason = "brace"
            break
        if notices and any(phrase in line.lower() for phrase in notices):
            policy += 1
            continue
        lines.append(line)
    if reason is None and not has_sentences(lines, min_sentences):
        reason = "few_sentences"
    counted = (len(lines), long_word, no_end_mark, few_words, javascript, policy)
    return "\n".join(lines), reason, counted


# ---- sentences

_BREAK = re.compile(r"""[.?!][)\]"'’”»]*\s+(?=["'“‘«(\[]*[^\W_a-z])""")
_NO_BREAK = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Mt|Ft|Gen|Col|Lt|Capt|Sgt|Rep|Sen|Gov|Rev|Hon|Messrs|vs|No|Nos|Vol|Fig|Figs|Inc|Ltd|Co|Corp|Bros|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thurs?|Fri|Sat|Sun|approx|etc|al|cf|ca|dept|est|ext|pp?|viz|e\.g|i\.e|"
    r"a\.m|p\.m|U\.S|U\.K|U\.N|D\.C|Ph\.D)|(?:^|[\s(.])[^\W\d_])\.$"
)
_ABBREVIATION_CHARACTERS = 12


def count_sentences(line: str, enough: int) -> int:
    """How many sentences a line has, counted up to `enough`; an abbreviation or an initial ends none."""
    number = 1
    for match in _BREAK.finditer(line):
        if number >= enough:
            break
        stop = match.start() + 1
        number += not _NO_BREAK.search(line, max(0, stop - _ABBREVIATION_CHARACTERS), stop)
    return number


def has_sentences(lines: Sequence[str], minimum: int) -> bool:
    """Whether the lines have so many sentences together; each has one at least."""
    missing = minimum - len(lines)
    for line in lines:
        if missing <= 0:
            break
        missing -= count_sentences(line, missing + 1) - 1
    return missing <= 0


def keep_sentences(batch: pa.RecordBatch, *, min_sentences: int = MIN_SENTENCES) -> pa.RecordBatch:
    """Drop pages with fewer sentences: `few_sentences`."""
    few = [not has_sentences(text.split("\n") if text else [], min_sentences) for text in batch["text"].to_pylist()]
    return drop(batch, np.array(few, bool), "few_sentences")


# ---- words


class BadWords:
    """Finds listed words and phrases that stand between characters that are no letters, digits or underscores."""

    def __init__(self, words: Sequence[str]) -> None:
        alternatives = "|".join(_quoted(word) for word in sorted({w.strip().lower() for w in words} - {""}))
        self._pattern = rf"(?:^|[^\pL\pN_])(?:{alternatives})(?:[^\pL\pN_]|$)" if alternatives else r"[^\s\S]"

    def found(self, texts: pa.Array) -> BoolArray:
        """A bool for each text."""
        says = pc.match_substring_regex(pc.utf8_lower(texts), self._pattern)
        return says.to_numpy(zero_copy_only=False)


def _quoted(word: str) -> str:
    return re.sub(r"([!-/:-@\[-^`{-~])", r"\\\1", word)  # RE2 takes only ASCII marks behind a backslash


# ---- lines that are repeated across pages


def line_keys(batch: pa.RecordBatch) -> tuple[Keys, np.ndarray[Any, np.dtype[np.int64]]]:
    """The keys of the kept pages' lines, lower-cased, and where each page's begin: shape (rows + 1,)."""
    lines: list[str] = []
    offsets = [0]
    for text, keep in zip(batch["text"].to_pylist(), kept(batch), strict=True):
        if keep and text:
            lines.extend(map(str.strip, text.lower().split("\n")))
        offsets.append(len(lines))
    return keys_of(lines), np.array(offsets, np.int64)


def remove_lines(
    batch: pa.RecordBatch, offsets: np.ndarray[Any, np.dtype[np.int64]], removed: BoolArray
) -> pa.RecordBatch:
    """The batch without the lines that `removed` marks, in the order of `line_keys`.

    Adds `lines_repeated` and takes them off `lines_kept`; a page left empty is dropped as `no_lines_left`.
    """
    where = kept(batch)
    texts = batch["text"].to_pylist()
    before = np.concatenate(([0], np.cumsum(removed)))
    gone = before[offsets[1:]] - before[offsets[:-1]]
    for row in np.flatnonzero(gone):
        lines = zip(texts[row].split("\n"), removed[offsets[row] : offsets[row + 1]], strict=True)
        texts[row] = "\n".join(line for line, repeated in lines if not repeated)
    batch = set_column(batch, "text", pa.array(texts, pa.string()))
    batch = set_column(batch, REPEATED.name, scatter(gone[where].astype(np.int32), where, REPEATED.type))
    left = pc.subtract(batch["lines_kept"], pc.fill_null(batch[REPEATED.name], 0))
    batch = set_column(batch, "lines_kept", left)
    return drop(batch, pc.equal(pc.binary_length(batch["text"]), 0).to_numpy(zero_copy_only=False), "no_lines_left")


# ---- language


class Detector(Protocol):
    """langdetect's factory of detectors, of which this is what we use."""

    def create(self) -> Any: ...


@lru_cache(maxsize=1)
def load_language_detector() -> Detector:
    """langdetect with its 55 profiles, seeded: without a seed, every score changes between two calls."""
    factory = DetectorFactory()
    factory.load_profile(PROFILES_DIRECTORY)
    factory.set_seed(0)
    return factory


def keep_english(batch: pa.RecordBatch, *, detector: Detector, min_score: float = MIN_LANGUAGE_SCORE) -> pa.RecordBatch:
    """Drop pages that langdetect does not take for English (`language`), or not surely enough (`language_score`).

    Adds `language` (its first choice) and `language_score`, rounded to 4 digits. A detector is seeded anew for each
    page, so that a page's score depends on nothing else.
    """
    where = kept(batch)
    found = [_detect(text, detector) for text in batch["text"].filter(pa.array(where)).to_pylist()]
    languages, scores = [language for language, _ in found], [score for _, score in found]
    batch = set_column(batch, "language", scatter(languages, where, pa.string()))
    batch = set_column(batch, "language_score", scatter(np.array(scores, np.float32).round(4), where, pa.float32()))
    batch = drop(batch, where & np.array([code != "en" for code in batch["language"].to_pylist()], bool), "language")
    scored = batch["language_score"].to_numpy(zero_copy_only=False)
    return drop(batch, scored < np.float32(min_score), "language_score")


def _detect(text: str, detector: Detector) -> tuple[str | None, float]:
    one = detector.create()
    one.append(text)
    try:
        best = one.get_probabilities()[0]
    except (LangDetectException, IndexError):  # nothing in it that tells, or nothing likely
        return None, 0.0
    return best.lang, best.prob
