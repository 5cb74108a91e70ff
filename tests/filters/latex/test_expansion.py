"""What a macro stands for, seen in the text of small documents."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.latex import flatten
from filters.latex.expansion import Budget, expand

Files = dict[str, str]


def text(body: str, preamble: str = "", **others: str) -> str:
    """The text of a document; other files by name, `_` standing for the dot."""
    files = {name.replace("_", "."): source for name, source in others.items()}
    files["main.tex"] = f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    paper = flatten(files)
    assert paper is not None
    return paper.text


@pytest.mark.parametrize(
    ("definition", "use", "expected"),
    [
        (r"\newcommand{\R}{\mathbb{R}}", r"$x\in\R^n$", r"$x\in\mathbb{R}^n$"),
        (r"\newcommand\R{\mathbb{R}}", r"$\R$", r"$\mathbb{R}$"),
        (r"\newcommand*{\x}[2]{#2-#1}", r"\x{a}{b}", "b-a"),
        (r"\newcommand{\x}[2][d]{#1+#2}", r"\x{a} \x[b]{c}", "d+a b+c"),
        (r"\newcommand{\x}[1]{<#1>}", r"\x a\x\alpha", r"<a><\alpha>"),
        (r"\renewcommand{\vec}[1]{\mathbf{#1}}", r"$\vec{v}$", r"$\mathbf{v}$"),
        (r"\providecommand{\x}{one}\providecommand{\x}{two}", r"\x", "one"),
        (r"\def\x#1#2{#2#1}", r"\x ab", "ba"),
        (r"\def\pair(#1,#2){#1 and #2}", r"\pair(one,{t,o})", "one and t,o"),
        (r"\def\upto#1.{[#1]}", r"\upto the end. More.", "[the end] More."),
        (r"\long\gdef\x#1{(#1)}", r"\x{a}", "(a)"),
        (r"\edef\x{\y}\def\y{2}", r"\x", "2"),
        (r"\def\y{1}\edef\x{\y}\def\y{2}", r"\x\y", "12"),
        (r"\let\eps\varepsilon", r"$\eps$", r"$\varepsilon$"),
        (r"\let\old\emph\renewcommand{\emph}[1]{\old{#1!}}", r"\emph{a}", r"\emph{a!}"),
        (r"\def\a{1}\let\b=\a\def\a{2}", r"\a\b", "21"),
        (r"\DeclareMathOperator{\tr}{tr}", r"$\tr A$", r"$\operatorname{tr}A$"),
        (r"\DeclareMathOperator*\argmax{arg\,max}", r"$\argmax_x$", r"$\operatorname*{arg\,max}_x$"),
        (r"\DeclareRobustCommand{\x}{y}", r"\x", "y"),
        (r"\DeclarePairedDelimiter{\abs}{|}{|}", r"\abs{x}\abs*{y}", r"|x|\left|y\right|"),
        (r"\DeclarePairedDelimiterX{\inp}[2]{<}{>}{#1\delimsize|#2}", r"\inp{x}{y}\inp*{x}{y}\inp[\big]{x}{y}",
            r"<x|y>\left<x\middle|y\right>\big<x\big|y\big>"),
        (r"\NewDocumentCommand{\x}{O{d}m}{#1#2}", r"\x{a}\x[b]{c}", "dabc"),
        (r"\NewDocumentCommand\x{O{} O{e{f}} m}{(#1,#2,#3)}", r"\x{a}\x[b]{c}\x[b][d]{c}",
            "(,e{f},a)(b,e{f},c)(b,d,c)"),
        (r"\NewDocumentCommand\x{O{<#2>} O{#1} m}{(#1,#2,#3)}", r"\x{a}\x[b]{c}\x[b][d]{c}", "(<>,,a)(b,b,c)(b,d,c)"),
        (r"\NewDocumentCommand\x{O{#2} m}{#1-#2}", r"\x{a}\x[b]{c}", "a-ab-c"),
        (r"\NewDocumentCommand\x{s m t+}{\IfBooleanTF{#1}{star}{plain} #2\IfBooleanT{#3}{!}}", r"\x{a}. \x*{b}+.",
            "plain a. star b!."),
        (r"\NewDocumentCommand\x{d<> D(){none} g}{#2\IfValueT{#1}{[#1]}\IfValueT{#3}{#3}}", r"\x<a>(b){c}\x.",
            "b[a]cnone."),
        (r"\NewDocumentCommand{\x}{om}{\IfNoValueTF{#1}{none}{#1}#2}", r"\x{a}\x[b]{c}", "noneabc"),
        (r"\newenvironment{i}{\begin{quote}}{\end{quote}}", r"\begin{i}x\end{i}", r"\begin{quote}x\end{quote}"),
        (r"\makeatletter\def\x{\@ifstar\y\z}\def\y{s}\def\z{p}\makeatother", r"\x* \x.", "s p."),
        (r"\makeatletter\def\x{\@ifnextchar[{\y}{\y[d]}}\def\y[#1]{<#1>}\makeatother", r"\x\x[e]", "<d><e>"),
        (r"\expandafter\def\csname odd1\endcsname{here}", r"\csname odd1\endcsname", "here"),
        (r"\expandafter\newcommand\csname x\endcsname{here}", r"\x{} \csname x\endcsname", "here{} here"),
        (r"\def\loop#1{\ifx\loop#1\else\expandafter\def\csname b#1\endcsname{<#1>}\expandafter\loop\fi}\loop ab\loop",
            r"\ba\bb", "<a><b>"),
        (r"\newcommand\perpto{\protect\mathpalette{\protect\p}{\perp}}\def\p#1#2{{#1#2}}", r"$\perpto$",
            r"$\protect\protect{\textstyle\perp}$"),
        (r"\newboolean{a}\setboolean{a}{true}\newtoggle{b}", r"\ifthenelse{\boolean{a}}{1}{2}\ifbool{b}{1}{2}", "12"),
        (r"\newbool{a}\booltrue{a}\ifthenelse{\not\boolean{a}}{\def\x{1}}{\def\x{2}}", r"\x", "2"),
        (r"\newcommand{\x}[1][]{\ifthenelse{\isempty{#1}}{1}{2}\ifblank{#1}{3}{4}}", r"\x\x[a]", "1324"),
        (r"\newcommand{\x}[1]{\ifthenelse{\equal{#1}{\alpha}}{1}{2}}", r"\x{\alpha}\x{\beta}", "12"),
        (r"\def\v{full}", r"\ifthenelse{\equal{\v}{full}}{1}{2}\ifthenelse{2<1}{1}{2}", "12"),
        (r"\makeatletter\renewcommand\section{\@startsection{section}{1}{0pt}{1pt}{1pt}{\bf}}", r"\section{T}",
            r"\section{T}"),
        (r"\newcommand{\make}[2]{\newcommand{#1}{[#2]}}\make{\x}{made}", r"\x", "[made]"),
        (r"\def\a{\b}\def\b{\c}\def\c{deep}", r"\a", "deep"),
        (r"\def\x#1{\def\y##1{#1##1}}\x{a}", r"\y{b}", "ab"),
        (r"\newcommand{\eg}{e.g.\xspace}", r"\eg this, \eg, that", "e.g. this, e.g., that"),
        (r"\newcommand{\eM}{machine\xspace}", "\\item \\eM\n  \\item \\eM", "\\item machine\n\\item machine"),
        (r"\newif\ifdraft \drafttrue", r"\ifdraft a\else b\fi", "a"),
        (r"\newif\ifdraft", r"\ifdraft a\else b\fi", "b"),
        ("", r"a\iffalse gone \ifx\x\y also \fi gone\fi b", "ab"),
        (r"\def\msun{\ifmmode M\else $M$\fi}", r"$\msun$ and \msun", "$M$ and $M$"),
        (r"\def\msun{\ifmmode M\else $M$\fi}", r"$\text{a \msun}$", "$\\text{a $M$}$"),
        (r"\def\n{2}", r"\ifnum\n>1 many\else one\fi", "many"),
        (r"\def\n{1}", r"\ifcase\n zero\or one\else more\fi", "one"),
    ],
)  # fmt: skip
def test_a_definition_is_expanded(definition, use, expected):
    assert text(f"\\section{{S}}\n{use}", definition) == f"\\section{{S}}\n{expected}"


@pytest.mark.parametrize(
    "body",
    [
        r"\newcommand{\x", r"\newcommand{x}{y}", r"\def x{y}", r"\def\x#2{y}", r"\x{undefined}", r"\let x", r"\begin{x",
        r"\ifdim 1pt<2pt a\else b\fi", r"\unknown[a]{b}", r"\newcommand{\x}[12]{y}", r"a \fi b \else c", r"\csname a",
        r"\ifthenelse{\boolean{unknown}}{a}{b}", r"\setboolean{unknown}{true}",
    ],
)  # fmt: skip
def test_what_is_not_well_formed_stays(body):
    assert text(f"\\section{{S}}\n{body}") == f"\\section{{S}}\n{body}"


def test_a_use_without_its_arguments_stays():
    assert text(r"\section{S} {\x} \x(1", r"\def\x(#1){#1}") == r"\section{S} {\x} \x(1"


def test_a_definition_ends_with_its_group():
    assert text(r"\section{S} {\def\x{in}\x} \x", r"\def\x{out}") == r"\section{S} {in} out"
    assert text(r"\section{S} {\gdef\x{in}} \x", r"\def\x{out}") == r"\section{S} {} in"
    assert text(r"\section{S} \begin{a}\def\x{in}\x\end{a} \x", r"\def\x{out}") == r"\section{S} \begin{a}in\end{a} out"


def test_definitions_in_the_body_go_with_their_lines():
    assert text("\\section{S}\none\n\\newcommand{\\x}{two}\n\\x\n\nthree") == "\\section{S}\none\ntwo\n\nthree"


def test_a_control_word_and_a_letter_keep_apart():
    assert text(r"\section{S} $\x{}y \x y \z{y}$", r"\def\x{\alpha}\def\z#1{\beta#1}") == (
        r"\section{S} $\alpha{}y \alpha y \beta y$"
    )


def test_a_macro_that_is_a_whole_argument_becomes_a_group():
    macros = r"\def\a{x+1}\def\b{y}"
    body = r"\section{S} $\frac\a\b \hat\a \frac12 \frac {ab} {cd} \mathbf {ef} \frac {ab}\a$"
    assert (
        text(body, macros)
        == r"\section{S} $\frac{x+1}{y} \hat{x+1} \frac12 \frac {ab} {cd} \mathbf {ef} \frac{ab}{x+1}$"
    )


def test_definitions_of_the_submissions_own_packages_and_classes_count():
    files = {
        "own_sty": r"\newcommand{\x}{from a package}",
        "paper_cls": r"\LoadClass{article}\newcommand\y{from a class}",
    }
    main = "\\documentclass{paper}\\usepackage[a]{other, own}\\begin{document}\\section{S}\n\\x, \\y\n\\end{document}"
    paper = flatten({"main.tex": main, **{name.replace("_", "."): source for name, source in files.items()}})
    assert paper is not None
    assert paper.text == "\\section{S}\nfrom a package, from a class"


def test_a_package_may_give_symbols_another_meaning_and_a_class_another_look():
    definitions = r"\renewcommand{\vec}[1]{\bm{#1}} \renewcommand{\P}{\mathbb{P}} \renewcommand{\emph}[1]{!}"
    assert text(r"$\P(\vec{x})$ \emph{y}", r"\usepackage{own}", own_sty=definitions) == r"$\mathbb{P}(\bm{x})$ \emph{y}"
    assert text(r"$\P(\vec{x})$", r"\LoadClass{own}", own_cls=definitions) == r"$\P(\vec{x})$"


def test_a_classs_machinery_stays_as_it_is():
    style = r"\def\section{\@startsection{section}{1}} \newcommand{\keep}[1]{\gdef\@keep{#1}} \def\show{\kern@internal}"
    body = r"\section{S} \keep{text} \show"
    assert text(body, r"\usepackage{own}", own_sty=style) == body


def test_what_looks_at_the_next_token_is_text_in_a_package_too():
    package = (
        r"\DeclareRobustCommand\dot{\futurelet\@let@token\@dot}\def\@dot{\ifx\@let@token.\else.\fi}\def\eg{e.g\dot}"
    )
    assert text(r"\eg, \eg.", r"\usepackage{own}", own_sty=package) == "e.g., e.g."


def test_amstex_defines_and_ends_in_its_own_way():
    paper = flatten({"a.tex": "\\input amstex\n\\define\\x{X}\\head 1\\endhead \\x\n\\enddocument behind"})
    assert paper is not None
    assert paper.text == "\\head 1\\endhead X"


def test_comments_go_and_percent_signs_stay():
    body = "\\section{S}% one\n5\\% of% two\n  it\\\\% three\n% four\nnext% five\n\nlast"
    assert text(body) == "\\section{S}5\\% ofit\\\\next\n\nlast"


@pytest.mark.parametrize(
    "verbatim",
    [
        "\\begin{verbatim}\n% kept \\x\n\n\n\n  \\end{verbatim}", "\\begin{lstlisting}[a=b]\nx % y\n\\end{lstlisting}",
        r"\verb|% \x|", r"\verb*+%+", r"\lstinline[language=C]!a % b!", r"\lstinline{a % b}", r"\url{http://a/b%20c}",
        r"\lstinline{a_%d}, and", r"\mintinline{c}{a % b}", r"\href{http://a/%7Eb}{text}",
        "\\begin{minted}{c}\n%\n\\end{minted}",
    ],
)  # fmt: skip
def test_verbatim_text_is_kept_as_it_is(verbatim):
    assert text(f"\\section{{S}}\n{verbatim} end % gone", r"\def\x{wrong}") == f"\\section{{S}}\n{verbatim} end"


def test_a_macro_may_stand_for_a_verbatim_command():
    own = r"\newcommand{\code}{\lstinline}\newcommand{\v}{\verb}"
    assert text(r"\section{S} \code{a % b} \v|%|", own) == r"\section{S} \lstinline{a % b} \verb|%|"


def test_verbatim_environments_of_the_authors_own_are_known():
    own = r"\lstnewenvironment{code}{}{}\MakeShortVerb{\|}\DefineVerbatimEnvironment{out}{Verbatim}{}"
    body = "\\section{S}\n\\begin{code}\n% a\n\\end{code} |%| \\begin{out}\n%\n\\end{out}"
    assert text(body, own) == body


def test_comment_environments_go():
    assert text("\\section{S}\na\\begin{comment}\n\\section{no}\n\\end{comment}b") == "\\section{S}\nab"


def test_files_are_put_where_they_are_input():
    body = "\\section{S}\n\\input{b} \\include{c.tex} \\input a\n\\subfile{sub/d}"
    sub = "\\documentclass[../main]{subfiles}\\begin{document}four\\end{document} no"
    files = {"a.tex": "three", "b.tex": "one", "c.tex": "two", "sub/d.tex": sub}
    main = f"\\documentclass{{article}}\\begin{{document}}{body}\\end{{document}}"
    paper = flatten({"main.tex": main, **files, "other.tex": "unused"})
    assert paper is not None
    assert paper.text.split() == ["\\section{S}", "one", "two", "three", "four"]
    assert (paper.reached, paper.unreached, paper.missing) == (5, 1, 0)


def test_import_looks_in_its_folder_and_what_is_missing_is_counted():
    files = {"parts/a.tex": r"one \input{b}", "parts/b.tex": "two"}
    main = r"\documentclass{a}\begin{document}\section{S}\import{parts/}{a} \input{../../etc/passwd}\end{document}"
    paper = flatten({"main.tex": main, **files})
    assert paper is not None
    assert paper.text == r"\section{S}one two"
    assert paper.missing == 1


@pytest.mark.parametrize(
    "preamble",
    [
        r"\def\x{\x}", r"\def\x{a\x b}", r"\def\x{\y}\def\y{\x}", r"\newcommand{\x}[1]{\x{#1#1}}",
        "".join(rf"\def\{a}{{" + rf"\{b}" * 10 + "}" for a, b in pairwise("xabcdefghij")) + r"\def\j{!}",
    ],
)  # fmt: skip
def test_recursion_and_ten_levels_of_ten_end_and_the_rest_is_expanded(preamble):
    result = expand(
        {"m.tex": rf"\documentclass{{a}}{preamble}\def\fine{{fine}}\begin{{document}}\x{{q}} \fine\end{{document}}"},
        "m.tex",
    )
    assert "".join(result.pieces) == r"\x{q} fine"
    assert result.refused == 1


def test_files_that_input_themselves_ten_at_a_time_end():
    files = {f"f{i}.tex": (rf"\input{{f{i + 1}}} " * 10) for i in range(10)} | {"f10.tex": "x" * 1000}
    files["m.tex"] = r"\documentclass{a}\begin{document}\input{f0}\input{m}\end{document}"
    budget = Budget.of(files)
    assert sum(map(len, expand(files, "m.tex").pieces)) <= budget.characters + 1_000


def test_when_the_budget_is_spent_the_rest_is_copied_without_comments():
    body = r"\section{S} " + r"\x " * 50 + "last % comment"
    result = expand(
        {"m.tex": rf"\documentclass{{a}}\def\x{{y}}\begin{{document}}{body}\end{{document}}"},
        "m.tex",
        Budget(200, 10**6),
    )
    found = "".join(result.pieces)
    assert result.spent
    assert found.startswith(r"\section{S} yy")
    assert found.endswith(r"\x \x last ")


def test_when_the_budget_is_spent_the_end_of_a_group_brings_no_macro_back():
    body = r"{\def\x{y}" + r"\x " * 50 + r"}\x"  # the outer one never ends
    main = rf"\documentclass{{a}}\def\x{{z\x}}\begin{{document}}{body}\end{{document}}"
    result = expand({"m.tex": main}, "m.tex", Budget(200, 10**6))
    assert result.spent
    assert "".join(result.pieces).endswith(r"\x }\x")


PIECES = r"""
    \def \newcommand \renewcommand \let \edef \gdef \a \b \x \else \fi \iffalse \iftrue \ifx \newif \ifa \begin{a}
    \end{a}
    \begin{verbatim} \end{verbatim} \verb \url \input \input{b} { } [ ] # #1 ##1 #2 $ $$ % | * = < 1 9 ~ \\ \% \csname
    \expandafter \endcsname \makeatletter \@ifstar \@ifnextchar \frac \hat \xspace \section{ \begin{document} \ifnum
    \end{document} \ifcase \or \string \mathchoice \futurelet \newenvironment{a} \begin{thebibliography} \global \long
    \usepackage{b} \MakeShortVerb text é
""".split()
TEX = st.lists(st.sampled_from([*PIECES, "\n", "\n\n", " ", "\0", "\t"]), max_size=60).map("".join)


@given(TEX, TEX, TEX)
def test_any_source_gives_a_text_and_never_an_error(preamble, body, other):
    source = f"\\documentclass{{b}}{preamble}\\begin{{document}}{body}\\end{{document}}"
    files = {"m.tex": source, "b.tex": other, "b.sty": other, "b.cls": preamble}
    budget = Budget(20_000, 10_000)
    result = expand(files, "m.tex", budget)
    assert sum(map(len, result.pieces)) < 2_000_000
    assert flatten(files) == flatten(files)


@given(st.text("ab \n.{}$é", max_size=200))
def test_text_without_commands_is_not_changed(body):
    pieces = expand({"m.tex": f"\\documentclass{{a}}\\begin{{document}}{body}\\end{{document}}"}, "m.tex").pieces
    assert "".join(pieces) == body
