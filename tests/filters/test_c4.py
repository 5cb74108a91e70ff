"""C4's rules, one by one, against what the released code is known to do."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import c4
from filters.duplicates import keys_of
from pipelines.documents import Batcher

SENTENCE = "This line has five words."


def pages(*texts: str, url: str | None = None) -> pa.RecordBatch:
    batcher = Batcher("c4")
    for number, text in enumerate(texts):
        list(batcher.add(str(number), text, {"url": url} if url else {}))
    (batch,) = batcher.flush()
    return batch


def one(text: str, **settings) -> tuple[str, str | None, dict[str, int]]:
    """What is left of a page, why it is dropped, and its counted lines."""
    batch = c4.clean_pages(pages(text), **settings)
    counted = {f.name.removeprefix("lines_"): batch[f.name][0].as_py() for f in c4.COUNTED}
    return batch["text"][0].as_py(), batch["dropped"][0].as_py(), {k: v for k, v in counted.items() if v}


def around(line: str) -> str:
    """A page whose other lines are enough to keep it."""
    return f"{SENTENCE}\n{SENTENCE}\n{line}\n{SENTENCE}"


# ---- addresses and length


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/x",
        "https://A.example/x",
        "https://www.a.example/x/",
        "https://a.example:443/x#part",
        " http://a.example:80/x ",
    ],
)
def test_one_page_has_many_addresses(url):
    assert c4.normal_url(url) == "a.example/x"


@pytest.mark.parametrize(
    "other",
    [
        "https://a.example/y",
        "https://a.example/x?q=1",
        "https://b.a.example/x",
        "https://a.example:81/x",
        "https://a.example/X",
    ],
)
def test_other_pages_have_others(other):
    assert c4.normal_url(other) != c4.normal_url("https://a.example/x")


@given(st.text() | st.from_regex(r"https?://[a-zA-Z.\[\]:0-9]{1,20}/\S{0,20}", fullmatch=True))
def test_any_address_has_a_normal_form_that_stays(url):
    normal = c4.normal_url(url)
    assert c4.normal_url("http://www." + normal) == normal or c4.normal_url(normal) == c4.normal_url(normal)


def test_a_page_without_an_address_is_like_no_other():
    assert len(set(c4.url_keys(pages("a", "b")).tolist())) == 2
    assert len(set(c4.url_keys(pages("a", "b", url="https://a.example/")).tolist())) == 1


@pytest.mark.parametrize(("characters", "reason"), [(190_000, None), (190_001, "page_too_long")])
def test_a_page_has_at_most_190_000_characters(characters, reason):
    assert c4.keep_pages(pages("é" * characters))["dropped"].to_pylist() == [reason]


@given(st.text("é.", max_size=30), st.integers(0, 30))
def test_a_page_is_too_long_by_its_characters(text, most):
    assert c4.keep_pages(pages(text), max_characters=most)["dropped"].is_valid()[0].as_py() == (len(text) > most)


# ---- lines

words = st.text(st.sampled_from("abcé'-"), min_size=1, max_size=8)
lines = st.lists(st.one_of(
    words, st.sampled_from([
        "[1]", "[]", "[edit]", "[citation needed]", "JavaScript", "terms of use", "uses cookies", "end.", "end?",
        "end!", 'end."', "end...",
        "end'", "…", "lorem ipsum", "{", "}", "w" * 1000, "w" * 1001, "\u00a0", "\t",
    ]),
), max_size=9).map(" ".join)  # fmt: skip


def reference(text: str) -> tuple[str, str | None]:
    """The rules as they are written down, line by line."""
    left = []
    for line in text.split("\n"):
        line = line.strip()
        if any(len(word) > 1000 for word in line.split()):
            continue
        line = re.sub(r"\[\d*\]|\[edit\]|\[citation needed\]", "", line)
        if not line.endswith((".", "?", "!", '"')) or line.endswith("..."):
            continue
        if len(line.split()) < 5:
            continue
        if "lorem ipsum" in line.lower():
            return text, "lorem_ipsum"
        if "javascript" in line.lower():
            continue
        if "{" in line:
            return text, "brace"
        if any(phrase in line.lower() for phrase in c4.POLICIES):
            continue
        left.append(line)
    sentences = sum(c4.count_sentences(line, 99) for line in left)
    return "\n".join(left), None if sentences >= 3 else "few_sentences"


@given(st.lists(lines, max_size=8).map("\n".join))
def test_a_page_comes_out_as_the_rules_say(text):
    left, reason, counted = one(text)
    assert (left, reason) == reference(text)
    if reason not in ("lorem_ipsum", "brace"):
        assert sum(counted.values()) == sum(bool(line.strip()) for line in text.split("\n"))


@given(lines)
def test_a_word_over_1000_characters_drops_its_line_and_no_other(line):
    long = line + " " + "w" * 1001 + " and four more words."
    left, _, counted = one(around(long))
    assert left == "\n".join([SENTENCE] * 3)
    assert counted["long_word"] == 1


@given(words, st.sampled_from(["[12]", "[]", "[edit]", "[citation needed]"]))
def test_citation_marks_are_removed(word, mark):
    assert one(around(f"{word} two three{mark} four five.{mark}"))[0].split("\n")[2] == f"{word} two three four five."
    other = f"{word} two three [12a] [note] five."
    assert other in one(around(other))[0]


@given(words)
def test_a_line_ends_in_an_end_mark_and_not_in_an_ellipsis(word):
    start = f"{word} two three four five"
    for mark in '.?!"':
        assert start + mark in one(around(start + mark))[0].split("\n")
    for mark in ("", "...", ":", ")", "'", "…", ". [x]"):
        _, _, counted = one(around(start + mark))
        assert counted == {"kept": 3, "no_end_mark": 1}


@given(st.integers(1, 9))
def test_a_line_has_five_words_at_least(number):
    line = " ".join(["word"] * number) + "."
    assert (line in one(around(line))[0].split("\n")) == (number >= 5)
    assert (line in one(around(line), min_words=3)[0].split("\n")) == (number >= 3)


@given(st.sampled_from(["javascript", "JavaScript", *c4.POLICIES, "Terms of Use", "PRIVACY POLICY"]), words)
def test_notices_are_dropped(phrase, word):
    _, reason, counted = one(around(f"{word} two three {phrase} five."))
    assert reason is None
    assert counted == {"kept": 3, "javascript" if phrase.lower() == "javascript" else "policy": 1}


@given(words)
def test_a_phrase_that_a_dropped_line_holds_drops_no_page(word):
    for phrase in ("lorem ipsum", "a { b"):
        assert one(around(f"{word} two three {phrase} five"))[1] is None
        assert one(around(f"{word} two three {phrase} five."))[1] is not None


def test_a_page_that_is_dropped_is_shown_as_it_was():
    text = around("Here is a Lorem Ipsum text.")
    assert one(text)[:2] == (text, "lorem_ipsum")
    text = around("int main() { return zero; } is code.")
    assert one(text)[:2] == (text, "brace")


# ---- words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a frob here is one.", True), ("A FROB here is one.", True), ("frob", True), ("(frob)", True), ("x\nfrob\ny",
        True), ("frob.", True),
        ("frobs", False), ("a-frob", True), ("afrob", False), ("frob_x", False), ("frob9", False), ("éfrob", False),
        ("frobé", False),
        ("two  words", False), ("two words", True), ("two\nwords", False), ("a+b!", True), ("aab!", False), ("ÉTÉ",
        True), ("", False),
    ],
)  # fmt: skip
def test_a_bad_word_stands_between_non_letters(text, found):
    assert c4.BadWords(["Frob", "two words", "a+b", "été", ""]).found(pa.array([text])).tolist() == [found]


@given(
    st.lists(st.sampled_from(["frob", "FROB", "s", "é", "_", "9", "-", " ", ".", "\n", "("]), max_size=9).map("".join)
)
def test_any_text_has_a_bad_word_where_no_letter_digit_or_underscore_touches_it(text):
    found = re.search(r"(?<!\w)frob(?!\w)", text, re.IGNORECASE) is not None
    assert c4.BadWords(["frob"]).found(pa.array([text])).tolist() == [found]


def test_a_page_with_a_bad_word_in_a_line_that_stays_is_dropped():
    bad = c4.BadWords(["frob"])
    assert one(around("There is a frob in here."), bad_words=bad)[1] == "bad_word"
    assert one(around("There is a frob in here"), bad_words=bad)[1] is None
    assert one(around("There is a lorem ipsum frob here."), bad_words=bad)[1] == "lorem_ipsum"
    assert one(around("Nothing of the kind is here."), bad_words=c4.BadWords([]))[1] is None


# ---- sentences


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("One sentence.", 1), ("One. Two.", 2), ("One? Two! Three.", 3), ('He said "Stop." Then he went.', 2),
        ("Mr. A. Smith came.", 1),
        ("It costs 3.50 dollars.", 1), ("See e.g. Berlin.", 1), ("At 5 p.m. Tuesday it ended.", 1),
        ("ends. and goes on.", 1),
        ("Wait... What?", 2), ("U.S. Army.", 1), ("", 1),
    ],
)  # fmt: skip
def test_sentences(line, number):
    assert c4.count_sentences(line, 99) == number
    assert c4.count_sentences(line, 1) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Here is one sentence now.", "few_sentences"),
        ("Here is one sentence now. Here is another one.", "few_sentences"),
        ("Here is one sentence now. Here is another one. A third.", None),
        ("\n".join([SENTENCE] * 3), None),
        ("", "few_sentences"),
    ],
)
def test_a_page_has_three_sentences_at_least(text, reason):
    assert one(text)[1] == reason
    assert c4.keep_sentences(pages(text))["dropped"].to_pylist() == [reason]
    assert one(text, min_sentences=0)[1] is None


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(0, 6))
def test_a_page_has_as_many_sentences_as_its_lines_together(lengths, minimum):
    text = "\n".join(" ".join([SENTENCE] * length) for length in lengths)
    assert one(text, min_sentences=minimum)[1] == ("few_sentences" if sum(lengths) < minimum else None)


@given(st.lists(st.sampled_from(["One.", "One. Two.", "One. Two. Three. Four."]), max_size=5), st.integers(0, 6))
def test_counting_stops_early_and_says_the_same(some, minimum):
    assert c4.has_sentences(some, minimum) == (sum(c4.count_sentences(line, 99) for line in some) >= minimum)


# ---- repeated lines


def test_lines_have_one_key_whatever_their_case_and_space():
    keys, offsets = c4.line_keys(pages("One line.\n ONE LINE. ", "", "Another."))
    assert offsets.tolist() == [0, 2, 2, 3]
    assert keys.tolist() == keys_of(["one line.", "one line.", "another."]).tolist()


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=5), min_size=1, max_size=5),
    st.randoms(),
)
def test_marked_lines_go_and_are_counted(some, chance):
    batch = c4.clean_pages(pages(*map("\n".join, some)))
    batch = batch.set_column(2, "text", pa.array(["\n".join(p) for p in some])).set_column(
        4, "dropped", pa.nulls(len(some), pa.string())
    )
    keys, offsets = c4.line_keys(batch)
    removed = np.array([chance.random() < 0.5 for _ in keys], bool)
    after = c4.remove_lines(batch, offsets, removed)
    for row, page in enumerate(some):
        flags = removed[offsets[row] : offsets[row + 1]]
        left = [line for line, gone in zip(page, flags, strict=True) if not gone]
        assert after["text"][row].as_py() == "\n".join(left)
        assert after["lines_repeated"][row].as_py() == int(flags.sum())
        assert after["dropped"][row].as_py() == (None if left else "no_lines_left")


# ---- language

ENGLISH = "The weather was fine on the morning that we left the village for the hills."
GERMAN = "Das Wetter war schön an dem Morgen, an dem wir das Dorf in Richtung der Berge verließen."


def test_english_is_kept_and_the_rest_has_its_reason():
    batch = c4.keep_english(
        pages(ENGLISH, GERMAN, "1234 5678", f"{ENGLISH} {GERMAN}"), detector=c4.load_language_detector()
    )
    assert batch["dropped"].to_pylist()[:3] == [None, "language", "language"]
    assert batch["dropped"][3].as_py() in ("language", "language_score")
    assert batch["language"].to_pylist()[:3] == ["en", "de", None]
    scores = batch["language_score"].to_numpy()
    assert scores[0] >= np.float32(0.99)
    assert (scores == scores.round(4)).all()


@given(st.integers(0, len(ENGLISH)), st.floats(0, 1))
@settings(max_examples=30)
def test_a_page_stays_if_english_is_sure_enough(cut, least):
    batch = c4.keep_english(
        pages(f"{ENGLISH[cut:]} {GERMAN[cut:]}"), detector=c4.load_language_detector(), min_score=least
    )
    language, score = batch["language"][0].as_py(), batch["language_score"][0].as_py()
    expected = "language" if language != "en" else "language_score" if score < np.float32(least) else None
    assert batch["dropped"][0].as_py() == expected


def test_a_score_depends_on_nothing_but_its_page():
    detector, texts = c4.load_language_detector(), [f"{ENGLISH[: 20 + 7 * n]} {GERMAN[: 60 - 7 * n]}" for n in range(8)]
    together = c4.keep_english(pages(*texts), detector=detector)["language_score"].to_pylist()
    backwards = c4.keep_english(pages(*reversed(texts)), detector=detector)["language_score"].to_pylist()
    assert together == backwards[::-1]
    assert len(set(together)) > 1
