import html as standard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.html import MAX_DEPTH, MAX_TAGS, Page, plain_text, simplify


def lines(html: str) -> list[str]:
    page = plain_text(html)
    assert page is not None
    return page.text.split("\n") if page.text else []


def test_blocks_and_breaks_are_lines_and_inline_tags_are_not():
    page = (
        "<!DOCTYPE html><html><head><title> A\n title &amp; more </title></head><body><h1>Head</h1>"
        "<p>One <b>bo</b>ld <a href='x>y'>link</a>.<p>Two<br>three<hr/>four<div>five<div>six</div></div>seven"
        "<ul><li>a<li>b<ul><li>c</ul></ul><pre>x\n  y</pre><button>press</button></body></html>"
    )
    expected = ["Head", "One bold link.", *"Two three four five six seven a b c x y press".split()]
    assert plain_text(page) == Page("A title & more", "\n".join(expected))


def test_a_slash_closes_svg_and_math_alone() -> None:
    assert lines("<svg class='icon'/><p>One</p><svg><title>no</title></svg>two<math/>.") == ["One", "two."]
    assert lines("<canvas/>no</canvas>yes") == ["yes"]


def test_a_row_of_a_table_is_a_line():
    assert lines("<table><tr><td>1<td>2<tr><th>3</th></table>") == ["1 2", "3"]


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>if (a<b) document.write('<p>no</p>')</script>",
        "<SCRIPT src=x>no</SCRIPT >",
        "<style>p::before { content: '<p>' }</style>",
        "<!-- <p>no</p> -->",
        "<!-->",
        "<noscript><img alt=no>no</noscript>",
        "<svg><title>no</title><path d='M0'/></svg>",
        "<select><option>no<option>no</select>",
        "<textarea><p>no</textarea>",
        "<template><p>no</p></template>",
        "<img alt=no>",
        "<a title='</a>no'></a>",
        "<?php no ?>",
    ],
)
def test_what_is_no_text_is_left_out(hidden):
    assert lines(f"<p>yes{hidden}, yes</p>") == ["yes, yes"]


def test_only_the_end_of_a_file_ends_a_script_that_does_not_end():
    assert lines("<p>yes<svg><noscript>, yes<script>no<p>no") == ["yes, yes"]


def test_entities_are_characters_and_a_lone_mark_is_itself():
    assert lines("<p>&lt;b&gt; &eacute;&#233;&#xe9;&nbsp;a < b &amp;amp; &bogus; 1<2") == [
        "<b> ééé a < b &amp; &bogus; 1<2"
    ]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"])))
def test_any_words_come_back(text):
    assert lines(f"<p>{standard.escape(text)}") == ([text] if text else [])


@given(st.lists(st.sampled_from([*"ab<>/= \"'!-", "<div>", "</div>", "<table>", "<td>", "<svg>", "<!--", "<p "])))
def test_any_markup_becomes_a_well_formed_page_of_bounded_depth(pieces):
    simple = simplify("".join(pieces))
    assert simple is not None
    depth, opened = 0, []
    for piece in simple[1].split("<")[1:]:
        tag = piece.partition(">")[0]
        if tag.startswith("/"):
            assert opened.pop() == tag[1:]
        elif tag not in ("!DOCTYPE html", "body", "br"):
            assert tag.isalpha()
            opened.append(tag)
        depth = max(depth, len(opened))
    assert not opened
    assert depth <= MAX_DEPTH


def numbered(tag: str, number: int) -> str:
    return "".join(tag.replace("#", str(n)) for n in range(number))


HOSTILE = {
    "fonts that are opened again in every paragraph": numbered("<p><font a=#>x", 15_000),
    "lists in lists": "<ul><li>x" * 30_000,
    "divisions in divisions": "<div>x" * 50_000,
    "links in links": "<a><div>x" * 30_000,
    "a list in a definition in a list": "<dd><li>x" * 30_000,
    "text between rows": "<table>" + "<b>x<tr>" * 30_000,
    "a tag of many attributes": "<p " + numbered("a#=1 ", 40_000) + ">x",
    "quotes": '<a b="<a ' * 30_000,
    "comments that do not end": "<!-- " * 50_000,
    "elements that do not end": "<svg>x<select><noscript>" * 10_000,
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pages_stay_small(html):
    simple = simplify(html)
    assert simple is not None
    assert len(simple[1]) < 3 * len(html) + 10_000
    page = plain_text(html)
    assert page is not None
    assert page.text.count("x") in (0, 1, html.count("x"))
    assert len(page.text) <= len(html)


def test_a_page_of_too_many_tags_is_refused():
    assert plain_text("<p>x" * MAX_TAGS) is not None
    assert plain_text("<p>x" * (MAX_TAGS + 1)) is None
