"""Gutenberg's frame off, characters right."""

import gzip
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.books import clean, decode, describe, strip_frame

BODY = "CHAPTER I\n\n  It was a dark night.\nThe end of the first book.\n\nCHAPTER II\n\nEnd of the story."
SMALL_PRINT = (
    "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\nWhy is this here?\n\n"
    "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n"
)
LICENSE = "*** START: FULL LICENSE ***\n\nTHE FULL PROJECT GUTENBERG LICENSE\n"
FRAMES = {
    "1991": (f"**Welcome To The World of Etexts**\n\n[Etext #84]\n\n{SMALL_PRINT}", ""),
    "1997": (
        f"The Project Gutenberg Etext of Nights\n\n{SMALL_PRINT}[Portions of this header are copyright by Project\n"
        "Gutenberg.]\n\nThe Project Gutenberg Etext of Nights",
        "End of The Project Gutenberg Etext of Nights",
    ),
    "2002": (
        "**Welcome**\n\nTitle: Nights\n\n*** START OF THE PROJECT GUTENBERG EBOOK, NIGHTS ***",
        f"*** END OF THE PROJECT GUTENBERG EBOOK, NIGHTS ***\n\n{SMALL_PRINT}",
    ),
    "2004": (
        "Title: Nights\n\n*** START OF THIS PROJECT GUTENBERG EBOOK NIGHTS ***\n\n\nProduced by Some One and the\n"
        "Online Distributed Proofreading Team.",
        "End of Project Gutenberg's Nights, by Some One\n\n*** END OF THIS PROJECT GUTENBERG EBOOK NIGHTS ***\n"
        + LICENSE,
    ),
    "2006, over two lines": (
        "***START OF THE PROJECT GUTENBERG EBOOK A LONG STORY OF MANY\nNIGHTS***\n\n\nE-text prepared by Some One",
        "***END OF THE PROJECT GUTENBERG EBOOK A LONG STORY OF MANY\nNIGHTS***\n\n" + LICENSE,
    ),
    "2021": (
        "The Project Gutenberg eBook of Nights\n\n*** START OF THE PROJECT GUTENBERG EBOOK NIGHTS ***",
        "*** END OF THE PROJECT GUTENBERG EBOOK NIGHTS ***\n\nSTART: FULL LICENSE\n",
    ),
    "small print behind START": (
        f"*** START OF THE PROJECT GUTENBERG EBOOK NIGHTS ***\n\n{SMALL_PRINT}",
        "End of Project Gutenberg Etext of Nights",
    ),
    "license alone": ("", LICENSE),
    "German": (f"{SMALL_PRINT}", "Ende dieses Projekt Gutenberg Etextes Nights"),
    "French": ("*** START OF THIS PROJECT GUTENBERG EBOOK NIGHTS ***", "Fin de Project Gutenberg Etext of Nights"),
    "none": ("", ""),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_frame_comes_off_and_nothing_else(frame, newline):
    header, footer = frame
    text = f"{header}\n\n\n{BODY}\n\n\n{footer}\n".replace("\n", newline)
    assert strip_frame(text) == BODY


def test_several_framed_books_in_one_file_all_stay():
    header, footer = FRAMES["2004"]
    assert strip_frame(f"{header}\n\none\n\n{footer}\n\n{header}\n\ntwo\n\n{footer}") == "one\n\ntwo"


def test_a_marker_deep_in_a_book_begins_no_header():
    text = "A history of free books. " * 4_000 + "\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\nmore"
    assert strip_frame(text) == text


def test_a_small_print_with_nothing_behind_it_takes_no_book_along():
    assert strip_frame("A story.\n" * 5_000 + SMALL_PRINT) == ("A story.\n" * 5_000).rstrip()


@given(st.text(st.characters(codec="utf-8", exclude_characters="*\r", exclude_categories=["Cc"])))
def test_a_text_without_markers_loses_only_the_blanks_around_it(text):
    if not re.search("gutenberg", text, re.IGNORECASE):
        assert strip_frame(text) in (text.strip("\n").rstrip().replace("\ufeff", ""), strip_frame(text.rstrip()))


@given(st.lists(st.sampled_from([*(part for frame in FRAMES.values() for part in frame), BODY, "*" * 50, "x " * 99])))
def test_any_order_of_markers_ends_with_no_more_text_than_there_was(parts):
    text = "\n\n".join(parts)
    assert len(strip_frame(text)) <= len(text)


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"plain", "plain", "ascii"),
        ("\ufeffcafé".encode(), "café", "utf-8"),
        ("café “x”".encode(), "café “x”", "utf-8"),
        ("café".encode("latin-1"), "café", "latin-1"),
        ("café “x”".encode("cp1252"), "café “x”", "cp1252"),
        ("\ufeffcafé".encode("utf-16-le"), "café", "utf-16-le"),
        (("é" * 30).encode() + b"\xff!", "é" * 30 + "\ufffd!", "utf-8"),
        (b"\x81\xe9", "\x81é", "latin-1"),
        (b"Character set encoding: ISO-8859-2\n\xb1", "Character set encoding: ISO-8859-2\ną", "iso-8859-2"),
        (b"Character set encoding: ISO-8859-1\n\x93\xe9", "Character set encoding: ISO-8859-1\n“é", "cp1252"),
        (b"Character set encoding: ISO-8859-99\n\xe9", "Character set encoding: ISO-8859-99\né", "latin-1"),
    ],
)
def test_encodings(data, text, encoding):
    assert decode(data) == (text, encoding)


