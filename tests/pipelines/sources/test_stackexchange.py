"""Sites to threads, by the source's own chain."""

import io
import re
from collections import Counter
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import py7zr
import pytest

from filters.threads import plain_text
from pipelines.sources import stackexchange
from pipelines.sources.stackexchange import site_name
from tests.pipelines.sources.chains import Done, counts, run_chain, texts


def build(path: Path, out: Path, **settings) -> tuple[list[dict], Done]:
    """A site's documents, and its tasks' records."""
    done = run_chain("stackexchange", {"inputs": {"dump": [str(path)]}, **settings}, path.parent, out)
    return texts(done, "stackexchange.clean", out).to_pylist(), done


def posts(*rows: str) -> str:
    return '<?xml version="1.0"?>\n<posts>\n' + "\n".join(rows) + "\n</posts>"


def row(**attributes: object) -> str:
    return "<row " + " ".join(f'{name}="{escape(str(value))}"' for name, value in attributes.items()) + " />"


SITE = posts(
    row(Id=3, PostTypeId=2, ParentId=1, Score=9, Body="<p>nine</p>"),
    row(Id=1, PostTypeId=1, Score=5, Title="Why?", Body="<p>I ask.</p>", Tags="|a|b|", CreationDate="2020-01-02"),
    row(Id=4, PostTypeId=2, ParentId=1, Score=10, Body="<p>ten</p>", ContentLicense="CC BY-SA 4.0"),
    row(Id=5, PostTypeId=2, ParentId=99, Score=1, Body="an orphan"),
    row(Id=6, PostTypeId=4, Body="a tag's wiki"),
    row(Id=7, PostTypeId=1, Score=0, Title="", Body="<img src='x'>"),
)


def test_a_site_becomes_its_threads(tmp_path):
    (tmp_path / "a.stackexchange.com").mkdir()
    path = tmp_path / "a.stackexchange.com" / "Posts.xml"
    path.write_text(SITE)
    documents, done = build(path, tmp_path / "out")
    [document] = documents
    assert document["id"] == "stackexchange/dump/a.stackexchange.com/1"
    assert document["text"] == "Why?\n\nI ask.\n\nten\n\nnine"
    assert document["answers"] == 2
    assert dict(document["metadata"]) == {
        "site": "a.stackexchange.com", "question_id": "1", "url": "https://a.stackexchange.com/questions/1",
        "title": "Why?", "score": "5", "tags": "a b", "created": "2020-01-02", "license": "CC BY-SA 4.0",
    }  # fmt: skip
    assert counts(done, "stackexchange.cut") == {"posts": 5, "reader: post of type 4": 1}
    cleaned = counts(done, "stackexchange.clean")
    assert (cleaned["reader: orphan answer"], cleaned["dropped: no_text_left"]) == (1, 1)


def test_a_7z_and_its_plain_file_make_the_same_documents(tmp_path):
    plain = tmp_path / "a.example.org" / "Posts.xml"
    plain.parent.mkdir()
    plain.write_text(SITE)
    with py7zr.SevenZipFile(tmp_path / "a.example.org.7z", "w") as archive:
        archive.write(plain, "Posts.xml")
    assert build(plain, tmp_path / "1")[0] == build(tmp_path / "a.example.org.7z", tmp_path / "2")[0]


def test_pieces_buckets_and_groups_of_any_size_make_the_same_threads(tmp_path, shared_data, monkeypatch):
    path = shared_data / "stackexchange" / "coffee.stackexchange.com.7z"
    whole, done = build(path, tmp_path / "1")
    assert len(done["stackexchange.clean"]) == 1
    monkeypatch.setattr(stackexchange, "GROUP_BYTES", 5_000)
    monkeypatch.setattr(stackexchange, "BUCKET_BYTES", 50_000)
    monkeypatch.setattr("pipelines.buckets.WAITING_BYTES", 100_000)
    cut, done = build(path, tmp_path / "2", piece_bytes=100_000)
    assert len(done["stackexchange.clean"]) >= 5
    assert len(whole) >= 100
    assert [d["id"] for d in cut] != [d["id"] for d in whole]
    assert sorted(cut, key=lambda d: d["id"]) == sorted(whole, key=lambda d: d["id"])


