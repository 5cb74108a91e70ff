"""Books as plain text: bytes to characters, and Project Gutenberg's header, licence and credits taken off.

Gutenberg's frame changed over the decades: a "small print" that ends the header (1991 to 2003); a pair of START and END
lines, whose titles may run over several lines, with the small print (2003) or the licence (since) behind the text.
"""

import codecs
import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from filters.decisions import drop, kept, set_column

HEADER_CHARACTERS = 60_000  # no header is longer: a marker further in belongs to a book about Gutenberg
_SMALL_PRINT_CHARACTERS = 30_000
_CREDIT_PARAGRAPHS, _CREDIT_CHARACTERS = 8, 900

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"(?im)^[ \t]*character set encoding:[ \t]*([^\r\n]{1,40})")
_SINGLE_BYTE = re.compile(r"iso-?8859-\d{1,2}|(?:windows-|cp)\d{3,4}|mac-?roman|koi8-[ru]", re.I)
_CP1252_ONLY, _CP1252_UNDEFINED = re.compile(rb"[\x80-\x9f]"), re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")

_OF_GUTENBERG = r"[ \t]+OF[ \t]+(?:THE|THIS)[ \t]+PROJECT[ \t]+GUTENBERG\b"
_START = re.compile(rf"^[ \t]*\*+[ \t]*START{_OF_GUTENBERG}[^\n]*", re.I | re.M)
_THE_SMALL_PRINT = r"[ \t*]+(?:OF[ \t]+)?(?:THE[ \t]+)?SMALL[ \t]+PRINT"
_SMALL_PRINT = re.compile(rf"^[ \t]*\*+[ \t]*START{_THE_SMALL_PRINT}", re.I | re.M)
_SMALL_PRINT_END = re.compile(rf"^[ \t]*\*+[ \t]*END{_THE_SMALL_PRINT}[^\n]*", re.I | re.M)
_END = re.compile(
    rf"^[ \t]*(?:\*+[ \t]*END{_OF_GUTENBERG}"
    rf"|\*+[ \t]*START{_THE_SMALL_PRINT}"
    r"|\*+[ \t]*START:[ \t]*FULL[ \t]+LICENSE"
    r"|\**(?:this[ \t]+is[ \t]+the[ \t]+)?(?:end|ende|fin|einde|fine)[ \t]+(?:of|de|du|des|dieses|van|di)?[ \t]*"
    r"(?:the[ \t]+|this[ \t]+|het[ \t]+)?proje[ck]t[ \t]+gutenberg(?:'s|’s|[ \t]+e-?(?:text|book)|[ \t]*,))",
    re.I | re.M,
)
_CREDIT = re.compile(
    r"project[ \t\n]+gutenberg|distributed[ \t\n]+proofread|pgdp\.net"
    r"|\b(?:scanned|proofread|transcribed|digitized)[ \t\n]+(?:and[ \t\n]+\w+[ \t\n]+)?by\b"
    r"|\A[\W_]*(?:credits?:|(?:produced|prepared|(?:this[ \t]+)?e-?text|this[ \t]+e-?book|html[ \t]+version)\b"
    r"[^.:]{0,80}\bby\b)",
    re.I,
)
_FIELD = re.compile(r"^(Title|Author|Language):[ \t]*(\S[^\n]{0,300})", re.M)
_NUMBER = re.compile(r"\[\s*E-?(?:text|book)\s*#\s*(\d{1,7})\s*\]", re.I)


def decode(data: bytes) -> tuple[str, str]:
    """A file's characters, and the encoding they were in.

    A byte order mark is believed, and so is UTF-8 wherever it fits, but for a few damaged characters; then a
    single-byte encoding that Gutenberg's header names; then it is CP1252 if it has characters where Latin-1 has
    controls, else Latin-1.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.removeprefix(mark).decode(name, "replace"), name
    if data.isascii():
        return data.decode("ascii"), "ascii"
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if 10 * damaged < len(_NOT_ASCII.findall(text)) - damaged:
        return text, "utf-8"
    declared = _DECLARED.search(data[:HEADER_CHARACTERS])
    if declared and (match := _SINGLE_BYTE.search(declared[1].decode("latin-1"))):
        name = match[0].lower()
        try:
            if codecs.lookup(name).name != "iso8859-1":
                return data.decode(name), name
        except (LookupError, UnicodeDecodeError):
            pass
    if _CP1252_ONLY.search(data) and not _CP1252_UNDEFINED.search(data):
        return data.decode("cp1252"), "cp1252"
    return data.decode("latin-1"), "latin-1"


def describe(text: str) -> Mapping[str, str]:
    """What Gutenberg's header says of a book: `title`, `author`, `language`, `gutenberg_id`; empty without a header."""
    head = text[:HEADER_CHARACTERS].replace("\r\n", "\n")
    if "utenberg" not in head:
        return {}
    found = {name.lower(): value.strip() for name, value in reversed(_FIELD.findall(head[: _header_end(head) or None]))}
    if number := _NUMBER.search(head):
        found["gutenberg_id"] = number[1]
    return found


def clean(batch: pa.RecordBatch, *, min_characters: int = 1) -> pa.RecordBatch:
    """Rewrites `text` to the book alone, with newlines as newlines and without control characters.

    Dropped: `no_text_left`, and under `min_characters` characters `too_short`.
    """
    texts = batch["text"].to_pylist()
    where = kept(batch)
    for row in where.nonzero()[0]:
        texts[row] = strip_frame(texts[row])
    batch = set_column(batch, "text", pa.array(texts, pa.string()))
    length = pc.utf8_length(batch["text"]).to_numpy(zero_copy_only=False)
    return drop(drop(batch, length == 0, "no_text_left"), length < min_characters, "too_short")


def strip_frame(text: str) -> str:
    """The book without what Gutenberg put around it; a text without Gutenberg's markers loses nothing but controls.

    A file of several books, each in its own frame, gives them one after the other.
    """
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    start, pieces = _header_end(text), []
    while True:
        end = _END.search(text, start)
        piece = text[start : end.start() if end else None].strip("\n").rstrip()
        pieces.append(_without_credits(piece) if start else piece)
        again = _START.search(text, end.end()) if end else None
        if again is None:
            break
        start = _after(text, again)
    return "\n\n".join(filter(None, pieces))


def _header_end(text: str) -> int:
    """Where the header ends; 0 for a text without one."""
    start = _START.search(text, 0, HEADER_CHARACTERS)
    end = _after(text, start) if start else 0
    small_print = _SMALL_PRINT.search(text, end, end + _SMALL_PRINT_CHARACTERS)
    foot = _END.search(text, end)
    if small_print is None or foot is None or foot.start() < small_print.start():
        return end
    last = _SMALL_PRINT_END.search(text, small_print.end(), small_print.end() + _SMALL_PRINT_CHARACTERS)
    return last.end() if last else end


def _after(text: str, marker: re.Match[str]) -> int:
    """The end of a START line, whose title may go on for some lines, up to its stars."""
    end = marker.end()
    for _ in range(4):
        if text[end - 1] == "*":
            return end
        end = text.find("\n", end + 1)
        if end < 0:
            break
    return marker.end()


def _without_credits(text: str) -> str:
    """The text without the notes of those who made the file, which follow the header."""
    for _ in range(_CREDIT_PARAGRAPHS):
        paragraph, _, rest = text.partition("\n\n")
        if len(paragraph) > _CREDIT_CHARACTERS or not _CREDIT.search(paragraph):
            break
        text = rest.strip("\n")
    return text