@given(st.binary())
def test_any_bytes_have_some_encoding(data):
    text, encoding = decode(data)
    assert isinstance(text, str)
    assert encoding


def test_a_header_describes_its_book_and_a_book_does_not():
    header = "The Project Gutenberg EBook\n\nTitle: Nights\r\nAuthor: Some One\n\n[EBook #84]\nLanguage: English\n\n"
    text = header + "*** START OF THE PROJECT GUTENBERG EBOOK X ***\nTitle: not this\n"
    assert describe(text) == {"title": "Nights", "author": "Some One", "language": "English", "gutenberg_id": "84"}
    assert describe("Title: a play\n\nA play.") == {}


def test_what_has_no_text_left_is_dropped():
    header, footer = FRAMES["2004"]
    texts = [f"{header}\n\n{footer}", "tiny", BODY, header]
    columns = {"text": texts, "dropped": pa.array([None, None, None, "too_large"], pa.string())}
    batch = clean(pa.record_batch(columns), min_characters=5)
    assert batch["dropped"].to_pylist() == ["no_text_left", "too_short", None, "too_large"]
    assert batch["text"][2].as_py() == BODY


def test_real_editions_lose_gutenbergs_words_and_keep_their_last(shared_data):
    checked = 0
    for path in sorted((shared_data / "books").glob("*.gz")):
        data = gzip.decompress(path.read_bytes())
        text, _ = decode(data)
        body = strip_frame(text)
        checked += bool(re.search("project gutenberg", text, re.IGNORECASE))
        assert not re.search(
            r"(?i)small print!|start of th|full license|gutenberg-tm|gutenberg(?:'s|’s)? e-?(?:text|book)|\bpglaf\b",
            body,
        )
        assert 0.6 < len(body) / len(text) < 1
        assert "\r" not in body
        assert not re.match(r"(?i)\W*(?:produced|e-?text prepared) by", body)
    assert checked >= 50


def test_real_editions_in_several_encodings_read_alike(shared_data):
    """The 8-bit edition of a work and its UTF-8 one: the same letters."""
    folder, pairs = shared_data / "books", 0
    for eight in sorted(folder.glob("*-8.txt.gz")):
        other = folder / eight.name.replace("-8.txt", "-0.txt")
        if other.exists() and not eight.name.startswith("31894"):  # that edition spells its vowels another way
            letters = [
                set(re.findall(r"[^\W\d_]+", strip_frame(decode(gzip.decompress(path.read_bytes()))[0])))
                for path in (eight, other)
            ]
            assert len(letters[0] ^ letters[1]) <= 0.02 * len(letters[0])
            pairs += 1
    assert pairs >= 2
