"""Which part of a document is its text."""

import pytest

from filters.latex import flatten


def text(body: str) -> str:
    paper = flatten({"main.tex": f"\\documentclass{{a}}\\begin{{document}}{body}\\end{{document}} behind"})
    assert paper is not None
    return paper.text


@pytest.mark.parametrize("section", [r"\section{One}", r"\section*{One}", r"\chapter[1]{One}", r"\part{One}"])
def test_what_stands_before_the_first_section_goes(section):
    assert text(rf"\title{{T}}\maketitle\begin{{abstract}}A\end{{abstract}} {section} B") == f"{section} B"


def test_without_a_section_the_text_starts_with_the_abstract():
    assert text(r"\title{T}\begin{abstract}A\end{abstract} B") == r"\begin{abstract}A\end{abstract} B"


def test_without_a_section_and_abstract_the_whole_body_stays():
    assert text("One. Two.") == "One. Two."


def test_acknowledgements_are_no_first_section():
    assert text(r"A letter. \section*{Acknowledgements} Thanks.") == r"A letter. \section*{Acknowledgements} Thanks."


def test_a_section_in_verbatim_text_is_none():
    assert text("A \\verb|\\section{x}| B") == "A \\verb|\\section{x}| B"


@pytest.mark.parametrize(
    "bibliography",
    [
        r"\begin{thebibliography}{9}\bibitem{a} A.\end{thebibliography}",
        r"\bibliographystyle{plain}\bibliography{refs}{}",
        r"\section*{References}\small\begin{enumerate}\item A\end{enumerate}", r"\section*{References} [1] A. B.",
        r"\printbibliography[title=References]", r"\section*{References}\begin{references}\reference A\end{references}",
        r"\begin{thebibliography}{9}\bibitem{a} not closed", r"\input{main.bbl}", r"\Refs \ref\no 1 \endRefs",
    ],
)  # fmt: skip
def test_the_bibliography_goes(bibliography):
    assert text(f"\\section{{S}} Text. {bibliography}\\section{{T}} More.") == r"\section{S} Text. \section{T} More."


def test_a_bibliography_file_is_not_included():
    main = r"\documentclass{a}\begin{document}\section{S} Text.\input{main.bbl}\end{document}"
    paper = flatten({"main.tex": main, "main.bbl": r"\begin{thebibliography}{9}\bibitem{a}\end{thebibliography}"})
    assert paper is not None
    assert (paper.text, paper.unreached, paper.missing) == (r"\section{S} Text.", 0, 0)


def test_plain_tex_starts_at_once_and_ends_with_bye():
    paper = flatten({"paper.tex": "\\def\\x{words}\nSome \\x.\n\\bye behind"})
    assert paper is not None
    assert paper.text == "Some words."


def test_no_tex_is_no_paper():
    assert flatten({}) is None
    assert flatten({"a.sty": r"\def\x{y}"}) is None
