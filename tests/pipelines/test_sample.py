"""The embedded sample: real formats, our own prose, the same bytes each time."""

import base64
import bz2
import gzip
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import sysconfig
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import py7zr
import py7zr.io
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from pipelines.errors import UserError
from pipelines.sample import build, build_sample, packages
from pipelines.sample.dump import NAMESPACES, WikiPage, multistream, single_stream
from pipelines.sample.markup import Kind, blocks, plain, to_page, to_wikitext, wikitext
from pipelines.sample.packages import Module, Section
from pipelines.sample.pages import articles, web_pages
from pipelines.sample.stackexchange import read_posts
from pipelines.sample.wet import WebPage, wet_members

from .sources.chains import counts, run_chain, texts

ROOT = Path(__file__).parents[2]
PROSE = ROOT / "pipelines" / "sample" / "prose"
LANGUAGE_MODEL = Path(sys.prefix, "share", "altiplano", "lid.176.ftz")
PAPERS = ROOT / "pipelines" / "sample" / "papers"
QUESTIONS = sorted((ROOT / "pipelines" / "sample" / "questions").glob("*.md"))
MET = {  # what each source drops or passes over
    "c4": {"dropped: empty", "reader: c4: row without text", "reader: json: not an object"},
    "github": {
        f"dropped: {reason}"
        for reason in (
            "binary", "duplicate", "duplicate_cleaned", "extension", "few_alphanumeric", "few_letters", "generated",
            "license", "license_unknown", "long_line", "long_lines", "no_content", "no_text_left", "not_utf8",
            "vendored",
        )
    },
    "books": {
        "dropped: near_duplicate", "dropped: no_text_left", "dropped: not_text", "reader: tar: not a .txt file",
    },
    "arxiv": {
        "dropped: damaged_archive", "dropped: no_text_left", "dropped: postscript", "reader: member: pdf",
    },
    "stackexchange": {
        "dropped: no_text_left", "reader: orphan answer", "reader: post of type 5", "reader: repeated id",
        "reader: row: not well-formed",
    },
}  # fmt: skip
Chain = Callable[[str], tuple[dict[str, int], pa.Table]]
EXPORT = "{http://www.mediawiki.org/xml/export-0.10/}"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "raw data"
    build_sample(folder)
    return folder


