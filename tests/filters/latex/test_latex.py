"""The real submissions as texts, counted by code that is not the expander's."""

import re
import statistics

import pyarrow as pa

from filters import latex
from filters.latex.expansion import expand
from filters.latex.projects import project, tex_files
from pipelines.documents import SCHEMA
from pipelines.readers.arxiv import FILES
from tests.filters.latex.count_macros import body, count, visible


def test_macros_are_expanded(submissions, papers):
    counts = {name: count(files, papers[name].main, papers[name].text) for name, files in submissions.items()}
    used = [c for c in counts.values() if c.uses]
    assert len(used) >= 20
    assert sum(c.uses for c in used) >= 20_000
    assert sum(c.with_arguments for c in used) >= 1_000
    assert statistics.median(c.share for c in used) == 1
    assert min(c.share for c in used) >= 0.9


def test_the_count_sees_what_is_not_expanded(submissions, papers):
    name = "2401.00023"
    files, main = submissions[name], papers[name].main
    found = count(files, main, body(files, main, set()).partition("\\begin{document}")[2])
    assert found.uses >= 500
    assert found.share < 0.05


def test_no_comment_is_left(submissions, papers):
    comments = [c for files in submissions.values() for f in files.values() for c in re.findall(r"(?m)^%.*", f)]
    assert len(comments) >= 1_000
    for name, paper in papers.items():
        without_urls = re.sub(r"\\(?:url|href)\{[^{}]*\}", "", latex_only(paper.text))
        assert re.findall(r"(?<!\\)(?:\\\\)*%.*", without_urls) == [], name


def test_no_percent_sign_is_lost(submissions, papers):
    found = 0
    for name, files in submissions.items():
        source = without_bibliography(body(files, papers[name].main, set()))
        expected = source[first_section(source) :].count(r"\%")
        assert latex_only(papers[name].text).count(r"\%") == expected, name
        found += expected
    assert found >= 100


def test_verbatim_text_is_all_there(submissions, papers):
    raw = re.compile(r"\\begin\{(verbatim|lstlisting|minted)\}.*?\\end\{\1\}|\\verb([|+]).*?\2", re.DOTALL)
    candidates = 0
    for name, files in submissions.items():
        found = project(files)
        assert found is not None
        for reached in expand(files, found.root).reached & set(tex_files(files)):
            source = files[reached]
            source = re.sub(r"(?m)^%.*\n", "", source[first_section(source) :].partition("\\end{document}")[0])
            for match in raw.finditer(source):
                candidates += 1
                assert match[0] in papers[name].text, name
    assert candidates >= 100


def test_bibliographies_are_gone(submissions, papers):
    whole = "".join(f for files in submissions.values() for f in files.values())
    assert len(re.findall(r"\\bibitem|\\bibliography\b", whole)) >= 100
    for name, paper in papers.items():
        assert not re.search(r"\\bibitem\b|\\bibliography\b|\\begin\{thebibliography\}", latex_only(paper.text)), name


def test_every_text_starts_with_a_section(papers):
    assert len(papers) == 62
    assert all(re.match(r"\\(section|chapter)\b", paper.text) for paper in papers.values())


def test_without_macros_nothing_changes_but_comments_and_the_bibliography(submissions, papers):
    compared = 0
    for name, files in submissions.items():
        if len(files) == 1 and not papers[name].expanded:
            source = without_bibliography(body(files, papers[name].main, set()))
            source = re.sub(r"\\input\{[^}]*\}|\\bibliography(style)?\{[^}]*\}", "", source)
            expected = source[first_section(source) :].partition("\\end{document}")[0]
            assert papers[name].text.split() == expected.split(), name
            compared += 1
    assert compared >= 30


def test_files_are_in_the_order_of_their_inputs(submissions, papers):
    inputs = lines = 0
    for name, files in submissions.items():
        main = papers[name].main
        whole = without_bibliography(body(files, main, set())).partition("\\end{document}")[0]
        if (found := len(re.findall(r"\\(?:input|include)\s*\{", visible(files[main])))) == 0:
            continue
        inputs += found
        plain = re.findall(r"(?m)^[A-Za-z]+(?:,? [A-Za-z]+){5,}(?=[,.]? *$)", whole[first_section(whole) :])
        places = {line: papers[name].text.find(line) for line in plain if whole.count(line) == 1}
        assert [line for line, place in places.items() if place < 0] == [], name
        assert list(places.values()) == sorted(places.values()), name
        lines += len(places)
    assert inputs >= 100
    assert lines >= 1_000


def test_clean_writes_texts_and_reasons():
    rows = [
        ({"main.tex": r"\documentclass{a}\begin{document}\section{S} Text.\end{document}"}, None),
        ({"main.tex": "%auto-ignore\n"}, None),
        ({"own.sty": ""}, None),
        ({}, "damaged_archive"),
    ]
    batch = pa.RecordBatch.from_pylist(
        [
            {
                "id": f"arxiv/test/{number}", "source": "arxiv", "text": "", "metadata": [("arxiv_id", str(number))],
                "dropped": dropped, "files": [{"name": n, "text": t} for n, t in files.items()],
            }
            for number, (files, dropped) in enumerate(rows)
        ],
        schema=SCHEMA.append(FILES),
    )  # fmt: skip
    cleaned = latex.clean(batch)
    assert cleaned["dropped"].to_pylist() == [None, latex.NOTHING_LEFT, latex.NO_TEX, "damaged_archive"]
    assert cleaned["text"].to_pylist() == [r"\section{S} Text.", "", "", ""]
    assert cleaned["metadata"].to_pylist()[0] == [("arxiv_id", "0"), ("main_file", "main.tex")]
    assert cleaned["files_reached"].to_pylist() == [1, 1, None, None]
    assert latex.clean(batch, min_characters=100)["dropped"][0].as_py() == latex.TOO_SHORT


def latex_only(text: str) -> str:
    """The text without what is verbatim."""
    environments = r"\\begin\{(verbatim\*?|Verbatim|lstlisting|minted)\}.*?\\end\{\1\}"
    text = re.sub(environments, "", text, flags=re.DOTALL)
    return re.sub(r"\\(?:verb|lstinline)\*?([^A-Za-z\s*{])[^\n]*?\1", "", text)


def without_bibliography(source: str) -> str:
    return re.sub(r"\\begin\{thebibliography\}.*?\\end\{thebibliography\}", "", source, flags=re.DOTALL)


def first_section(source: str) -> int:
    match = re.search(r"\\(?:section|chapter)\b", source[source.find("\\begin{document}") :])
    return 0 if match is None else max(0, source.find("\\begin{document}")) + match.start()
