"""C4 as published, and from WET files."""

import gzip
import json

import pytest
from pydantic import ValidationError

from filters import c4 as rules
from pipelines.sample.wet import WebPage, wet_members
from pipelines.sources.c4 import C4
from tests.pipelines.sources.chains import counts, run_chain, texts

LINES = (
    "The weather was fine on the morning that we left the village for the hills.",
    "Nobody had told us that the bridge over the river was closed for the winter.",
    "We turned back before noon and had our lunch under the old tree by the church.",
    "In the evening there was music, and everyone stayed until the lamps went out.",
)
GERMAN = [
    "Das Wetter war schön an dem Morgen, an dem wir das Dorf verließen.",
    "Niemand hatte uns gesagt, dass die Brücke über den Fluss gesperrt war.",
    "Wir kehrten vor Mittag um und aßen unter dem alten Baum an der Kirche.",
]


def wet(path, *pages: WebPage) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(wet_members(path.name, list(pages))))


def test_published_rows_pass_through_as_they_are(tmp_path):
    rows = [
        {"text": text, "url": f"https://a.example/{n}", "timestamp": "2019"}
        for n, text in enumerate(["{ odd }", "", "Two.\nLines."])
    ]
    (tmp_path / "data").mkdir()
    data = "".join(json.dumps(r) + "\n" for r in rows).encode()
    (tmp_path / "data" / "c4-train.00000-of-01024.json.gz").write_bytes(gzip.compress(data))
    done = run_chain("c4", {"inputs": {"en": ["*.json.gz"]}}, tmp_path / "data", tmp_path / "out")
    found = texts(done, "c4.clean", tmp_path / "out")
    assert found["text"].to_pylist() == ["{ odd }", "Two.\nLines."]
    assert counts(done, "c4.clean")["dropped: empty"] == 1


def test_real_published_rows_are_all_kept(tmp_path, shared_data):
    done = run_chain("c4", {"inputs": {"en": ["c4/*"]}}, shared_data, tmp_path)
    assert counts(done, "c4.clean")["kept"] == 10


def test_pages_by_the_rules_each_line_once(tmp_path):
    page = lambda url, *lines: WebPage(url, "eng", ["A title", *lines])  # noqa: E731
    wet(
        tmp_path / "data" / "a.warc.wet.gz",
        page("https://a.example/1", *LINES, "Menu", "This site uses cookies to be nice to you."),
        page("http://www.a.example/1/", *LINES[:3], "Something else is said here now."),
        page("https://a.example/2", *GERMAN),
        page("https://a.example/3", *LINES[:2], "int main() { return 0; } is what it says."),
        page("https://a.example/4", LINES[0]),
    )
    wet(
        tmp_path / "data" / "b.warc.wet.gz",
        page("https://b.example/1", *LINES),
        page("https://b.example/2", LINES[0], "A first new line is on this page today.", *LINES[1:3], LINES[0]),
        page(
            "https://b.example/3",
            LINES[3],
            *(f"This is the {n} new line that a page in a village has." for n in ("first", "second", "third")),
        ),
    )
    done = run_chain("c4", {"mode": "from_wet", "inputs": {"crawl": ["*.gz"]}}, tmp_path / "data", tmp_path / "out")
    found = texts(done, "c4.clean", tmp_path / "out").to_pylist()
    assert [dict(row["metadata"])["url"] for row in found] == ["https://a.example/1", "https://b.example/3"]
    assert found[0]["text"] == "\n".join(LINES)
    assert found[1]["text"].startswith("This is the first new line")
    assert found[1]["lines_repeated"] == 1
    assert all(row["id"].startswith("c4/crawl/") and row["source"] == "c4" for row in found)
    total = counts(done, "c4.clean")
    assert {name: n for name, n in total.items() if name.startswith("dropped")} == {
        "dropped: repeated_url": 1, "dropped: language": 1, "dropped: brace": 1, "dropped: few_sentences": 2,
        "dropped: no_lines_left": 1,
    }  # fmt: skip
    assert (total["read"], total["kept"]) == (8, 2)
    assert total["lines_policy"] == 1


def test_a_title_is_a_line_like_others(tmp_path):
    wet(tmp_path / "data" / "a.warc.wet.gz", WebPage("https://a.example/1", "eng", list(LINES)))
    done = run_chain("c4", {"mode": "from_wet", "inputs": {"crawl": ["*.gz"]}}, tmp_path / "data", tmp_path / "out")
    assert texts(done, "c4.clean", tmp_path / "out")["text"].to_pylist() == ["\n".join(LINES)]


def test_real_pages_twice_give_the_same(tmp_path, shared_data):
    settings = {"mode": "from_wet", "inputs": {"crawl": ["web/derived-realpages-00000*"]}, "min_language_score": 0}
    first, second = (run_chain("c4", settings, shared_data, tmp_path / name) for name in "ab")
    outputs = [
        [r.outputs for stage in sorted(done) for _, r in sorted(done[stage].items())] for done in (first, second)
    ]
    assert outputs[0] == outputs[1]
    total = counts(first, "c4.clean")
    assert total["read"] == total["kept"] + sum(n for name, n in total.items() if name.startswith("dropped")) == 192
    assert total["kept"] >= 50


def test_bad_words_come_from_a_file_and_the_run_says_which(tmp_path):
    words = tmp_path / "words"
    words.write_text("music\n\n frob \n")
    page = WebPage("https://a.example/1", "eng", ["A title", *LINES])
    wet(tmp_path / "data" / "a.warc.wet.gz", page)
    settings = {"mode": "from_wet", "inputs": {"crawl": ["*.gz"]}}
    done = run_chain("c4", {**settings, "bad_words": str(words)}, tmp_path / "data", tmp_path / "out")
    assert counts(done, "c4.clean")["dropped: bad_word"] == 1
    said = C4(weight=100, inputs={"a": ("b",)}, bad_words=str(words)).model_dump(mode="json")["bad_words"]
    assert said.startswith("2 words, sha256 ")
    assert C4(weight=100, inputs={"a": ("b",)}).model_dump(mode="json")["bad_words"] == "left out"
    with pytest.raises(ValidationError, match="a file with a word a line"):
        C4(weight=100, inputs={"a": ("b",)}, bad_words=str(tmp_path / "none"))


def test_every_rule_is_a_setting():
    fields = C4.model_fields
    assert (fields["max_page_characters"].default, fields["max_word_characters"].default) == (190_000, 1_000)
    assert (fields["min_words"].default, fields["min_sentences"].default) == (5, 3)
    assert fields["min_language_score"].default == rules.MIN_LANGUAGE_SCORE == 0.99
