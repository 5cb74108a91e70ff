"""How often our C4 rules and datatrove's C4QualityFilter say the same of a page, and where they differ.

datatrove wants an environment of its own, with `datatrove[processing]` and spaCy (whose blank English sentence splitter
it uses); it is called with C4's released parameters, 3 sentences and 5 words, where its own defaults are the paper's.

    python -m benchmarks.c4_agreement DATATROVE_PYTHON PAGES.warc.wet.gz...

A page agrees if both keep it or both drop it; the text is compared too, for pages that both keep.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

PEER = """
import json, sys, time
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter
rules = C4QualityFilter(min_num_sentences=3, min_words_per_line=5)
results, started = [], time.process_time()
for number, line in enumerate(sys.stdin):
    page = Document(text=json.loads(line), id=str(number))
    verdict = rules.filter(page)
    reason = None if verdict is True else verdict[1]
    results.append([reason, page.text if reason is None else ""])
print(json.dumps([time.process_time() - started, results]))
"""


def ours(texts: list[str]) -> tuple[float, list[tuple[str | None, str]]]:
    """CPU seconds, and for each page why it is dropped and what is left of it."""
    from filters import c4
    from pipelines.documents import Batcher

    batcher = Batcher("c4", 1 << 30)
    batches = [b for n, text in enumerate(texts) for b in batcher.add(str(n), text, {})] + list(batcher.flush())
    started = time.process_time()
    cleaned = [c4.clean_pages(batch) for batch in batches]
    seconds = time.process_time() - started
    results = [
        (reason, text)
        for batch in cleaned
        for reason, text in zip(batch["dropped"].to_pylist(), batch["text"].to_pylist(), strict=True)
    ]
    return seconds, results


def pages(paths: list[Path]) -> list[str]:
    """The texts of all pages, their titles first."""
    from pipelines.documents import ReadReport
    from pipelines.readers.wet import read_wet

    texts = []
    for path in paths:
        with path.open("rb") as stream:
            for batch in read_wet(stream, collection="c", report=ReadReport(), min_characters=0):
                for text, metadata in zip(batch["text"].to_pylist(), batch["metadata"].to_pylist(), strict=True):
                    texts.append(dict(metadata).get("title", "") + "\n" + text)
    return texts


def explain(text: str, mine: str | None, theirs: str | None) -> str:
    """The rules' known difference that a disagreement comes from."""
    lines = [line.strip() for line in text.splitlines()]
    if any(line.endswith("'") and len(line.split()) >= 5 for line in lines):
        return "a line ends in an apostrophe, which datatrove takes for an end mark and the released code does not"
    if "\u2028" in text or "\x85" in text or "\x0b" in text or "\x0c" in text or "\r" in text:
        return "datatrove ends lines at more characters than the newline"
    if {mine, theirs} & {"few_sentences", "too_few_sentences"}:
        return "sentences are told apart by another rule"
    return "unexplained"


def _text_difference(mine: str, theirs: str) -> str:
    only = set(theirs.split("\n")) ^ set(mine.split("\n"))
    if all(line.endswith("'") for line in only):
        return "they keep lines that end in an apostrophe"
    if len({line.strip() for line in only}) == len(only) / 2:
        return "they remove the blank that is left where [1] began a line"
    return f"other lines differ, such as {min(only)[:60]!r}" if only else "the same lines stand in another order"


def main() -> None:
    python, paths = sys.argv[1], [Path(p) for p in sys.argv[2:]]
    texts = pages(paths)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    peer = subprocess.run(
        [python, "-c", PEER],
        input="".join(json.dumps(t) + "\n" for t in texts),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    their_seconds, theirs = json.loads(peer.stdout.splitlines()[-1])
    our_seconds, mine = ours(texts)
    same = sum((a is None) == (b is None) for (a, _), (b, _) in zip(mine, theirs, strict=True))
    both: list[Any] = [(a, b) for (r, a), (s, b) in zip(mine, theirs, strict=True) if r is None and s is None]
    kept = [sum(reason is None for reason, _ in results) for results in (mine, theirs)]
    print(f"{len(texts)} pages, {megabytes:.1f} MB; kept: {kept[0]} here, {kept[1]} there")
    print(f"same verdict: {same} of {len(texts)} ({same / len(texts):.2%})")
    print(f"same text: {sum(a == b for a, b in both)} of the {len(both)} pages that both keep")
    why = Counter(_text_difference(a, b) for a, b in both if a != b)
    print("; ".join(f"{number} where {reason}" for reason, number in why.most_common()))
    print(f"MB/s on one core: {megabytes / our_seconds:.1f} here, {megabytes / their_seconds:.1f} there")
    for number, ((a, left), (b, _)) in enumerate(zip(mine, theirs, strict=True)):
        if (a is None) != (b is None):
            said = " | ".join(left.split("\n"))[:300]
            print(f"page {number}: {a or 'kept'} here, {b or 'kept'} there: {explain(texts[number], a, b)}\n    {said}")


if __name__ == "__main__":
    main()
