"""Wikitext in, plain text out: every kind of markup, real articles in 22 languages, and pages nobody would write."""

import bz2
import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.wikitext import Page, TooComplexError, clean, plain_text
from pipelines.documents import SCHEMA

DATE = datetime.date(2022, 8, 1)
LANGUAGES = (
    "bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu", "it", "ja", "nl", "pl", "pt", "ro", "ru", "sl", "sr",
    "sv", "uk", "zh",
)  # fmt: skip
RESIDUE = {
    "[[": re.compile(r"\[\["),
    "]]": re.compile(r"\]\]"),
    "{{": re.compile(r"\{\{"),
    "}}": re.compile(r"\}\}"),
    "{|": re.compile(r"\{\|"),
    "|}": re.compile(r"\|\}"),
    "<ref": re.compile(r"<ref\b", re.IGNORECASE),
    "thumb|": re.compile(r"\b(?:thumb|miniatur|mini|vignette|miniaturadeimagen)\|"),
    "''": re.compile(r"''"),
    "tag": re.compile(r"</?(?:br|small|div|span|sup|sub|center|nowiki|gallery)\b[^>]*>", re.IGNORECASE),
    "entity": re.compile(r"&(?:nbsp|ndash|mdash|thinsp|lt|gt|amp);"),
    "comment": re.compile(r"<!--"),
    "heading": re.compile(r"^==.*==\s*$", re.MULTILINE),
}
VERBATIM = re.compile(
    r"<(math|chem|ce|code|syntaxhighlight|source|pre|nowiki)\b[^<>]*>(.*?)</\1", re.DOTALL | re.IGNORECASE
)


def text(wikitext: str, language: str = "en") -> str:
    return plain_text(wikitext, Page(language, "Title", DATE))


def articles(shared_data: Path, pattern: str) -> Iterator[tuple[str, str, str]]:
    """(language, title, wikitext) of the articles in the real dumps, read by a parser that is not ours."""
    for file in sorted((shared_data / "wikipedia").glob(pattern)):
        language = re.findall(r"([a-z]+)wiki", file.name)[-1]
        for page in ElementTree.fromstring(bz2.decompress(file.read_bytes())).iter():
            if page.tag.endswith("}page") and page.findtext("{*}ns") == "0" and page.find("{*}redirect") is None:
                yield language, page.findtext("{*}title", ""), page.findtext("{*}revision/{*}text", "")


