"""Posts to threads: the order of answers, and HTML to text."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.threads import Thread, plain_text, tags, threads

POSTS = pa.schema(
    [("question", pa.int64()), ("id", pa.int64()), ("score", pa.int64()), ("title", pa.string()), ("body", pa.string()),
     ("tags", pa.string()), ("created", pa.string()), ("license", pa.string())]
)  # fmt: skip


def question(id_: int, body: str = "", title: str = "Title", **more):
    return {"question": id_, "id": id_, "score": 1, "title": title, "body": body, **more}


def answer(of: int, id_: int, score: int, body: str = "", **more):
    return {"question": of, "id": id_, "score": score, "body": body or f"answer {id_}", **more}


def build(*posts) -> list[Thread | str]:
    return list(threads(pa.Table.from_pylist(list(posts), POSTS)))


def test_a_thread_is_title_body_and_answers_by_score_as_numbers_then_by_id():
    [thread] = build(
        answer(1, 12, 9), answer(1, 11, 10), answer(1, 14, -3), answer(1, 13, 9), question(1, "<p>Why?</p>")
    )  # fmt: skip
    assert thread.text == "Title\n\nWhy?\n\nanswer 11\n\nanswer 12\n\nanswer 13\n\nanswer 14"
    assert thread.answers == 4


def test_metadata_holds_every_license_of_a_thread_and_nothing_that_is_unknown():
    [thread] = build(
        question(1, tags="<a><c++>", created="2014", license="CC BY-SA 3.0", title="  A\n title "),
        answer(1, 2, 0, license="CC BY-SA 4.0"),
        answer(1, 3, 0, license=None),
    )
    assert thread.metadata == {
        "title": "A title", "score": "1", "tags": "a c++", "created": "2014", "license": "CC BY-SA 3.0, CC BY-SA 4.0",
    }  # fmt: skip
    [bare] = build(question(1))
    assert bare.metadata == {"title": "Title", "score": "1"}


def test_orphans_and_repeated_ids_are_named_and_left_out():
    found = build(question(1, "first"), question(1, "again"), answer(1, 5, 1), answer(1, 5, 2), answer(7, 8, 3))
    assert [one if isinstance(one, str) else one.text for one in found] == [
        "repeated id", "repeated id", "Title\n\nfirst\n\nanswer 5", "orphan answer",
    ]  # fmt: skip


def test_no_posts_are_no_threads():
    assert build() == []


@pytest.mark.parametrize("written", ["<hops><c#><a-b>", "|hops|c#|a-b|"])
def test_tags_in_both_syntaxes(written):
    assert tags(written) == ["hops", "c#", "a-b"]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-50, 500)), max_size=40))
def test_answers_stand_in_the_order_of_their_scores_whatever_order_they_came_in(drawn):
    posts = [question(n) for n in range(1, 5)]
    posts += [answer(of, 100 + i, score, f"[{score} {100 + i}]") for i, (of, score) in enumerate(drawn)]
    found = build(*reversed(posts))
    texts = [one.text for one in found if isinstance(one, Thread)]
    for text in texts:
        order = [(-int(score), int(id_)) for score, id_ in re.findall(r"\[(-?\d+) (\d+)\]", text)]
        assert order == sorted(order)
    assert sum(one.answers for one in found if isinstance(one, Thread)) == sum(of < 5 for of, _ in drawn)
    assert found.count("orphan answer") == sum(of == 5 for of, _ in drawn)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One\nline.</p>\n\n<p>Two &amp; &lt;three&gt; &eacute; &#x41;</p>\n", "One line.\n\nTwo & <three> é A"),
        ("<ul>\n<li>a</li>\n<li>b <em>c</em></li>\n</ul>\n<p>d</p>", "- a\n- b c\n\nd"),
        ("<ol start='3'><li>a</li><li>b</li></ol>", "3. a\n4. b"),
        ("<ol><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ol>", "1. a\n  - b\n  - c\n2. d"),
        ("<ul><li><p>a</p><p>b</p></li><li><p>c</p></li></ul>", "- a\n\n  b\n\n- c"),
        ("<p>x</p><pre><code>if a &lt; b:\n    c  =  1\n\n    d\n</code></pre><p>y</p>",
         "x\n\nif a < b:\n    c  =  1\n\n    d\n\ny"),
        ("<p>a<br>b<br/>c</p>", "a\nb\nc"),
        ("<pre>a<br>b</pre>", "a\nb"),
        ("<table><tr><td>t<pre>a\n b</pre></td><td>c</td></tr></table>", "t\n\na\n b\n\nc"),
        ("<blockquote>\n<p>a</p>\n</blockquote>\n<hr>\n<h2>b</h2>c", "a\n\nb\n\nc"),
        ("<p>10<sup>2</sup> H<sub>2</sub>O 4<sup>th</sup></p>", "10² H₂O 4th"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td><p>1</p></td><td>2</td></tr></table>", "a\tb\n1\t2"),
        ("<table><tr><td>a<td>b", "a\tb"),
        ("<p>a<!-- begin snippet: js -->b<script>c()</script><style>d</style></p>", "ab"),
        ('<p><a href="u">text</a> <img src="i" alt="enter image description here"> end</p>', "text end"),
        ("a&nbsp;b", "a b"),
        ("a < b and c > d &bogus; &amp;lt;", "a < b and c > d &bogus; &lt;"),
        ("", ""), (" \n ", ""), ("plain", "plain"), ("<ul><li></li></ul>after", "after"),
    ],
)  # fmt: skip
def test_html_to_text(html, text):
    assert plain_text(html) == text


def test_one_post_leaves_nothing_in_the_next():
    assert plain_text("<ul><li><pre>a<sup><table><tr><td>b<script>") == "- a\n\nb"
    assert plain_text("<p>c  d</p>") == "c d"


@given(st.text(max_size=300), st.lists(st.sampled_from("p li ul ol pre br td tr table sup sub script div".split())))
def test_any_html_gives_text_without_controls(text, names):
    pieces = [f"<{name}>{text[i : i + 5]}" + (f"</{name}>" if i % 2 else "") for i, name in enumerate(names)]
    found = plain_text("".join(pieces) + text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", found)
    assert found == found.strip("\n")


@given(st.lists(st.text("ab <&\"'\n é", min_size=1), min_size=1))
def test_code_keeps_every_line(lines):
    code = "\n".join(f"|{line}|" for line in lines)
    escaped = code.replace("&", "&amp;").replace("<", "&lt;")
    assert plain_text(f"<p>before</p><pre><code>{escaped}</code></pre>") == f"before\n\n{code}"


@pytest.mark.parametrize(
    "bomb",
    ["<div>", "<sup>a", "<ul><li>x", "<table><tr><td>x", "<pre>", "<p> ", "<td> ", "<b><i></b>x", "<", "&amp;", "<!--"],
)
def test_text_grows_with_the_html_and_no_faster(bomb):
    assert len(plain_text(bomb * 100_000)) <= 20 * len(bomb) * 100_000
