"""What becomes of real files: for each source documents in, kept, and dropped by reason, and how fast its cleaning is
beside the bare library calls that it rests on.

    python -m benchmarks.sources --data FOLDER [--github EXPORT] [--datatrove PYTHON] [--dolma PYTHON] [--work FOLDER]

FOLDER is laid out as the demo's: web/ wikipedia/ books/ arxiv/ stackexchange/ c4/ github/. EXPORT is a GitHub export
(JSON lines or Parquet), for a FOLDER that has none. The files go through a run's own engine with configs/demo.yaml and
one worker; then C4 is built once more from the web pages. Counts and seconds are those of the run's task records.
Prints Markdown, as docs/sources.md.

mwparserfromhell and pylatexenc are measured where they are installed. datatrove (with spaCy) and dolma each want an
environment of their own, whose interpreter is named.
"""

import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks import floors
from pipelines.tasks import FAILED, Failure, Record, total_counts

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")
FOLDERS = {"commoncrawl": "web"}
DROPPED, READER = "dropped: ", "reader: "

MEANING = {
    "binary": "BigQuery gives no content, or it is no UTF-8",
    "brace": "C4: a line that stays holds `{`",
    "duplicate": "the same file, byte for byte, came before",
    "duplicate_cleaned": "the same file once its licence header is gone",
    "extension": "no programming or markup language that Pygments knows by this name",
    "few_alphanumeric": "under a quarter of its characters are letters or digits",
    "few_letters": "under 1.5 letters a token",
    "few_sentences": "C4: under three sentences are left",
    "generated": "its name or its first lines say that a tool wrote it",
    "javascript": "C4: lines about JavaScript",
    "language": "another language than those kept (c4, commoncrawl: English; wikipedia: the paper's twenty)",
    "language_score": "the language is too uncertain",
    "license": "not MIT, BSD or Apache",
    "license_unknown": "no licence that is recognised",
    "long_line": "a line over 1,000 characters",
    "long_lines": "a mean line over 100 characters",
    "lorem_ipsum": "C4: a filler text",
    "near_duplicate": "another edition of the same work stays",
    "no_content": "the row has none",
    "no_lines_left": "all its lines are repeated elsewhere",
    "no_text_left": "nothing but a licence header, or markup",
    "not_utf8": "no UTF-8",
    "perplexity_tail": "unlike Wikipedia, by the language model: beyond the 60th percentile",
    "repeated_url": "C4: another page of the same address came before",
    "page_too_long": "C4: over 190,000 characters",
    "too_large": "over 32 MB",
    "too_short": "under the source's minimum (commoncrawl: 300 characters)",
    "vendored": "its path says that others wrote it",
    # What readers meet apart from documents, by how its name begins.
    "file: decoded as": "no UTF-8: read as what it declares, or CP1252; nothing is lost",
    "member: ": "of an archive: no LaTeX source",
    "page: namespace": "no article, but a talk, a category, a template",
    "page: redirect": "no article",
    "post of type": "no question or answer, but a tag's wiki and the like",
    "siteinfo: another wiki's name": "the dump says another name than its file has; the file's name counts",
    "warc: ": "a record that is no page of text",
}


