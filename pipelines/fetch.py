"""A file on the web that a source reads more than once is copied into the run's store, once, by a recorded task."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pipelines.fingerprint import code_fingerprint
from pipelines.sources.source import Segment, Source, Split
from pipelines.stages import Done, Stage, as_input
from pipelines.tasks import Task, Work
from pipelines.web import is_web

BODY = f"{__name__}:copy"


def fetch_stage(source: Source, splits: Sequence[Split], out: str) -> Stage | None:
    """The stage that copies a source's files, if any is to be copied."""
    wanted = [s for s in splits if is_copied(source, s)]
    if not wanted:
        return None
    name, folder = fetch_name(source), f"inputs/{source.name}"

    def tasks(_: Done) -> list[Task]:
        code = code_fingerprint(BODY)
        return [Task(name, s.key, BODY, code, {"raw": s.input}, {"folder": folder}, out) for s in wanted]

    return Stage(name, (), (folder,), tasks, (len(wanted), sum(s.input.size for s in wanted)))


def fetch_name(source: Source) -> str:
    return f"{source.name}.fetch"


def is_copied(source: Source, split: Split) -> bool:
    """Whether a split's file is on the web and read by more than one segment. A range never is: only it is fetched."""
    if not is_web(split.input.path) or split.input.end is not None:
        return False
    readers = [link for link in source.chain() if isinstance(link, Segment) and link.reads_raw and not link.cuts]
    return len(readers) > 1


def fetched(source: Source, splits: Iterable[Split], done: Done, out: str) -> Iterator[Split]:
    """The splits, copies in place of files that are copied; without those that could not be read."""
    for split in splits:
        if not is_copied(source, split):
            yield split
        elif copied := done[fetch_name(source)].get(split.key):
            yield replace(split, input=as_input(out, copied.output("file")))


def copy(work: Work) -> None:
    """The input, byte for byte."""
    os.replace(work.path("raw"), work.output("file", work.settings["folder"], ""))
