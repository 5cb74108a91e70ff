"""Which file is the main one."""

import pytest

from filters.latex import project

PAPER = r"\documentclass{a}\begin{document}long enough \input{part}\end{document}"
LETTER = r"\documentclass{letter}\begin{document}Dear editor\end{document}"

# Read by a person. Left out: submissions of one TeX file, which are 34 of the 62.
MAIN_FILES = {
    "1708.00137": "main.tex", "1803.07574": "main.tex",
    "2401.00001": "main.tex",  # its hott-*.tex set a page size, then input it
    "2401.00002": "Paper.tex",
    "2401.00003": "paper.tex",  # not a cover letter, supplement or rebuttal
    "2401.00004": "histo.tex", "2401.00005": "short.tex",
    "2401.00006": "main.tex",  # not its highlights
    "2401.00007": "sizing.tex",  # two papers, of which this is the longer
    "2401.00008": "paper.tex",  # not a cover letter or rebuttal
    "2401.00009": "ms.tex", "2401.00010": "ms.tex", "2401.00011": "ms.tex", "2401.00012": "ms.tex",
    "2401.00013": "ms.tex",
    "2401.00014": "ms.tex",  # inputs its sections; master.tex is an older copy in one piece
    "2401.00015": "ms.tex", "2401.00019": "ms.tex", "2401.00020": "ms.tex", "2401.00021": "ms.tex",
    "2401.00022": "ms.tex", "2401.00023": "ms.tex",
    "2401.00025": "ms.tex",  # inputs its sections; arxiv.tex is a copy in one piece
    "2401.00026": "ms.tex",
}  # fmt: skip


def main(**files: str) -> str:
    found = project({name.replace("_", "."): source for name, source in files.items()})
    assert found is not None
    return found.main


def test_the_file_that_reaches_most_text_wins():
    assert main(a_tex=LETTER, z_tex=PAPER, part_tex="words " * 100) == "z.tex"
    assert main(a_tex=LETTER + "% " + "comment " * 100, z_tex=PAPER, part_tex="words") == "z.tex"


def test_a_class_in_an_input_file_counts():
    preamble, body = (
        r"\documentclass{a}",
        r"\input{preamble}\begin{document} much longer than any letter \end{document}",
    )
    assert main(preamble_tex=preamble, paper_tex=body, letter_tex=LETTER) == "paper.tex"


def test_chapters_that_can_stand_alone_are_not_the_main_file():
    chapter = r"\documentclass[main]{subfiles}\begin{document}" + "words " * 50 + r"\end{document}"
    whole = r"\documentclass{book}\begin{document}\subfile{a}\end{document}"
    assert main(a_tex=chapter, main_tex=whole) == "main.tex"


def test_a_wrapper_is_the_root_and_the_document_the_main_file():
    found = project({"a4.tex": r"\def\size{a4}\input{book}", "book.tex": PAPER, "part.tex": "words"})
    assert found is not None
    assert (found.root, found.main) == ("a4.tex", "book.tex")
    found = project({"paper.tex": r"\input{start} words \end{document}", "start.tex": PAPER.partition(r"\end")[0]})
    assert found is not None
    assert found.main == "paper.tex"  # what only begins a document is none


@pytest.mark.parametrize(
    "readme",
    [
        {"00README.XXX": "a.tex toplevelfile\n"},
        {"00README.json": '{"sources": [{"filename": "a.tex", "usage": "toplevel"}]}'},
    ],
)
def test_the_readme_decides(readme):
    found = project({"a.tex": LETTER, "z.tex": PAPER, **readme})
    assert found is not None
    assert found.main == "a.tex"


def test_a_file_without_a_class_is_better_than_none():
    assert main(a_tex="\\begin{document}text\\end{document}", b_tex="words " * 100) == "a.tex"
    assert main(b_tex="words") == "b.tex"


def test_the_real_main_files(submissions):
    found = {name: project(files) for name, files in submissions.items()}
    assert sum(p is not None and p.main == "main.tex" for n, p in found.items() if n not in MAIN_FILES) == 38
    assert {name: p.main for name, p in found.items() if p is not None and name in MAIN_FILES} == MAIN_FILES