def pipelines(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pipelines", *arguments], cwd=ROOT, check=True, stdout=sys.stderr)


def lay_out(data: Path, github: Path | None, target: Path) -> list[str]:
    """Links to the sources' files below `target`; gives the sources that there are."""
    target.mkdir(parents=True)
    present = []
    for name in SOURCES:
        folder = data / FOLDERS.get(name, name)
        if name == "github" and github is not None:
            (target / name).mkdir()
            (target / name / github.name).symlink_to(github.resolve())
        elif folder.is_dir() and any(folder.iterdir()):
            (target / folder.name).symlink_to(folder.resolve())
        else:
            print(f"{name}: no files in {folder}: left out", file=sys.stderr)
            continue
        present.append(name)
    return present


def run(data: Path, out: Path, present: Sequence[str]) -> None:
    """Every source to clean text, then C4 from WET files beside it."""

    def config(weights: dict[str, float], *more: str) -> list[str]:
        absent = [f"{name}=null" for name in SOURCES if name not in weights]
        scaled = [f"{name}.weight={weight}" for name, weight in weights.items()]
        return ["--config", "configs/demo.yaml", "--workers", "1", f"data={data.resolve()}", *absent, *scaled, *more]

    even = dict.fromkeys(present, 1.0) | {present[0]: 101.0 - len(present)}
    if "commoncrawl" in present:
        pipelines("models", "--out", str(out / "all"), *config(even))
    pipelines("run", "--until", "text", "--out", str(out / "all"), *config(even))
    if "commoncrawl" in present:
        wet = ["c4.mode=from_wet", 'c4.inputs={sample: ["web/*"]}']
        pipelines("run", "--until", "text", "--out", str(out / "c4"), *config({"c4": 100.0}, *wet))


def records(out: Path, source: str) -> dict[str, list[Record]]:
    """The records of each of a source's stages, in the order in which they were done."""
    found: dict[str, list[Record]] = {}
    for path in (out / "tasks").glob(f"{source}.*/records.jsonl"):
        if path.parent.name != f"{source}.measure":
            found[path.parent.name] = [Record.from_json(line) for line in path.read_text().splitlines()]
    return dict(sorted(found.items(), key=lambda stage: max(record.run["started"] for record in stage[1])))


def left_out(out: Path, source: str) -> Counter[str]:
    """Why files could not be read, each file once."""
    failures = [Failure.from_json(p.read_bytes()) for p in (out / "tasks").glob(f"{source}.*/*{FAILED}")]
    return Counter({failure.key: failure.reason for failure in failures}.values())


def tables(sources: Iterable[tuple[str, Path, str]]) -> Iterator[str]:
    """Documents of each source, and its reasons in a line each."""
    rows, reasons = [], []
    for title, out, source in sources:
        stages = records(out, source)
        *before, last = stages.values()
        counts = total_counts(last)
        for earlier in before:  # what a first segment's reader met and the last one does not say
            counts |= Counter({k: n for k, n in total_counts(earlier).items() if k.startswith(READER)})
        dropped = {k.removeprefix(DROPPED): n for k, n in counts.items() if k.startswith(DROPPED)}
        share = counts["kept"] / max(counts["read"], 1)
        rows.append(
            f"| {title} | {counts['read']:,} | {counts['kept']:,} | {share:.0%} | {sum(dropped.values()):,} "
            f"| {counts['bytes_kept'] / 1e6:.1f} |"
        )
        for name, number in sorted(dropped.items(), key=lambda kv: -kv[1]):
            reasons.append(f"| {title} | `{name}` | {number:,} | {MEANING.get(name, '')} |")
        for name, number in sorted((k.removeprefix(READER), n) for k, n in counts.items() if k.startswith(READER)):
            meaning = next((said for start, said in MEANING.items() if name.startswith(start)), "")
            reasons.append(f"| {title} | {name} | {number:,} | {meaning} |")
        for reason, number in sorted(left_out(out, source).items()):
            reasons.append(f"| {title} | file left out | {number:,} | {reason} |")
    yield "| source | documents | kept | share | dropped | MB kept |\n|---|--:|--:|--:|--:|--:|"
    yield from rows
    yield "\n| source | reason | documents | which means |\n|---|---|--:|---|"
    yield from reasons


def speeds(
    source: str, out: Path, megabytes: float, calls: Iterable[tuple[floors.Rate, float]]
) -> tuple[str, list[str]]:
    """A row of the table of rates, and a line for each bare call."""
    seconds = {
        stage.partition(".")[2]: sum(float(record.run["cpu_seconds"]) for record in found)
        for stage, found in records(out, source).items()
    }
    ours = sum(seconds.values())
    floor, details = 0.0, []
    for rate, share in calls:
        floor += share * megabytes / rate.megabytes_per_second
        details.append(f"{rate.name} {rate.megabytes_per_second:,.1f} MB/s" + (f" on {share:.0%}" if share < 1 else ""))
    parts = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items() if value >= 0.05)
    found = f"{megabytes:.1f} | {ours:.1f} ({parts}) | {megabytes / ours:.1f} | {megabytes / floor:.1f}"
    return f"| {found} | {ours / floor:.2f} |", details