def test_a_thread_that_is_too_large_is_dropped_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(stackexchange, "MAX_DOCUMENT_BYTES", 1_000)
    answers = [row(Id=10 + i, PostTypeId=2, ParentId=1, Score=i, Body="x" * 100) for i in range(20)]
    path = tmp_path / "big.7z"
    path.write_text(posts(row(Id=1, PostTypeId=1, Title="Hot"), row(Id=2, PostTypeId=1, Title="Cold"), *answers))
    documents, done = build(path, tmp_path / "out")
    assert [document["text"] for document in documents] == ["Cold"]
    assert counts(done, "stackexchange.clean")["dropped: too_large"] == 1


def test_what_was_cut_short_is_said_by_the_task_that_read_it(tmp_path):
    path = tmp_path / "a.com.xml"
    path.write_text(SITE[: SITE.index('<row Id="7"') + 20])
    documents, done = build(path, tmp_path / "out")
    assert len(documents) == 1
    [record] = done["stackexchange.cut"].values()
    assert record.truncated == "the file ends without </posts>"


@pytest.mark.parametrize(
    ("path", "site"),
    [
        ("/data/beer.stackexchange.com.7z", "beer.stackexchange.com"),
        ("s3://bucket/stackoverflow.com-Posts.7z", "stackoverflow.com"),
        ("/data/math.stackexchange.com/Posts.xml", "math.stackexchange.com"),
        ("Posts.xml", "Posts"),
    ],
)
def test_the_site_is_in_the_path(path, site):
    assert site_name(path) == site


def test_every_real_thread_has_its_answers_by_numeric_score(tmp_path, shared_data):
    """Against the file read another way: all of it at once, by ElementTree."""
    checked = as_text = 0
    tagged = Counter[str]()  # by the first character: old dumps write <a><b>, new ones |a|b|
    for path in sorted((shared_data / "stackexchange").glob("*.7z")):
        with py7zr.SevenZipFile(path) as archive:
            factory = py7zr.io.BytesIOFactory(1 << 30)
            archive.extract(targets=["Posts.xml"], factory=factory)
        xml = next(iter(factory.products.values()))
        xml.seek(0)
        root = ElementTree.fromstring(xml.read())
        questions = {r.get("Id"): r for r in root if r.get("PostTypeId") == "1"}
        answers: dict[str, list[ElementTree.Element]] = {}
        for r in root:
            if r.get("PostTypeId") == "2":
                answers.setdefault(r.get("ParentId"), []).append(r)
        documents, done = build(path, tmp_path / path.name)
        assert len(documents) == counts(done, "stackexchange.clean")["read"] == len(questions)
        for document in documents:
            metadata = dict(document["metadata"])
            question = questions[metadata["question_id"]]
            ranked = sorted(answers.get(question.get("Id"), []), key=lambda a: (-int(a.get("Score")), int(a.get("Id"))))
            parts = [plain_text(post.get("Body")) for post in (question, *ranked)]
            title = " ".join(question.get("Title").split())
            assert document["text"] == "\n\n".join(filter(None, [title, *parts]))
            assert metadata.get("tags", "").split() == re.findall(r"[^<>|]+", question.get("Tags", ""))
            tagged[question.get("Tags", "")[:1]] += 1
            checked += len(ranked) > 1
            by_text = sorted(ranked, key=lambda a: (a.get("Score"), a.get("Id")), reverse=True)
            as_text += [a.get("Score") for a in by_text] != [a.get("Score") for a in ranked]
    assert checked >= 100
    assert as_text >= 50  # so many that a score sorted as text would get wrong
    assert min(tagged["<"], tagged["|"]) >= 100


def test_code_blocks_of_real_posts_keep_every_line(tmp_path, shared_data):
    blocks = lines = 0
    for path in sorted((shared_data / "stackexchange").glob("*.7z")):
        stream = io.BytesIO(path.read_bytes())
        for batch in stackexchange.read_posts(stream, report=stackexchange.ReadReport()):
            for body in batch["body"].to_pylist():
                for code in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", body, re.DOTALL):
                    plain = re.sub("<[^>]+>", "", code).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
                    plain = plain.replace("&quot;", '"')
                    blocks += 1
                    lines += plain.count("\n")
                    assert plain.strip("\n") in plain_text(body)
    assert blocks >= 100
    assert lines >= 100
