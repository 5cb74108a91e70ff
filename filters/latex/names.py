"""Names that LaTeX and its usual packages give a meaning: what the filter knows of them without reading them."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _commands(text: str) -> frozenset[str]:
    return frozenset("\\" + name for name in text.split())


VERBATIM_ENVIRONMENTS = _words("""
    verbatim verbatim* Verbatim Verbatim* BVerbatim BVerbatim* LVerbatim LVerbatim* SaveVerbatim verbatimtab
    listing* lstlisting lstlisting* minted minted* alltt Sinput Soutput Code CodeInput CodeOutput Scode
    filecontents filecontents* asy asydef luacode luacode* pycode pyconsole sagesilent sageblock spverbatim
    verbatimwrite boxedverbatim rawhtml tcblisting
""")  # fmt: skip

FILE_CONTENTS = _words("filecontents filecontents*")
COMMENT_ENVIRONMENTS = _words("comment")

# Environments that are the document's structure: a redefinition changes their looks, not what they mean.
STRUCTURE_ENVIRONMENTS = VERBATIM_ENVIRONMENTS | COMMENT_ENVIRONMENTS | _words("""
    document abstract thebibliography references bibdiv biblist figure figure* table table* tabular tabular* equation
    equation* align align* eqnarray eqnarray* gather gather* multline multline* itemize enumerate description quote
    quotation verse center flushleft flushright minipage appendix appendices titlepage list trivlist array picture
    tikzpicture frame algorithm algorithmic deluxetable deluxetable* longtable proof
""")  # fmt: skip

BIBLIOGRAPHY_ENVIRONMENTS = ("thebibliography", "references", "references*", "bibdiv", "biblist", "biblist*")

MATH_ENVIRONMENTS = {
    name + star: "display"
    for name in """equation align alignat flalign eqnarray gather multline displaymath dmath dgroup IEEEeqnarray
                   subequations empheq xalignat""".split()
    for star in ("", "*")
} | {"math": "inline"}
del MATH_ENVIRONMENTS["subequations"], MATH_ENVIRONMENTS["subequations*"]

# Commands whose argument is set as text again inside of a formula.
TEXT_BOXES = _commands("""
    text mbox hbox vbox textrm textit textbf textsf texttt textnormal textup textsl textsc intertext shortintertext
    makebox fbox framebox parbox footnote
""")  # fmt: skip

# Commands that take the next token as it stands: a macro there becomes a group, or it would fall apart.
BARE_ARGUMENTS = {
    **dict.fromkeys(_commands("""
        sqrt hat bar tilde vec dot ddot dddot acute grave breve check mathring overline underline widehat widetilde
        overbrace underbrace overrightarrow overleftarrow mathbf mathcal mathbb mathrm mathit mathsf mathtt mathfrak
        mathscr mathnormal boldsymbol bm operatorname text mbox textbf textit textrm textsf texttt textsc emph
        ensuremath
    """), 1),
    **dict.fromkeys(_commands("""
        frac dfrac tfrac cfrac sfrac nicefrac binom dbinom tbinom overset underset stackrel
    """), 2),
}  # fmt: skip

# Letters, accents, alphabets and symbols: a package that defines one of these again gives it another meaning.
SYMBOLS = _commands("""
    frac sqrt sum prod int lim log sin cos mathrm mathbf mathit mathsf mathtt mathcal mathbb mathfrak mathscr
    boldsymbol overline underline hat tilde bar vec dot ddot widehat widetilde ldots dots cdots ss ae AE oe OE aa AA
    o O l L i j S P copyright pounds dag ddag c b d t u v H k r
""")  # fmt: skip

# What LaTeX or a usual package defines: a class that defines one of these again changes how it looks.
STANDARD = SYMBOLS | _commands("""
    begin end document title author date thanks and maketitle abstract part chapter section subsection subsubsection
    paragraph subparagraph appendix tableofcontents listoffigures listoftables caption label ref pageref eqref cite
    citep citet citealt citealp citeauthor citeyear citeyearpar citetext nocite bibitem newblock bibliography
    bibliographystyle footnote footnotemark footnotetext marginpar item emph textbf textit textrm textsf texttt textsc
    textsl textup textmd textnormal textsuperscript textsubscript em bf it rm sf tt sc sl cal mit normalfont tiny
    scriptsize footnotesize small normalsize large Large LARGE huge Huge url href path nolinkurl email
    includegraphics input include usepackage centering raggedright raggedleft noindent indent par newline newpage
    clearpage cleardoublepage pagebreak linebreak nopagebreak nolinebreak hspace vspace hfill vfill smallskip
    medskip bigskip quad qquad hline cline multicolumn multirow toprule midrule bottomrule tabularnewline addlinespace
    left right middle big Big bigg Bigg text mbox hbox fbox parbox makebox framebox ensuremath index glossary
    printindex today verb markboth markright pagestyle thispagestyle pagenumbering onecolumn twocolumn setlength
    addtolength setcounter addtocounter stepcounter refstepcounter newtheorem qed qedhere cref Cref autoref textcolor
    color definecolor rule LaTeX TeX BibTeX string relax protect space affil affiliation keywords
""")  # fmt: skip

# Words of TeX that do things instead of printing: a class's macro that holds one is no text.
MACHINERY = _commands("""
    def gdef edef xdef let global long outer advance multiply divide setbox csname expandafter aftergroup
    afterassignment catcode lccode uccode begingroup endgroup bgroup egroup newcommand renewcommand providecommand
    newif setcounter addtocounter stepcounter refstepcounter setlength addtolength everypar everymath write
    immediate openout output shipout halign valign unhbox unvbox ifdim ifhmode ifvmode ifvoid ifcat ifcase ifnum
    addcontentsline addtocontents trivlist list penalty secdef kill noalign endhead endfirsthead endfoot endlastfoot
""")  # fmt: skip

# What looks at the next token leaves it here, in LaTeX and in the packages that do the same.
LOOKED_AT = _commands("@let@token")

# Conditionals that end in \\fi besides those that a file makes with \\newif.
CONDITIONALS = _commands("""
    if ifcat ifx ifnum ifdim ifodd ifvmode ifhmode ifmmode ifinner ifvoid ifhbox ifvbox ifeof iftrue iffalse ifcase
    ifdefined ifcsname iffontchar ifpdf ifpdfoutput ifxetex ifluatex ifPDFTeX ifXeTeX ifLuaTeX iflanguage
    ifpdfprimitive ifincsname if@twocolumn if@twoside if@filesw if@compatibility
""") - _commands("iflanguage")  # fmt: skip

UNDEFINED = _commands("undefined @undefined")

# Sections that may stand before the first real one, or be the only ones of a letter.
BACK_MATTER = r"(?:acknowledge?ments?|references|bibliography|literature cited)"