def rates(data: Path, out: Path, present: Sequence[str]) -> Iterator[str]:
    """Each source's rate beside that of the bare calls."""
    yield "| source | MB in | seconds of one core, by stage | MB/s | bare calls, MB/s | times their seconds |"
    yield "|---|--:|---|--:|--:|--:|"
    said = []
    for name in present:
        paths = files(data, name)
        floor = floors.commoncrawl(paths, out / "all/models") if name == "commoncrawl" else getattr(floors, name)(paths)
        row, details = speeds(name, out / ("c4" if name == "c4" else "all"), floors.bytes_in(name, paths) / 1e6, floor)
        yield f"| {name}{' (from WET)' if name == 'c4' else ''} {row}"
        said.append(f"- {name}: {'; '.join(details)}")
    yield ""
    yield from said


def peers(data: Path, present: Sequence[str], datatrove: str | None, dolma: str | None) -> Iterator[str]:
    """What other systems take for a part of the same."""
    yield "| what | MB/s |\n|---|--:|"
    found: list[floors.Rate] = []
    if "commoncrawl" in present:
        texts = [text for path in files(data, "commoncrawl") for text in floors.pages(path.read_bytes())]
        found += floors.ours(texts)
        found += [floors.datatrove_c4(datatrove, texts)] if datatrove else []
        found += [floors.dolma_paragraphs(dolma, texts)] if dolma else []
    found += floors.wikitext_parsers(files(data, "wikipedia")) if "wikipedia" in present else []
    found += floors.latex_parsers(files(data, "arxiv")) if "arxiv" in present else []
    for rate in found:
        yield f"| {rate.name} | {rate.megabytes_per_second:,.1f} |"
    for name, python, packages in (
        ("datatrove", datatrove, "'datatrove[io,processing]' spacy"),
        ("dolma", dolma, "dolma"),
    ):
        if python is None:
            install = f"uv venv X && uv pip install --python X/bin/python {packages}"
            yield f"\n{name}: left out; `{install}`, then --{name} X/bin/python"


def files(data: Path, source: str) -> list[Path]:
    """The files that a source's rates are of: WET files alone, of what web/ holds."""
    if source in ("commoncrawl", "c4"):
        return sorted((data / "web").glob("*.wet.gz"))
    return sorted(path for path in (data / source).iterdir() if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--github", type=Path, help="an export, where FOLDER has none")
    parser.add_argument("--datatrove", help="an interpreter that has it")
    parser.add_argument("--dolma", help="an interpreter that has it")
    parser.add_argument("--work", type=Path, default=Path("runs/sources"))
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    data = options.work / "data"
    present = lay_out(options.data, options.github, data)
    run(data, options.work.resolve(), present)
    out = options.work
    print(f"{datetime.date.today()}, {os.cpu_count()} cores ({platform.machine()}), one of them used\n")
    titled = [(name, out / "all", name) for name in present]
    print(*tables([*titled, ("c4 (from WET)", out / "c4", "c4")] if "commoncrawl" in present else titled), sep="\n")
    print("", *rates(data, out, [n for n in present if n != "c4" or "commoncrawl" in present]), sep="\n")
    print("", *peers(data, present, options.datatrove, options.dolma), sep="\n", flush=True)


if __name__ == "__main__":
    main()