@pytest.mark.parametrize(
    ("wikitext", "plain"),
    [
        ("'''Rome''' is ''the'' capital.", "Rome is the capital."),
        ("l'''amour'' et la ''haine''", "l'amour et la haine"),
        ("[[Rome]] and [[Paris|the city]]s, [[#History]]", "Rome and the citys, #History"),
        ("[[Rome (city)|]]", "Rome"),
        ("a[[Category:Cities]][[de:Rom]]b [[:Category:Cities]] [[wikt:word]]", "ab Category:Cities word"),
        ("[[File:A.jpg|thumb|left|A [[cat]] <ref>x</ref>]]Text", "Text"),
        ("[[Datei:A.jpg|mini]][[Fichier:B.png]][[Archivo:C]][[Файл:D]][[ファイル:E]][[文件:F]]Text", "Text"),
        ("[[Star Trek: Voyager]]", "Star Trek: Voyager"),
        ("a [http://x.org label] b [http://x.org] c http://x.org/y_(z). [//x.org d]", "a label b c. d"),
        ("word<ref name=a>{{cite web|url=b}}</ref><ref name=a/> <!-- c -->, next.", "word, next."),
        ("a<!-- b\n\nc -->d", "ad"),
        ("a\n<!-- alone -->\nb", "a\nb"),
        ("born ({{lang-x-unknown}}<ref>a</ref>; 5 May)", "born (5 May)"),
        ("Rome ({{audio|a.ogg}}) is", "Rome is"),
        ("f() and g ()", "f() and g ()"),
        ("* a\n** b\n* c\n# one\n# two\n: said\n; term", "- a\n  - b\n- c\n1. one\n2. two\nsaid\nterm"),
        ("* {{cite web|title=x}}\n* a", "- a"),
        ("Intro\n== A ==\ntext\n=== B ===\n\n== C ==\n{{reflist}}\n", "Intro\n\nA\n\ntext"),
        ("== A ==\n=== B ===\nt", "A\n\nB\n\nt"),
        ("a\n{| class=x\n! h\n|-\n| b {{c|d}}\n{|\n| e\n|}\n|}\nf", "a\n\nf"),
        ("a\n{{Table start}}\n| b || c\n|-\n| d\n|}\ne", "a\n\ne"),
        ("a<table><tr><td><table></table>b</td></tr></table>c", "ac"),
        ("<gallery>\nFile:A.jpg|b\n</gallery>t<br/>u <small>v</small><hr>", "t\nu v"),
        ("x<sup>2</sup> H<sub>2</sub>O 19<sup>th</sup> e<sup>x+y</sup> 10<sup>−3</sup>", "x² H₂O 19th e^(x+y) 10⁻³"),
        ("a &amp; b&nbsp;c &ndash; &#8364; &lt;b&gt;", "a & b c – € <b>"),
        ("__NOTOC__a__KEIN_INHALTSVERZEICHNIS__ __init__", "a __init__"),
        ("<span style='display:none'>sort key</span>a <span class='x'>b</span>", "a b"),
        ("<nowiki>''a''</nowiki> &lt;nowiki>", "''a'' <nowiki>"),
        ("a &lt;references/&gt;<nowiki><ref>b</ref></nowiki>", "a b"),
        ("{{unknown box\n| a = b\n}}\nText", "Text"),
        ("1 < 2 and a<b>c</b>", "1 < 2 and ac"),
        ("<poem>\na\nb\n</poem>", "a\nb"),
        ("First\n \n one<br>\n   two\nlast\n \nEnd", "First\n\none\n\n  two\nlast\n\nEnd"),
        ("a <includeonly>b</includeonly><noinclude>c</noinclude>", "a c"),
        ("<li>one</li><li>two", "- one\n- two"),
        ("{{{1|default}}} {{{2}}}.", "default."),
    ],
)
def test_markup_becomes_text(wikitext: str, plain: str) -> None:
    assert text(wikitext) == plain


@pytest.mark.parametrize("tag", ["math", "code", "syntaxhighlight", "source", "pre", "chem"])
def test_code_and_formulas_are_kept_as_they_are(tag: str) -> None:
    content = "\\frac{{a}}{b}  [[x]] ''y''\n  {| <!-- z --> |}"
    assert content in text(f"a <{tag}>{content}</{tag}> b")


def test_entities_in_code_are_decoded() -> None:
    assert text("<code>a &lt; b &amp;&amp; c</code>") == "a < b && c"


@pytest.mark.parametrize(
    ("language", "wikitext", "plain"),
    [
        ("zh", "-{zh-hans:计算机;zh-hant:電腦}-和-{A|zh-cn:软件;zh-tw:軟體}--{T|zh:x}--{词}-", "计算机和软件词"),
        ("sr", "-{Berlin}- и -{sr-ec:Рим; sr-el:Rim}-", "Berlin и Рим"),
        ("en", "-{not a variant}-", "-{not a variant}-"),
    ],
)
def test_one_language_variant_is_chosen(language: str, wikitext: str, plain: str) -> None:
    assert text(wikitext, language) == plain


@pytest.mark.parametrize(
    "broken",
    [
        "{{cite web|title=x",
        "{{Infobox\n| a = b\n| c = d",
        "{{lang|de|x}",
        "[[Rome",
        "[[File:A.jpg|thumb|x",
        "{|\n| a\n|-\n| b\n",
        "<ref>",
        "<ref name=a",
        "<!-- comment",
        "<math>",
        "<code>",
        "<nowiki>",
        "<gallery>",
        "<table><tr>",
        "''' bold",
        "-{zh:a",
        "}} ]] |}",
        "{{{",
        "[http://x.org",
        "<div style='x'",
        "{{a|[[b}}",
        "[[a|{{b]]",
    ],
)
@pytest.mark.parametrize("place", ["{}", "Words {} and words.", "* {}", "{{{{quote|{}}}}}"])
def test_broken_markup_never_takes_the_rest(broken: str, place: str) -> None:
    plain = text(f"Before.\n\n{place.format(broken)}\n\nAfter one.\n\n== Next ==\nAfter two [[a|b]].\n")
    assert plain.startswith("Before.")
    assert plain.endswith("Next\n\nAfter two b.")
    assert not any(kind.search(plain) for kind in RESIDUE.values())