@pytest.fixture(scope="module")
def chain(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A source's own chain over its files: what its readers and its last stage count, and the clean documents."""

    @cache
    def run(name: str) -> tuple[dict[str, int], pa.Table]:
        out, pattern = tmp_path_factory.mktemp(name), "**" if name == "stackexchange" else "*"
        done = run_chain(name, {"inputs": {"sample": [f"{name}/{pattern}"]}}, sample, out)
        last = list(done)[-1]
        met = {
            reason: number
            for stage in done
            for reason, number in counts(done, stage).items()
            if stage == last or reason.startswith("reader: ")
        }
        return met, texts(done, last, out)

    return run


def prose_pages() -> list[Path]:
    return sorted([*PROSE.glob("en/*.txt"), *PROSE.glob("de/*.txt")])


def whole_wet_files(sample: Path) -> list[Path]:
    return sorted(sample.glob("web/*-0000?.warc.wet.gz"))


def gzip_members(data: bytes) -> Iterator[bytes]:
    while data:
        member = zlib.decompressobj(wbits=31)
        yield member.decompress(data)
        assert member.eof
        data = member.unused_data


def bzip2_streams(data: bytes) -> Iterator[bytes]:
    while data:
        stream = bz2.BZ2Decompressor()
        yield stream.decompress(data)
        assert stream.eof
        data = stream.unused_data


def wiki_pages(dump: Path) -> list[ElementTree.Element]:
    return ElementTree.fromstring(bz2.decompress(dump.read_bytes())).findall(f"{EXPORT}page")


def text_of(page: ElementTree.Element) -> str:
    return page.findtext(f"{EXPORT}revision/{EXPORT}text") or ""


class TestProse:
    def test_there_are_44_pages_in_two_languages(self) -> None:
        assert len(list(PROSE.glob("en/*.txt"))) >= 26
        assert len(list(PROSE.glob("de/*.txt"))) >= 18

    @pytest.mark.parametrize("path", prose_pages(), ids=lambda path: path.stem)
    def test_each_is_a_title_and_a_text_of_250_to_600_words(self, path: Path) -> None:
        title, *lines = path.read_text(encoding="utf-8").splitlines()
        assert 5 < len(title) < 80
        assert 250 <= sum(len(line.split()) for line in lines) <= 600

    def test_no_line_stands_twice(self) -> None:
        lines = [line for path in prose_pages() for line in path.read_text(encoding="utf-8").splitlines()]
        assert [line for line, count in Counter(lines).items() if count > 1] == []

    def test_pages_share_no_run_of_eight_words(self) -> None:
        seen: dict[tuple[str, ...], str] = {}
        for path in prose_pages():
            words = re.findall(r"\w+", path.read_text(encoding="utf-8").lower())
            for run in set(zip(*(words[start:] for start in range(8)), strict=False)):
                assert seen.setdefault(run, path.stem) == path.stem

    def test_the_language_identifier_agrees(self) -> None:
        if not LANGUAGE_MODEL.exists():
            pytest.skip("the language model is not there: run `make setup`")
        import fasttext

        paths = prose_pages()
        texts = [path.read_text(encoding="utf-8").replace("\n", " ") for path in paths]
        labels, scores = fasttext.load_model(str(LANGUAGE_MODEL)).predict(texts)
        assert [label[0] for label in labels] == [f"__label__{path.parent.name}" for path in paths]
        assert min(score[0] for score in scores) > 0.8


class TestWetFiles:
    def test_fastwarc_reads_every_record(self, sample: Path) -> None:
        counts = json.loads((sample / "sample.json").read_bytes())["counts"]
        read = 0
        for path in whole_wet_files(sample):
            with path.open("rb") as stream:
                first, *records = [
                    (record.record_type, dict(record.headers), record.reader.read())
                    for record in ArchiveIterator(stream, parse_http=False)
                ]
            assert first[0] == WarcRecordType.warcinfo
            assert first[1]["WARC-Filename"] == path.name
            assert all(kind == WarcRecordType.conversion for kind, _, _ in records)
            read += len(records)
        assert 0.97 * counts["web_pages"] < read <= counts["web_pages"]  # the rest is in the truncated file

    def test_each_record_is_a_gzip_member_with_true_headers(self, sample: Path) -> None:
        identifiers: list[bytes] = []
        for path in whole_wet_files(sample):
            for member in gzip_members(path.read_bytes()):
                head, _, rest = member.partition(b"\r\n\r\n")
                version, *lines = head.split(b"\r\n")
                headers = dict(line.split(b": ", 1) for line in lines)
                block = rest[: int(headers[b"Content-Length"])]
                assert version == b"WARC/1.0"
                assert rest[len(block) :] == b"\r\n\r\n"
                digest = base64.b32encode(hashlib.sha1(block).digest())
                assert headers[b"WARC-Block-Digest"] == b"sha1:" + digest
                assert re.fullmatch(rb"<urn:uuid:[0-9a-f-]{36}>", headers[b"WARC-Record-ID"])
                assert re.fullmatch(rb"2022-08-\d\dT\d\d:\d\d:\d\dZ", headers[b"WARC-Date"])
                identifiers.append(headers[b"WARC-Record-ID"])
        assert len(identifiers) == len(set(identifiers))

    def test_conversion_headers_are_those_of_common_crawl(self) -> None:
        _, member = wet_members("x.warc.wet.gz", [WebPage("https://a.example/", "eng", ["A title", "Text."])])
        head = gzip.decompress(member).partition(b"\r\n\r\n")[0].decode()
        assert [line.partition(":")[0] for line in head.split("\r\n")] == [
            "WARC/1.0", "WARC-Type", "WARC-Target-URI", "WARC-Date", "WARC-Record-ID", "WARC-Refers-To",
            "WARC-Block-Digest", "WARC-Identified-Content-Language", "Content-Type", "Content-Length",
        ]  # fmt: skip

    def test_the_first_line_is_the_title(self, sample: Path) -> None:
        blocks_read = b"".join(gzip_members(whole_wet_files(sample)[0].read_bytes())).split(b"\r\n\r\nWARC/1.0")[1:]
        titles = [block.partition(b"\r\n\r\n")[2].split(b"\n")[0] for block in blocks_read]
        assert all(titles)
        assert sum(b"documentation" in title for title in titles) > 100

    def test_files_are_of_even_size(self, sample: Path) -> None:
        sizes = [sum(map(len, gzip_members(path.read_bytes()))) for path in whole_wet_files(sample)]
        assert 6 <= len(sizes) <= 8
        assert max(sizes) < 1.1 * min(sizes)
        assert 10e6 < sum(sizes) < 15e6

    def test_one_file_ends_in_the_middle_of_a_record_and_one_is_empty(self, sample: Path) -> None:
        data = (sample / "web" / "CC-MAIN-SAMPLE-truncated.warc.wet.gz").read_bytes()
        whole = 0
        while True:
            member = zlib.decompressobj(wbits=31)
            member.decompress(data)
            if not member.eof:
                break
            whole, data = whole + 1, member.unused_data
        assert whole > 10
        assert data
        assert (sample / "web" / "CC-MAIN-SAMPLE-empty.warc.wet.gz").stat().st_size == 0

    def test_filters_have_work(self, sample: Path) -> None:
        texts = []
        for path in whole_wet_files(sample):
            with path.open("rb") as stream:
                for record in ArchiveIterator(stream, parse_http=False, record_types=WarcRecordType.conversion):
                    texts.append(record.reader.read().decode().partition("\n")[2])
        lines = Counter(line for text in texts for line in text.splitlines())
        assert sum(len(text) < 300 for text in texts) > 5
        assert sum(count for count in lines.values() if count > 1) > 0.2 * lines.total()
        assert any(all(lines[line] > 1 for line in text.splitlines()) for text in texts)


class TestDumps:
    def test_multistream_holds_a_hundred_pages_a_stream_at_most(self, sample: Path) -> None:
        header, *streams, footer = bzip2_streams((sample / "wikipedia" / build.ENGLISH_DUMP).read_bytes())
        assert header.startswith(b"<mediawiki ")
        assert header.rstrip().endswith(b"</siteinfo>")
        assert footer == b"</mediawiki>\n"
        counts = [stream.count(b"<page>") for stream in streams]
        assert len(counts) > 5
        assert set(counts[:-1]) == {100}
        assert all(stream.lstrip().startswith(b"<page>") for stream in streams)

    def test_the_german_dump_is_one_stream(self, sample: Path) -> None:
        assert len(list(bzip2_streams((sample / "wikipedia" / build.GERMAN_DUMP).read_bytes()))) == 1

    @pytest.mark.parametrize(("name", "language"), [(build.ENGLISH_DUMP, "en"), (build.GERMAN_DUMP, "de")])
    def test_an_xml_parser_reads_it(self, sample: Path, name: str, language: str) -> None:
        root = ElementTree.fromstring(bz2.decompress((sample / "wikipedia" / name).read_bytes()))
        site = root.find(f"{EXPORT}siteinfo")
        assert site is not None
        assert site.findtext(f"{EXPORT}dbname") == f"{language}wiki"
        assert {int(entry.get("key", "")): entry.text or "" for entry in site.iter(f"{EXPORT}namespace")} == NAMESPACES[
            language
        ]
        pages = root.findall(f"{EXPORT}page")
        ids = [int(page.findtext(f"{EXPORT}id") or 0) for page in pages]
        titles = [page.findtext(f"{EXPORT}title") or "" for page in pages]
        assert ids == sorted(set(ids))
        assert len(titles) == len(set(titles))
        for page, title in zip(pages, titles, strict=True):
            namespace = NAMESPACES[language][int(page.findtext(f"{EXPORT}ns") or 0)]
            assert not namespace or title.startswith(f"{namespace}:")
            assert text_of(page)

    def test_there_are_articles_redirects_and_pages_that_are_no_articles(self, sample: Path) -> None:
        pages = wiki_pages(sample / "wikipedia" / build.ENGLISH_DUMP)
        namespaces = Counter(page.findtext(f"{EXPORT}ns") for page in pages)
        redirects = sum(page.find(f"{EXPORT}redirect") is not None for page in pages)
        assert namespaces.keys() >= {"0", "1", "8", "10", "14", "828"}
        assert redirects > 10
        assert namespaces["0"] - redirects > 300
        models = {page.findtext(f"{EXPORT}revision/{EXPORT}model") for page in pages}
        assert models == {"wikitext", "javascript", "Scribunto"}

    def test_articles_use_the_markup_that_real_ones_use(self, sample: Path) -> None:
        source = "\n".join(text_of(page) for page in wiki_pages(sample / "wikipedia" / build.ENGLISH_DUMP))
        for mark in (
            "{{convert|", "{{lang|", "{{formatnum:", "{{Infobox", "<ref", "{{cite", "[[File:", "[[Category:", "<math",
            "<syntaxhighlight", "{|", "<!--", "<gallery", "{{frac|", "{{val|", "{{nowrap|", "{{birth date|",
        ):  # fmt: skip
            assert mark in source, mark
        assert 6e6 < len(source) < 9e6

    def test_no_documentation_is_in_both(self, sample: Path) -> None:
        crawled = b"".join(gzip.decompress(path.read_bytes()) for path in whole_wet_files(sample)).decode()
        names = re.findall(r"^(\S+) — \S+ \S+ documentation$", crawled, flags=re.MULTILINE)
        source = "\n".join(text_of(page) for page in wiki_pages(sample / "wikipedia" / build.ENGLISH_DUMP))
        written = re.findall(r"^\| name = (\S+)$", source, flags=re.MULTILINE)
        assert len(names) > 1000
        assert len(written) > 300
        assert set(names) & set(written) == set()

    def test_characters_that_xml_reserves_come_back(self) -> None:
        text = 'a < b & "c" > d'
        for dump in (multistream("en", [WikiPage("A & B", text)]), single_stream("en", [WikiPage("A & B", text)])):
            (page,) = ElementTree.fromstring(bz2.decompress(dump)).findall(f"{EXPORT}page")
            assert (page.findtext(f"{EXPORT}title"), text_of(page)) == ("A & B", text)


class TestOtherSources:
    """The five sources beside web and wikipedia: their own chains take their files, and each rule finds something."""

    @pytest.mark.parametrize("name", MET)
    def test_each_keeps_documents_and_drops_some_and_no_file_is_unreadable(self, chain: Chain, name: str) -> None:
        said, kept = chain(name)
        assert {reason for reason in said if reason.startswith(("dropped: ", "reader: "))} == MET[name]
        assert len(kept) == said["kept"] == len(set(kept["id"].to_pylist()))
        assert sum(map(len, kept["text"].to_pylist())) > 12_000  # a window of the trainer has a thousand or so

    def test_c4_has_the_columns_and_lines_of_the_published_rows(self, sample: Path) -> None:
        lines = [
            line
            for path in sorted(sample.glob("c4/c4-train.0000?-of-00002.json.gz"))
            for line in gzip.decompress(path.read_bytes()).decode().splitlines()
        ]
        rows = [json.loads(line) for line in lines[:-3]]
        assert {tuple(row) for row in rows} == {("text", "timestamp", "url")}
        found = [line for row in rows for line in row["text"].splitlines()]
        assert len(found) == len(set(found))
        assert all(line.endswith((".", "?", "!", '"')) and len(line.split()) >= 5 for line in found)

    def test_the_export_has_the_columns_of_bigquery_under_several_licences(self, sample: Path) -> None:
        json_lines = gzip.decompress((sample / "github" / "contents-000000000000.json.gz").read_bytes()).splitlines()
        table = pq.read_table(sample / "github" / "contents-000000000001.parquet")
        rows = [*map(json.loads, json_lines), *table.to_pylist()]
        assert {tuple(row) for row in rows} == {
            ("id", "size", "content", "binary", "copies", "repo_name", "ref", "path", "mode", "license")
        }
        assert {row["license"] for row in rows} >= {"mit", "bsd-3-clause", "apache-2.0", "mpl-2.0", "psf-2.0"}
        for row in rows[:20]:
            data = row["content"].encode()
            assert row["id"] == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def test_the_later_edition_is_the_one_that_stays(self, chain: Chain) -> None:
        _, kept = chain("books")
        facts = {row["id"].removeprefix("books/sample/"): dict(row["metadata"]) for row in kept.to_pylist()}
        assert facts.keys() == {"pg90001.txt", "pg90002-8.txt", "plain.tar/plain/manual.txt"}
        assert facts["pg90002-8.txt"]["encoding"] == "cp1252"
        assert not any("project gutenberg" in text.lower() for text in kept["text"].to_pylist())

    def test_papers_leave_no_macro_of_their_own(self, chain: Chain) -> None:
        _, kept = chain("arxiv")
        text = "\n".join(kept["text"].to_pylist())
        assert len(kept) == len(list(PAPERS.iterdir()))
        source = "".join(path.read_text() for path in sorted(PAPERS.rglob("*.*")))
        own = set(re.findall(r"\\(?:newcommand|renewcommand|DeclareMathOperator|def)\*?\{?\\(\w+)", source))
        assert len(own) > 15
        assert [name for name in own if re.search(rf"\\{name}(?![A-Za-z])", text)] == []
        assert text.count("\\section") > 15
        assert "withdrawn" not in text

    @pytest.mark.parametrize("source", QUESTIONS, ids=lambda path: path.stem)
    def test_answers_come_later_than_their_questions_and_among_others(self, source: Path) -> None:
        posts = read_posts(source)
        asked = [post.thread for post in posts if post.title is not None]
        assert asked == sorted(set(asked))
        assert {post.thread for post in posts} == set(asked)
        for number, post in enumerate(posts):
            assert post.title is not None or post.thread in {earlier.thread for earlier in posts[:number]}
        assert any(first.thread > second.thread for first, second in itertools.pairwise(posts))

    def test_tags_are_written_as_old_dumps_and_as_new_ones_do(self, sample: Path) -> None:
        new = (sample / "stackexchange" / "terminal.example" / "Posts.xml").read_text("utf-8-sig")
        assert 'Tags="|python|files|"' in new
        with py7zr.SevenZipFile(sample / "stackexchange" / "workbench.example.7z") as archive:
            factory = py7zr.io.BytesIOFactory(1 << 20)
            archive.extract(targets=["Posts.xml"], factory=factory)
        old = factory.products["Posts.xml"].read().decode("utf-8-sig")
        assert 'Tags="&lt;clocks&gt;&lt;pendulum&gt;"' in old


class TestBuild:
    def test_two_builds_are_the_same_bytes(self, sample: Path, tmp_path: Path) -> None:
        other = tmp_path / "elsewhere"
        command = "import sys, pathlib, pipelines.sample as s; s.build_sample(pathlib.Path(sys.argv[1]))"
        done = subprocess.run(
            [sys.executable, "-c", command, str(other)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        files = sorted(path.relative_to(sample) for path in sample.rglob("*") if path.is_file())
        assert files == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
        assert [name for name in files if (sample / name).read_bytes() != (other / name).read_bytes()] == []

    def test_no_path_of_this_machine_is_in_it(self, sample: Path) -> None:
        places = {str(ROOT), sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"), str(sample.parent)}
        contents = [(sample / "sample.json").read_bytes()]
        contents += [gzip.decompress(path.read_bytes()) for path in whole_wet_files(sample)]
        contents += [bz2.decompress(path.read_bytes()) for path in sample.glob("wikipedia/*.bz2")]
        contents += [gzip.decompress(path.read_bytes()) for path in sample.glob("c4/*.gz")]
        contents += [(sample / name).read_bytes() for name in ("books/plain.tar", "github/checkouts.tar")]
        for content, place in itertools.product(contents, places - {"/", "/usr"}):
            assert place.encode() not in content

    def test_a_second_call_touches_nothing(self, sample: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in sample.rglob("*")}
        counts = build_sample(sample)
        assert counts == json.loads((sample / "sample.json").read_bytes())["counts"]
        assert {path: path.stat().st_mtime_ns for path in sample.rglob("*")} == before


class TestBuildFolder:
    """What happens to folders, with a sample of one small file."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(build, "_write", self.write)

    @staticmethod
    def write(folder: Path) -> dict[str, int]:
        folder.mkdir()
        (folder / "page").write_text("text")
        return {"web_pages": 1}

    def test_a_lost_file_is_built_again(self, tmp_path: Path) -> None:
        build_sample(tmp_path / "sample")
        (tmp_path / "sample" / "page").unlink()
        assert build_sample(tmp_path / "sample") == {"web_pages": 1}
        assert (tmp_path / "sample" / "page").exists()

    def test_a_sample_of_other_packages_is_built_again(self, tmp_path: Path) -> None:
        build_sample(tmp_path / "sample")
        stamp = json.loads((tmp_path / "sample" / "sample.json").read_bytes())
        (tmp_path / "sample" / "sample.json").write_text(json.dumps({**stamp, "version": "older"}))
        (tmp_path / "sample" / "page").write_text("old!")
        build_sample(tmp_path / "sample")
        assert (tmp_path / "sample" / "page").read_text() == "text"

    def test_an_unreadable_stamp_is_no_finished_sample(self, tmp_path: Path) -> None:
        build_sample(tmp_path / "sample")
        (tmp_path / "sample" / "sample.json").write_text('{"version": ')
        assert build_sample(tmp_path / "sample") == {"web_pages": 1}

    def test_a_folder_with_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "mine").write_text("mine")
        with pytest.raises(UserError, match="not the sample"):
            build_sample(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    def test_an_empty_folder_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "sample").mkdir()
        assert build_sample(tmp_path / "sample") == {"web_pages": 1}

    def test_a_build_that_fails_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(folder: Path) -> dict[str, int]:
            self.write(folder)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(build, "_write", full)
        with pytest.raises(OSError, match="No space"):
            build_sample(tmp_path / "sample")
        assert list(tmp_path.iterdir()) == []

    def test_a_package_that_is_missing_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(packages, "DISTRIBUTIONS", ("numpy", "no-such-package"))
        with pytest.raises(UserError, match=r"not installed \(no-such-package\): run `make setup`"):
            build_sample(tmp_path / "sample")


class TestMarkup:
    def test_wrapped_lines_become_a_paragraph(self) -> None:
        assert to_page(blocks("One sentence that\ngoes on.\n\nAnother.")) == ["One sentence that goes on.", "Another."]

    def test_headings_are_known_by_their_underline(self) -> None:
        assert [block.kind for block in blocks("Notes\n-----\nText of the notes.")] == [Kind.HEADING, Kind.PARAGRAPH]

    def test_code_keeps_its_lines(self) -> None:
        read = blocks("Example::\n\n    a = 1\n    if a:\n        b = 2\n\nAnd on.")
        assert [block.kind for block in read] == [Kind.PARAGRAPH, Kind.CODE, Kind.PARAGRAPH]
        assert read[1].text == "a = 1\nif a:\n    b = 2"

    def test_parameters_are_items(self) -> None:
        read = blocks("Parameters\n----------\nx : int\n    The first\n    of two.\ny : int\n    The second.")
        assert [block.text for block in read[1:]] == ["x : int The first of two.", "y : int The second."]
        assert {block.kind for block in read[1:]} == {Kind.ITEM}

    def test_inline_marks_are_removed_from_pages(self) -> None:
        assert plain("see :func:`~a.b.c`, ``x`` and `the site <https://a.example>`_ [1]_") == "see c, x and the site 1"

    def test_inline_marks_become_wikitext(self) -> None:
        assert wikitext(":func:`~a.b.c` is ``x`` *or* **y**") == "[[a.b.c|c]] is <code>x</code> ''or'' '''y'''"
        assert wikitext("`the site <https://a.example>`_") == "[https://a.example the site]"
        assert wikitext("where $a < b$ holds") == r"where <math>a  \lt  b</math> holds"

    def test_what_wikitext_would_take_for_markup_is_escaped(self) -> None:
        assert wikitext("a {{b}} [[c]] <d>") == "a &#123;&#123;b&#125;&#125; &#91;&#91;c&#93;&#93; &lt;d>"
        assert to_wikitext(blocks("# not a list\nbut words"), level=3)[0] == "=== not a list ==="

    def test_brackets_that_are_not_markup_stay_out_of_articles(self) -> None:
        assert to_wikitext(blocks("Before.\n\n>>> f([[1, 2]])\n\nThe value {{x}}.\n\nAfter."), level=3) == [
            "Before.",
            "After.",
        ]

    def test_every_word_of_a_long_module_is_on_some_page(self) -> None:
        sections = [Section(f"f{number}", "()", blocks(f"word{number} " * 300)) for number in range(20)]
        module = Module("numpy", "1.0", "numpy.sample", blocks("A module."), sections)
        shown = " ".join(line for page in web_pages(module) for line in page.lines)
        written = " ".join(page.text for page in articles(module))
        for number in range(20):
            assert shown.count(f"word{number} ") >= 300
            assert written.count(f"word{number} ") >= 299
