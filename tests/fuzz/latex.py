"""A submission's files, apart at form feeds, to one text: in bounded time and memory, the same every time."""

from collections.abc import Iterator

from filters.latex import flatten
from filters.latex.expansion import Budget, expand

BUDGET = Budget(tokens=50_000, characters=1 << 17)
NAMES = ("main.tex", "b.tex", "own.sty", "own.cls", "main.bbl")


def one_input(data: bytes) -> None:
    files = dict(zip(NAMES, data.decode("utf-8", "replace").split("\f"), strict=False))
    result = expand(files, "main.tex", BUDGET)
    size = sum(map(len, files.values()))
    assert sum(map(len, result.pieces)) <= (BUDGET.tokens + BUDGET.characters + size) * 16
    assert result.reached <= files.keys() | {name for name in result.reached if name not in NAMES}
    flatten(files)


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