def test_a_template_without_its_end_does_not_take_sections_up_to_a_stray_one() -> None:
    plain = text(
        "{{Infobox\n| a = {{flag|X}\n| b = c\n}}\nIntro text here.\n\n== One ==\nFirst.\n\n}}\n== Two ==\nSecond." * 1
    )
    assert "Intro text here." in plain
    assert plain.endswith("One\n\nFirst.\n\nTwo\n\nSecond.")


def test_rows_are_dropped_with_a_reason_and_dropped_rows_are_left_alone() -> None:
    pages = {
        "Text [[here]].": None,
        "{{reflist}}": None,
        "short": None,
        "{{ " * 1000: None,
        "[[left|alone]]": "too_large",
    }
    metadata = [("language", "en"), ("timestamp", "2022-07-01T00:00:00Z"), ("title", "T")]
    rows = [
        {"id": f"w/{n}", "source": "wikipedia", "text": wikitext, "metadata": metadata, "dropped": dropped}
        for n, (wikitext, dropped) in enumerate(pages.items())
    ]
    batch = clean(pa.RecordBatch.from_pylist(rows, schema=SCHEMA), date=DATE, min_characters=6)
    assert batch["dropped"].to_pylist() == [None, "no_text_left", "too_short", "wikitext_too_complex", "too_large"]
    assert batch["text"].to_pylist()[0] == "Text here."
    assert batch["text"].to_pylist()[4] == "[[left|alone]]"
    assert batch.schema.names == SCHEMA.names


def test_without_a_dump_date_the_revision_tells_the_day() -> None:
    metadata = [("language", "en"), ("timestamp", "2010-05-31T00:00:00Z")]
    row = {"id": "w/1", "source": "wikipedia", "text": "{{age|2000|6|1}}", "metadata": metadata, "dropped": None}
    batch = pa.RecordBatch.from_pylist([row], schema=SCHEMA)
    assert clean(batch)["text"].to_pylist() == ["9"]
    assert clean(batch, date=DATE)["text"].to_pylist() == ["22"]


# Real articles -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cleaned(shared_data: Path) -> list[tuple[str, str, str, str]]:
    return [
        (language, title, wikitext, plain_text(wikitext, Page(language, title, DATE)))
        for pattern in ("dbpedia-*", "enwiki-latest-*")
        for language, title, wikitext in articles(shared_data, pattern)
    ]


@pytest.mark.parametrize("kind", RESIDUE)
def test_no_residue_in_any_real_article(cleaned: list[tuple[str, str, str, str]], kind: str) -> None:
    assert sum(len(RESIDUE[kind].findall(wikitext)) for _, _, wikitext, _ in cleaned) >= 100
    for _, title, wikitext, plain in cleaned:
        for content in sorted((content.strip() for _, content in VERBATIM.findall(wikitext)), key=len, reverse=True):
            plain = plain.replace(content, "") if len(content) > 1 else plain
        assert not RESIDUE[kind].search(plain), (title, RESIDUE[kind].search(plain))


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_articles_of_each_language_read_as_text(cleaned: list[tuple[str, str, str, str]], language: str) -> None:
    found = [(title, wikitext, plain) for each, title, wikitext, plain in cleaned if each == language]
    assert found
    assert sum(len(plain) for _, _, plain in found) > 0.2 * sum(len(wikitext) for _, wikitext, _ in found)
    for title, wikitext, plain in found:
        headings = {h.strip() for h in re.findall(r"(?m)^==([^=\n<{\[']+)==", wikitext)}
        assert len(headings) < 5 or sum(f"\n{h}\n" in plain for h in headings) >= len(headings) // 2, title


OPENINGS = {
    "bg": "Берлѝн (Berlin [bɛɐ̯ˈliːn]) е столицата",
    "de": "Berlin ([bɛɐ̯ˈliːn]) ist Hauptstadt und als Land",
    "en": "Berlin (/bɜːrˈlɪn/ bur-LIN, [bɛʁˈliːn]) is the capital and largest city of Germany",
    "es": "Berlín (en alemán: Berlin, [bɛɐ̯ˈliːn]) es la capital",
    "ru": "Берли́н (Berlin [bɛɐ̯ˈliːn]) — столица и крупнейший город Германии",
    "sr": "Берлин (Berlin; Barliń) је главни град",
    "uk": "Берлі́н (Berlin, [bɛɐ̯ˈliːn]) — столиця",
    "zh": "柏林（Berlin[bɛʁˈliːn]）是德意志聯邦共和國首都",
}


