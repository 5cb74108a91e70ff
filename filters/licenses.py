"""Licences: which one a repository has, which are kept, and the headers that repeat them in every file.

The published rule for headers removes every line that looks like a comment at the start of a file, and with them
shebangs, `#include` lines and Markdown headings. Here only sentences go that state a copyright or a licence, out of
comments only (`comments.leading_comments`); whatever else such a comment says stays, word for word.
"""

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import ukkonen
from identify.vendor.licenses import LICENSES

from filters.comments import Comment, leading_comments
from filters.decisions import drop, kept, set_column

KEPT = ("mit", "bsd-2-clause*", "bsd-3-clause*", "apache-2.0")
JOIN = " and "  # between the keys of a repository that has several licences

_MAX_LICENSE_CHARACTERS = 60_000  # the longest that is known has 35,000
_DIFFERENCE = 0.05  # of a licence's characters, as `identify` allows


def keep_licenses(batch: pa.RecordBatch, *, licenses: Sequence[str] = KEPT) -> pa.RecordBatch:
    """Drop files of repositories whose licence is unknown (`license_unknown`) or none of `licenses` (`license`).

    `licenses` are patterns (as in file names) of keys as GitHub has them, such as `bsd-3-clause`. The key stands in the
    metadata under `license`; of several, joined by "and", each must be kept.
    """
    keys = pc.map_lookup(batch["metadata"], "license", "first").to_pylist()
    unknown = [key is None for key in keys]
    other = [key is not None and not _is_kept(key, tuple(licenses)) for key in keys]
    return drop(
        drop(batch, pa.array(unknown).to_numpy(False), "license_unknown"), pa.array(other).to_numpy(False), "license"
    )


@lru_cache(maxsize=4096)
def _is_kept(key: str, patterns: tuple[str, ...]) -> bool:
    return all(any(fnmatchcase(part, p) for p in patterns) for part in key.lower().split(JOIN))


# ---- which licence a text is


def recognise(text: str) -> str | None:
    """The key of the licence that a licence file holds, or None: the one of the licences known to `identify` that it is
    within 5 % of, names of holders, line breaks and punctuation apart.

    The notice that Apache's licence gives for use in its place counts as that licence.
    """
    if len(text) > _MAX_LICENSE_CHARACTERS:
        return None
    words = _license_words(text)
    best: tuple[int, str] | None = None
    for key, template in _templates():
        allowed = int(_DIFFERENCE * len(template))
        if abs(len(words) - len(template)) <= allowed:
            distance = ukkonen.distance(words, template, allowed + 1)
            if distance <= allowed and (best is None or (distance, key) < best):
                best = distance, key
    return best[1] if best else None


_HOLDER = re.compile(r"^\W*(?:copyright\b(?!\s+(?:holders?|owners?|notice|license|and)\b)|\(c\)|©).*$", re.I | re.M)
_TITLE = re.compile(
    r"\A\W*+(?!licen[cs]ed|permission|redistribution|this)(?:the )?[\w .,-]{0,40}\blicen[cs]e\b[^\n]{0,60}\n", re.I
)
_RESERVED = re.compile(r"\ball rights reserved\b", re.I)


def _license_words(text: str) -> str:
    text = _TITLE.sub("", _HOLDER.sub("", text))
    return " ".join(re.findall(r"[a-z0-9]+", _RESERVED.sub("", text).lower()))


@cache
def _templates() -> tuple[tuple[str, str], ...]:
    found = [(key.lower(), _license_words(text)) for key, text in LICENSES]
    # Apache's licence is often given without its appendix, or by the notice that stands there.
    apache = dict(LICENSES)["Apache-2.0"]
    terms = apache[: apache.index("END OF TERMS AND CONDITIONS") + len("END OF TERMS AND CONDITIONS")]
    notice = apache[apache.rindex("Licensed under the Apache License") :]
    return (*found, *(("apache-2.0", _license_words(part)) for part in (terms, notice)))


# ---- the headers of files


