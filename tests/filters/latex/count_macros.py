"""How many uses of a submission's macros are left in its text, counted with regular expressions and no expander.

python -m tests.filters.latex.count_macros shared/data/arxiv/arXiv_src_2401_001.tar
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filters.latex import flatten
from pipelines.documents import ReadReport
from pipelines.readers.arxiv import read_arxiv

_RAW = r"""
    \\begin\s*\{(?P<env>verbatim\*?|Verbatim|lstlisting|minted|alltt|filecontents\*?|comment)\}.*?\\end\{(?P=env)\}
  | \\(?:verb|lstinline)\*?(?P<bar>[^A-Za-z\s*{])[^\n]*?(?P=bar)
"""
_HIDDEN = re.compile(rf"(?P<kept>\\[\\%])|%[^\n]*\n?|{_RAW}", re.DOTALL | re.VERBOSE)
_NAME = r"(?:\{\s*(\\[A-Za-z@]+)\s*\}|(\\[A-Za-z@]+))"
_DEFINITION = re.compile(
    rf"\\(?:re|provide|new)(?:new)?command\*?\s*{_NAME}\s*(?:\[\d\]\s*)?(?:\[[^\]]*\]\s*)?(?=\{{)"
    rf"|\\[egx]?def\s*(\\[A-Za-z@]+)[^{{}}\n]*(?=\{{)"
    rf"|\\DeclareMathOperator\*?\s*{_NAME}\s*(?=\{{)"
    r"|\\let\s*(\\[A-Za-z@]+)\s*=?\s*(?P<target>\\[A-Za-z@]+|[^\s\\])"
)
_BIBLIOGRAPHY = re.compile(r"\\begin\{(thebibliography|references)\}.*?(?:\\end\{\1\}|\Z)", re.DOTALL)
# A class's macro that holds one of these does something instead of standing for text.
_MACHINERY = re.compile(
    r"\\[A-Za-z]*@[A-Za-z@]*|\\(?:[egx]?def|let|global|futurelet|advance|csname|expandafter|bgroup|egroup"
    r"|set(?:counter|length)|(?:ref)?stepcounter|(?:re|provide)?newcommand|write|secdef|if[a-z]+)\b"
)
# What stays LaTeX's own however a class or an author dresses it.
_STANDARD = frozenset(
    """
    begin end section subsection subsubsection paragraph chapter part title author date thanks maketitle caption label
    ref pageref eqref cite citep citet item footnote footnotetext footnotemark url href email small scriptsize
    normalsize multicolumn bibitem bibliography newblock appendix abstract keywords affiliation affil markboth
    """.split()
)


@dataclass(frozen=True)
class Count:
    """Uses of well-formed macros in a submission's body, those of macros with arguments among them, and how many uses
    of each macro are left in its text.
    """

    uses: int
    with_arguments: int
    left: Counter[str]

    @property
    def share(self) -> float:
        """The share that was expanded; 1 where there was nothing to expand."""
        return 1 - min(1.0, sum(self.left.values()) / self.uses) if self.uses else 1.0


def visible(source: str) -> str:
    """The source without comments and verbatim text."""
    return _HIDDEN.sub(lambda match: match["kept"] or "", source)


def _depth_zero(source: str) -> list[tuple[int, int]]:
    """The outermost braced groups."""
    groups, depth, start = [], 0, 0
    for match in re.finditer(r"\\.|[{}]", source, re.DOTALL):
        if match[0] == "{":
            start = match.start() if depth == 0 else start
            depth += 1
        elif match[0] == "}" and depth:
            depth -= 1
            if depth == 0:
                groups.append((start, match.end()))
    return groups


def _definitions(source: str) -> Iterator[tuple[str, str, int, int]]:
    """(name, replacement, start, end) of every well-formed definition."""
    for match in _DEFINITION.finditer(source):
        name = next(filter(None, match.groups()))
        if match["target"]:
            yield name, match["target"], match.start(), match.end()
            continue
        depth = 0
        for brace in re.compile(r"\\.|[{}]", re.DOTALL).finditer(source, match.end()):
            depth += (brace[0] == "{") - (brace[0] == "}")
            if depth == 0:
                yield name, source[match.end() : brace.end()], match.start(), brace.end()
                break


def body(files: Mapping[str, str], name: str, seen: set[str]) -> str:
    """The visible text of a file with the files it inputs in place."""
    seen.add(name)

    def included(match: re.Match[str]) -> str:
        stem = match[1].strip()
        path = next((p for p in (stem + ".tex", stem) if p in files and p not in seen), None)
        return "" if path is None else body(files, path, seen)

    return re.sub(r"\\(?:input|include)\s*\{([^{}]+)\}", included, visible(files[name]))


def count(files: Mapping[str, str], main: str, text: str) -> Count:
    """Macros of the .tex files that `main` reaches, and of the packages and classes that they load, against `text`.

    Of a package only definitions outside of others count, whose replacement is text.
    """
    whole = body(files, main, set())
    loading = re.finditer(r"\\(?:usepackage|documentclass)\s*(?:\[[^\]]*\])?\{([^{}]*)\}", whole)
    loaded = {name.strip() for match in loading for name in match[1].split(",")}
    names: dict[str, str] = {}
    spans = []
    for name, replacement, start, end in _definitions(whole):
        spans.append((start, end))
        if not re.search(re.escape(name) + r"(?![A-Za-z@])", replacement):
            names[name] = replacement
    for path, source in files.items():
        stem, _, extension = path.rpartition("/")[2].rpartition(".")
        if extension in ("sty", "cls") and stem in loaded:
            source = visible(source)
            inside = _depth_zero(source)
            for name, replacement, start, _ in _definitions(source):
                nested = any(a < start < b for a, b in inside)
                if not nested and not _MACHINERY.search(replacement):
                    names[name] = replacement
    for start, end in sorted(spans, reverse=True):
        whole = whole[:start] + whole[end:] if whole[start:end].count("\\newcommand") < 2 else whole
    _, begun, after = whole.partition("\\begin{document}")
    text_body = _BIBLIOGRAPHY.sub("", (after if begun else whole).partition("\\end{document}")[0])
    section = re.search(r"\\(?:section|chapter)\b", text_body)
    text_body = text_body[section.start() :] if section else text_body
    names = {name: replacement for name, replacement in names.items() if name[1:] not in _STANDARD}
    uses = [names[word] for word in re.findall(r"\\[A-Za-z]+", text_body) if word in names]
    left = Counter(word for word in re.findall(r"\\[A-Za-z]+", visible(text)) if word in names)
    return Count(len(uses), sum("#" in replacement for replacement in uses), left)


def main(archive: Path) -> None:
    """Print the count of every submission of an archive, the median and the worst."""
    shares = []
    with archive.open("rb") as stream:
        for batch in read_arxiv(stream, collection="", report=ReadReport()):
            for row in batch.to_pylist():
                files = {file["name"]: file["text"] for file in row["files"]}
                paper = flatten(files)
                if paper is not None:
                    found = count(files, paper.main, paper.text)
                    shares.append(found.share)
                    left = dict(found.left.most_common(5)) or ""
                    print(f"{row['id'][7:]:12} {paper.main:16} {found.uses:6} uses, {found.share:8.2%} expanded", left)
    print(f"median {sorted(shares)[len(shares) // 2]:.2%}, worst {min(shares):.2%}, of {len(shares)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