@pytest.mark.parametrize("language", OPENINGS)
def test_the_article_on_berlin_starts_with_its_first_sentence(
    cleaned: list[tuple[str, str, str, str]], language: str
) -> None:
    names = ("Berlin", "Berlín", "Berlino", "Berlim", "Берлин", "Берлін", "柏林")
    [plain] = [plain for each, title, _, plain in cleaned if each == language and title in names]
    assert plain.startswith(OPENINGS[language])


def test_numbers_in_real_templates_are_not_lost(cleaned: list[tuple[str, str, str, str]]) -> None:
    """Of the converted and formatted numbers outside tables, references and boxes nearly all are in the text."""
    pattern = re.compile(
        r"(?m)^(?![|!{*]).*?[\w,.] \{\{(?:convert|cvt|conversie|formatnum:|unité|nobr|szám|TA|nombre|fmtn)\|?([^|{}]+)"
    )
    found = lost = 0
    for _, _, wikitext, plain in cleaned:
        body = re.sub(r"(?s)<ref.*?(?:/>|</ref>)|<!--.*?-->|^\{\|.*?^\|\}", "", wikitext)
        digits = re.sub(r"[^\w]", "", plain)
        for number in pattern.findall(body):
            found += 1
            lost += re.sub(r"[^\w]", "", number.replace("&nbsp;", "")) not in digits
    assert found >= 100
    assert lost <= found // 50


# Pages nobody would write ---------------------------------------------------------------------------------------------

TOKENS = """
    {{ }} {{{ }}} [[ ]] | = == === ''' '' {| |} |- ! <ref> </ref> <ref/> <!-- --> <math> </math> <code> </code> <nowiki>
    </nowiki> * # : ; __TOC__ -{ }- [http://a.b ] &lt; File: thumb| lang convert|5|km age|2000 #if: #expr:1/0 quote|
    <br> &#91; <sup> </sup> <table> </table> <div> {{! {{nowrap| formatnum:12 ( ) , . a b
"""
SPACES = ("\n", "\n\n", " ", "\n==A==\n", "\x02", "\x03", "\x05")
MARKUP = st.sampled_from([*TOKENS.split(), *SPACES]) | st.text(max_size=4)


@given(st.lists(MARKUP, max_size=60), st.sampled_from(["en", "fr", "zh", "sr", "xx"]))
@settings(max_examples=400)
def test_no_page_makes_the_cleaner_fail_or_leaves_markup(parts: list[str], language: str) -> None:
    wikitext = "".join(parts)
    plain = text(wikitext, language)
    assert len(plain) <= 4 * len(wikitext) + 100
    if not re.search(r"<(?:math|code|nowiki)", wikitext):
        for kind in ("[[", "]]", "{{", "}}", "{|", "|}", "<ref"):
            assert not RESIDUE[kind].search(plain)
    assert text(wikitext, language) == plain


@pytest.mark.parametrize(
    "page",
    [
        "{{" * 100_000,
        "[[" * 100_000,
        "'" * 1_000_000,
        "''' a '' " * 50_000,
        "<ref>" * 50_000,
        "<!-- -->" * 50_000,
        "(<ref/>, " * 50_000,
        "[http://x " * 50_000,
        "[//" + "x" * 300_000,
        "{|\n" * 50_000,
        "{{a" + "|" * 300_000 + "}}",
        " " * 500_000 + "x",
        "[[a(" + "(" * 300_000 + "|]]",
        "{{nowrap|" * 150 + "x" * 100_000 + "}}" * 150,
    ],
    ids=lambda page: page[:12],
)
@pytest.mark.timeout(30)  # quadratic time would take minutes
def test_time_grows_with_the_page_and_no_faster(page: str) -> None:
    assert len(text(page)) <= 2 * len(page)


@pytest.mark.parametrize("page", ["{{ " * 1000, "[[ " * 1000, "{{a|" * 1000 + "}}" * 1000, "||" * 1_100_000])
def test_what_nests_deeper_than_any_article_is_too_complex(page: str) -> None:
    with pytest.raises(TooComplexError):
        text(page)