def remove_headers(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Take licence and copyright headers out of the kept files' texts.

    Adds `header_removed` (int32): the characters that went. The language stands in the metadata under `language`.
    """
    where = kept(batch)
    languages = pc.map_lookup(batch["metadata"], "language", "first").to_pylist()
    texts = batch["text"].to_pylist()
    removed = [0] * len(texts)
    for row, (text, language) in enumerate(zip(texts, languages, strict=True)):
        if where[row] and _NOTICE.search(text, 0, _HEAD_CHARACTERS):
            texts[row] = remove_header(text, language)
            removed[row] = len(text) - len(texts[row])
    batch = set_column(batch, "text", pa.array(texts, pa.string()))
    return set_column(batch, "header_removed", pa.array(removed, pa.int32()))


_HEAD_CHARACTERS = 20_000
_NOTICE = re.compile(
    r"copyright|licen[cs]e|warrant|©|\(c\)|public domain|rights reserved|redistribut|at your own risk|"
    r"do whatever you want|vorbehalten|reservados|r[ée]serv[ée]s|riservati|права|版权",
    re.I,
)


def remove_header(text: str, language: str | None) -> str:
    """The text without the sentences of its first comments that state a copyright or a licence.

    A comment that says nothing else goes whole, with the blank lines behind it.
    """
    pieces: list[str] = []
    position = 0
    for comment in leading_comments(text, language):
        if comment.start > _HEAD_CHARACTERS:
            break
        said = text[comment.start : comment.end]
        if not _NOTICE.search(said):
            continue
        clean = _clean_comment if len(said) <= _MAX_CACHED else _clean_comment.__wrapped__
        cleaned = clean(said, comment.line, comment.opening, comment.closing)
        if cleaned == said:
            continue
        pieces.append(text[position : comment.start])
        pieces.append(cleaned)
        position = comment.end if cleaned else _after_blank_lines(text, comment)
    return "".join(pieces) + text[position:]


def _after_blank_lines(text: str, comment: Comment) -> int:
    match = _BLANK_LINES.match(text, comment.end)
    return match.end() if match else comment.end


_BLANK_LINES = re.compile(r"(?:[ \t\r\f\v]*\n)*")


@dataclass
class _Line:
    """A comment's line: what marks it as one, what it says, and what closes the comment."""

    before: str
    body: str
    after: str
    removed: bool = False  # some of it, or all

    def render(self) -> str:
        return self.before + self.body + self.after

    @property
    def says_nothing(self) -> bool:
        return not _LETTER.search(self.body)


_LETTER = re.compile(r"[^\W\d_]")
_CLOSED = re.compile(r"\*+\)\s*\Z")  # Pascal's and OCaml's; the marks of others are decoration
_DECORATION = "*#/;%!=~+|<>_-" + string.whitespace
_MAX_CACHED = 8_000  # characters of a comment


@lru_cache(maxsize=4096)  # a repository's files begin alike
def _clean_comment(said: str, line: str | None, opening: str, closing: str) -> str:
    """A comment without its licence and copyright sentences; empty if nothing is left that says something."""
    lines = _parse(said, line, opening, closing)
    for start, end in _paragraphs(lines):
        _clean_paragraph(lines[start:end])
    if not any(one.removed for one in lines):
        return said
    if all(one.says_nothing for one in lines):
        return ""
    return "".join(one.render() for one in _without_gaps(lines, bool(opening)))


def _parse(said: str, line: str | None, opening: str, closing: str) -> list[_Line]:
    marker = re.compile(rf"[ \t]*(?:{line})" if line else r"[ \t]*")
    lines = []
    raw = re.findall(r"[^\n]*\n|[^\n]+\Z", said)
    for number, one in enumerate(raw):
        begin, end = 0, len(one)
        if opening and number == 0:
            begin = one.index(opening) + len(opening)
        elif found := marker.match(one):
            begin = found.end()
        if closing and number == len(raw) - 1:
            end = one.rindex(closing)
        body = _CLOSED.sub("", one[begin:end]).rstrip(_DECORATION)
        end = begin + len(body)
        body = body.lstrip(_DECORATION + ":")
        lines.append(_Line(one[: end - len(body)], body, one[end:]))
    return lines


def _paragraphs(lines: Sequence[_Line]) -> Iterator[tuple[int, int]]:
    """Runs of lines that say something."""
    start = None
    for number, one in enumerate(lines):
        if one.says_nothing:
            if start is not None:
                yield start, number
            start = None
        elif start is None:
            start = number
    if start is not None:
        yield start, len(lines)


def _clean_paragraph(lines: Sequence[_Line]) -> None:
    """Take the licence and copyright sentences out of the lines of one paragraph."""
    spans: list[list[tuple[int, int]]] = [[] for _ in lines]
    sentences = list(_sentences(lines))
    verdicts = [_is_notice(text) for text, _ in sentences]
    for (_, where), gone in zip(sentences, verdicts, strict=True):
        if gone:
            for number, start, end in where:
                spans[number].append((start, end))
    for one, cuts in zip(lines, spans, strict=True):
        if cuts:
            left, position = [], 0
            for start, end in cuts:
                left.append(one.body[position:start])
                position = end
            left.append(one.body[position:])
            rest = "".join(left).strip()
            one.body, one.removed = rest if _LETTER.search(rest) else "", True


_Place = tuple[int, int, int]  # line, first character, end


def _sentences(lines: Sequence[_Line]) -> Iterator[tuple[str, list[_Place]]]:
    """A paragraph's sentences with their places. A copyright line, a directive and a `key: value` line are sentences of
    their own; a line that begins as notices do begins one.
    """
    words: list[str] = []
    places: list[_Place] = []
    continued = False  # the line before is a copyright line that goes on
    indent, mark = 0, ""
    for number, one in enumerate(lines):
        body = one.body
        own = bool(_OWN_LINE.match(body)) or (not places and _is_title(body))
        goes_on = (continued and not own and set(one.before.split()) <= {"*", "#", mark}) and (
            (len(one.before.expandtabs()) > indent and not _STARTS.match(body))
            or _goes_on(lines[number - 1].body, body)
        )
        copyright_ = _COPYRIGHT.match(body) or _DATED_COPYRIGHT.search(body)
        starts = _STARTS.match(body) and not (places and _OPEN.search(lines[number - 1].body))
        if not goes_on and places and (own or starts or (copyright_ and not copyright_.start())):
            yield " ".join(words), places
            words, places = [], []
        if goes_on:
            words.append(body)
            places.append((number, 0, len(body)))
            continue
        if continued and places:
            yield " ".join(words), places
            words, places = [], []
        continued = False
        position = 0
        limit = copyright_.start() if copyright_ else len(body)
        if not own:
            for cut in _cuts(body, limit):
                words.append(body[position:cut])
                places.append((number, position, cut))
                yield " ".join(words), places
                words, places, position = [], [], cut
        else:
            limit = len(body)
            copyright_ = _COPYRIGHT.match(body)
        if position < limit and not (copyright_ and own):
            words.append(body[position:limit])
            places.append((number, position, limit))
        if own or copyright_:
            if places:
                yield " ".join(words), places
            words, places = [], []
        if copyright_:
            start, end = copyright_.start(), len(body)
            if then := _THEN.search(body, copyright_.end()):
                end = then.end()
            words, places = [body[start:end]], [(number, start, end)]
            continued, indent, mark = True, len(one.before.expandtabs()), one.before.strip()
            if end < len(body):
                yield " ".join(words), places
                words, places, continued = [body[end:]], [(number, end, len(body))], False
    if places:
        yield " ".join(words), places


def _goes_on(holder: str, body: str) -> bool:
    """Whether a line goes on with the copyright line before it."""
    if holder[-4:].isdecimal():
        return len(body.split()) <= _HOLDER_WORDS
    return bool(_UNFINISHED.search(holder) or (not holder.endswith(".") and _HOLDERS.match(body)))


def _cuts(body: str, limit: int) -> Iterator[int]:
    """Where a sentence ends inside a line, and at its end."""
    for match in _SENTENCE_END.finditer(body, 0, limit):
        if not _ABBREVIATION.search(body, max(0, match.start() - 12), match.start() + 1):
            yield match.end()


_SENTENCE_END = re.compile(r"[.!?:][\"')\]]*(?:\s+(?=[\"'(]?[^\W\d_a-z])|$)")
_ABBREVIATION = re.compile(r"(?:\b(?:Inc|Corp|Ltd|Co|Jr|Sr|Dr|Mr|St|No|vs|e\.g|i\.e|etc|[A-Z])|\b\d+)\.$")
_UNFINISHED = re.compile(r"(?:[,&-]|\b(?:by|and|the|of))$", re.I)
_OPEN = re.compile(r"\b(?:a|an|and|by|in|of|or|the|this|to|under|with)$", re.I)
_HOLDER_WORDS = 5
_HOLDERS = re.compile(
    r"(?:and|of|by)\b(?=[^:]*$)"
    r"|(?:\S+\s+){0,6}?(?:(?i:all rights reserved)|(?:Inc|Ltd|LLC|GmbH|Corp|Foundation)\b\.?$)"
)
_OWN_LINE = re.compile(
    r"[@\\$:]\w|[A-Za-z][\w-]*(?: [\w-]+){0,2}\s?:(?=\s+\S)|-\*-|vim?:|ex:|(?:go:|\+build|coding[:=]|eslint|"
    r"pylint|type:|noqa|flake8|mypy|fmt:|"
    r"ruff|isort|yapf|clang-format|cython:|distutils:|jshint|globals?\b|prettier|@ts-|frozen_string_literal|cspell)"
)
_STARTS_PATTERN = (
    r"(?:SPDX|Licensed|Distributed|Released|Redistribution|Permission|Use of this|You (?:may|can|should)|Unless|"
    r"See (?:the )?\S*LICEN[SC]E|"
    r"All rights|THE SOFTWARE|THIS SOFTWARE|This (?:source |work|file|program|software|code|library|module|"
    r"package|project|script|product)|"
    r"The (?:MIT|BSD|Apache|ISC|GNU)|(?:MIT|BSD|Apache|ISC|GNU) )"
)
_STARTS = re.compile(_STARTS_PATTERN)
_THEN = re.compile(rf"[.,;)]\s+(?={_STARTS_PATTERN})")
_COPYRIGHT = re.compile(
    r"[@\\:]?(?:(?i:@?author|portions?|parts?|modifications?|revisions?|additions|original code|some parts|l?gpl)"
    r"\s+(?:are\s+|is\s+)?)?"
    r"(?:(?i:copyright(?:ed)?|copr\.)\s*(?::\s*)?(?:(?i:\(c\)|©|&copy;|\bby\b|:)|[-–]?\s*(?:19|20)\d\d|"
    r"(?=[A-Z{<\[$%@])|(?i:the\b)"
    r"|\w[\w .,&'-]{0,60}?\(?(?:19|20)\d\d)"
    r"|(?i:\(c\)|©)\s*(?:(?i:copyright|by)\b|(?:19|20)\d\d|(?=[A-Z]))"
    r"|SPDX-FileCopyrightText:|(?i:copyright)\s*$|copyright file=)"
)
_DATED_COPYRIGHT = re.compile(
    r"(?i:(?:\b(?:portions?|modifications?|revisions?)\s+)?"
    r"(?:\bcopyright(?:ed)?\b,?\s*(?:\(c\)|©|&copy;)?|\(c\)(?:\s+copyright)?|©)[\s,:]*(?:19|20)\d\d|"
    r"\bcopyright\s*(?:\(c\)|©))"
)
_LICENSE_NAMES = (  # blanks are escaped for verbose patterns
    r"(?:mit|x11|bsd|apache|gnu|gpl|lgpl|agpl|isc|mpl|mozilla|boost|zlib|eclipse|epl|cddl|psf|python\ software|"
    r"creative\ commons|cc0|"
    r"unlicense|wtfpl|artistic|w3c|academic|open\ software|free\ software|open\ source|microsoft\ public|ms-pl|bsl|"
    r"business\ source|beer-?ware)"
)
_PHRASES = re.compile(
    rf"""
    spdx-license-identifier | all\ rights\ reserved | permission\ is\ hereby\ granted | permission\ to\ use,?\ copy
    | redistributions?\ and\ use\ in\ source | redistributions?\ (?:of|in)\ (?:source|binary)
    | \b(?:without|no|any|implied|express(?:ed)?|disclaims?\ all)\ (?:\w+\ ){{0,4}}warrant(?:y|ies)\b
    | \bas[ -]is\b["']?\ basis | \blicen[cs]ed\ (?:under|to|by|for\ use|as|with|{_LICENSE_NAMES})\b
    | \b{_LICENSE_NAMES}[ -]licen[cs]ed\b | \bdual[- ]licen[cs]ed\b
    | \b(?:distribut|releas|availabl|provid|publish|cover|govern|us|modif|cop(?:y|ie)|offer|contribut|subject|term|
      condition)\w*\b
      [^.]{{0,60}}\b(?:under|by|to|of|with|in)\b[^.]{{0,80}}\blicen[cs]es?\b
    | \b(?:see|view|refer\ to|consult|read|check|found\ in|accompanying)\ (?:the\ )?(?:\S+\ ){{0,5}}
      ["'`*(]*(?:\S*/)?(?:licen[cs]e|copying|notice|copyright)(?:[\w.-]*\w)?\b
    | \b{_LICENSE_NAMES}[\w\ ,.()/+-]{{0,30}}\blicen[cs]e\b | \blicen[cs]e\ (?:agreement|notice|header|terms|text)\b
    | \bfor\ (?:the\ )?licen[cs]e\ information\b
    | \bthe\ full\ (?:text\ of\ the\ |copyright\ and\ )?licen[cs]e\b | \bexception\ to\ the\ licen[cs]e\b
    | https?://[^\s>]*(?:licen[cs]e|notice|copying) | \bnotice\ to\ (?:licensee|user)s?\b | \blicensed\ deliverables\b
    | \bsubject\ to\b[^.]{{0,60}}\bproperty\ rights\b | \bretains?\ all\b[^.]{{0,60}}\bproperty\b
    | \bgovernment\ end\ users\b | \bcommercial\ computer\ software\b
    | \brepresentations?\ about\ the\ suitability\b | \bat\ your\ own\ risk\b
    | \bshall\ not\ be\ (?:liable|used\ in\ advertising)\b | copyright_?(?:begin|end)\b
    | \b(?:usage|use)\ and\ redistribution\b | \bgranted\ additional\ permissions\b
    | \bthe\ original\ code\ is\b | \bthe\ initial\ developer\b
    | \bthe\ ["'“]licen[cs]e["'”] | you\ should\ have\ received\ a\ copy | \b(?:retain|reproduce)\ the\ above\ copyright
    | \A\W*public\ domain\b | \bis\ public\ domain\b | \bretain\ this\ notice\b | \bdo\ whatever\ you\ want\ with\b
    | \b(?:rechte\ vorbehalten|derechos\ reservados|droits\ r[ée]serv[ée]s|diritti\ riservati)\b
    | все\ права\ защищены | 版权所有 | 保留所有权利
    | \b(?:in|into|to)\ the\ public\ domain\b | \bfree\ software\b.*\bredistribute\b | opensource\.org/licenses |
      gnu\.org/(?:licenses|copyleft)
    | apache\.org/licenses | \bcopyright\ (?:and\ permission\ )?(?:notices?|holders?|owners?)\b | \bpatent\ grant\b
    | \bmay\ not\ be\ (?:copied|used|distributed|reproduced)\b | \bunlawful\b
    """,
    re.I | re.X,
)
_TITLES = re.compile(
    rf"\W*(?:the\s+)?(?:(?:new|modified|simplified|revised|\d-clause)\s+)?{_LICENSE_NAMES}[\w .,()/+-]{{0,40}}\W*"
    rf"|\W*(?:software\s+)?licen[cs]e(?:\s+(?:notice|header|agreement|information))?\W*|\W*@?licen[cs]es?\b.{{0,80}}"
    rf"|[*\W]*(?:begin|end)[\w ]*licen[cs]e block[\w *]*",
    re.I,
)
_TITLE_WORDS = 8
_MAX_SENTENCE = 2_000  # characters
_MIN_WORDS, _SHARE = 5, 0.5


def _is_title(sentence: str) -> bool:
    return bool(
        re.search(r"licen[cs]e", sentence, re.I)
        and len(sentence.split()) <= _TITLE_WORDS
        and _TITLES.fullmatch(sentence)
    )


def _is_notice(sentence: str) -> bool:
    """Whether a sentence states a copyright or a licence; of a long one its first words tell."""
    sentence = sentence[:_MAX_SENTENCE]
    if _COPYRIGHT.match(sentence) or _PHRASES.search(sentence):
        return True
    if _is_title(sentence):
        return True
    words = re.findall(r"[a-z0-9]+", sentence.lower())
    if len(words) < _MIN_WORDS:
        return False
    marked = bytearray(len(words))
    for start in range(len(words) - _RUN + 1):
        if tuple(words[start : start + _RUN]) in _runs():
            marked[start : start + _RUN] = b"\1" * _RUN
    return sum(marked) >= _SHARE * len(words)


_RUN = 4


@cache
def _runs() -> frozenset[tuple[str, ...]]:
    """Every run of four words in the licences that are known."""
    found: set[tuple[str, ...]] = set()
    for _, text in LICENSES:
        words = re.findall(r"[a-z0-9]+", text.lower())
        found.update({tuple(words[start : start + _RUN]) for start in range(len(words) - _RUN + 1)})
    return frozenset(found)


def _without_gaps(lines: Sequence[_Line], block: bool) -> list[_Line]:
    """The lines without those that are empty now, nor the blank ones that stood behind them.

    The first and last line of a block stay: they hold its marks.
    """
    left: list[_Line] = []
    gap = False  # lines went, and nothing was said since
    for number, one in enumerate(lines):
        if block and number in (0, len(lines) - 1):
            if one.removed and not one.body:
                indent = one.before[: len(one.before) - len(one.before.lstrip())]
                one.before, one.after = (indent if number else one.before.rstrip()), one.after.lstrip(" \t")
            left.append(one)
        elif one.removed and not one.body:
            gap = True
        elif one.body or not gap or (left and left[-1].body):
            left.append(one)
            gap = gap and not one.body
    end = len(left) - block
    while gap and end > 1 and not left[end - 1].body:
        end -= 1
        del left[end]
    return left
