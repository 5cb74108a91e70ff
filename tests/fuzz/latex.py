"""A submission's files, apart at form feeds, to one text: in bounded time and memory, the same every time."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from filters.latex import project
from filters.latex.body import main_text
from filters.latex.expansion import Budget, expand
from pipelines.documents import ReadReport
from pipelines.readers.arxiv import read_arxiv

MAX_BYTES = 1 << 11
BUDGET = Budget(tokens=1_000, characters=1 << 13)
NAMES = ("main.tex", "b.tex", "own.sty", "own.cls", "main.bbl")


WORDS = tuple(
    rb"""\def \edef \gdef \let \futurelet \expandafter \csname \endcsname \newcommand \renewcommand \input{b}
    \if \ifx \ifnum \else \fi \newif \begin{ \end{ \section{ \makeatletter \catcode \verb| \begin{verbatim}
    \bibliography{ \DeclareMathOperator \newenvironment \usepackage{own} #1 ##1 \number \string \the ^^ \@for
    \loop \repeat \romannumeral \jobname \begin{document} \end{document}""".split()
)


def one_input(data: bytes) -> None:
    files = dict(zip(NAMES, data.decode("utf-8", "replace").split("\f"), strict=False))
    result = expand(files, "main.tex", BUDGET)
    size = sum(map(len, files.values()))
    assert sum(map(len, result.pieces)) <= (BUDGET.tokens + BUDGET.characters + size) * 16
    assert result.reached <= files.keys() | {name for name in result.reached if name not in NAMES}
    main_text(result.pieces)
    project(files)


def seeds() -> Iterator[bytes]:
    main = rb"""\documentclass[a]{own}\usepackage{own}
\newcommand{\x}[2][d]{#1#2}\def\y#1.{[#1]}\let\z=\x\newif\ifa
\begin{document}\begin{abstract}A\end{abstract}\section{S}\x{a}\y b. \input{b}\z[c]d
\begin{verbatim}
%\x
\end{verbatim}\verb|%|5\%%c
\ifa a\else b\fi$\frac\a\b$\bibliography{r}\end{document}"""
    other = rb"\section{T} \own{t} \ifnum1<2 c\fi"
    style = rb"\newcommand{\own}[1]{\@ifstar{#1}{\@own{#1}}}\def\@own#1{<#1>}"
    class_ = rb"\LoadClass{article}\DeclareMathOperator*{\m}{m}\newenvironment{e}[1]{\begin{f}#1}{\end{f}}"
    yield b"\f".join((main, other, style, class_))
    yield rb"\def\a{\b\b}\def\b{\a\a}\edef\c{\a}\a\expandafter\def\csname q\endcsname{r}\q\bye"
    yield rb"\makeatletter\def\l#1{\@ifnextchar\bgroup{,\l}{.}}\l{a}{b}\futurelet\n\ifx\n\undefined\xspace\fi"


def real(folder: Path) -> Iterator[bytes]:
    """Where papers begin, with their macros, and where they end."""
    for path in folder.glob("arxiv/*.tar"):
        with path.open("rb") as stream:
            for batch in read_arxiv(stream, collection="", report=ReadReport()):
                papers = (max((f["text"] for f in files), key=len) for files in batch["files"].to_pylist() if files)
                yield from ((text[:1_000] + text[-500:]).encode()[:MAX_BYTES] for text in islice(papers, 12))
