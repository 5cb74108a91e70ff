"""A configuration as stages.

A source's chain gives one stage for each segment and round, and every source ends in a `tokens` stage.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipelines.config import Config
from pipelines.fetch import fetch_name, fetch_stage, fetched, is_copied
from pipelines.fingerprint import canonical, code_fingerprint, sha256
from pipelines.models import Models
from pipelines.sources.source import PIECE, Round, Segment, Source, Split
from pipelines.stages import Done, Stage, as_input
from pipelines.tasks import Input, Task


def source_stages(config: Config, source: Source, splits: Sequence[Split], models: Models, out: str) -> list[Stage]:
    """The stages of one source's chain, up to clean text."""
    fetch = fetch_stage(source, splits, out)
    stages = [fetch] if fetch else []
    for link in source.chain():
        if isinstance(link, Round):
            stages.append(_round_stage(source, link, splits, out))
        elif not link.cuts or cut_stage(source, splits):
            stages.append(segment_stage(config, source, link, splits, models, out))
    return stages


def segment_stage(
    config: Config, source: Source, segment: Segment, splits: Sequence[Split], models: Models, out: str
) -> Stage:
    """One task for each split that the segments and rounds before it have done."""
    takes = tuple(f"{source.name}.{name}" for name in segment.takes)
    cut = None if segment.cuts else cut_stage(source, splits)
    planned_splits = [s for s in splits if s.pieces] if segment.cuts else splits

    def tasks(done: Done) -> list[Task]:
        planned = []
        for split in fetched(source, cut_up(planned_splits, cut, done, out), done, out):
            if any(split.key not in done[name] for name in takes):
                continue  # left out: the file could not be read
            inputs = {"raw": split.input} if segment.reads_raw else {}
            inputs |= models.inputs(segment.models)
            for link, name in zip(segment.takes, takes, strict=True):
                inputs |= {f"{link}.{o.role}": as_input(out, o) for o in done[name][split.key].outputs}
            settings = {
                **segment.settings,
                **models.settings(segment.models),
                "collection": split.collection,
            }
            if any(folder.startswith("dropped/") for folder in segment.folders):
                settings["dropped_sample"] = config.dropped_sample
            name = f"{source.name}.{segment.name}"
            planned.append(Task(name, split.key, segment.body, code_fingerprint(segment.body), inputs, settings, out))
        return planned

    number = expected(planned_splits) if cut else len(planned_splits)
    size = number, sum(s.input.size for s in planned_splits)
    needs = (*takes, cut) if cut else takes
    if any(is_copied(source, split) for split in planned_splits):
        needs = (*needs, fetch_name(source))
    return Stage(f"{source.name}.{segment.name}", needs, segment.folders, tasks, size)


def cut_stage(source: Source, splits: Sequence[Split]) -> str | None:
    """The stage in which the source cuts splits into pieces, if there are such."""
    first = source.chain()[0]
    cuts = isinstance(first, Segment) and first.cuts and any(s.pieces for s in splits)
    return f"{source.name}.{first.name}" if cuts else None


def cut_up(splits: Sequence[Split], cut: str | None, done: Done, out: str) -> list[Split]:
    """The splits, with the pieces that the stage `cut` made in place of those that it took; of one that could not be
    read there are none.
    """
    found = []
    for split in splits:
        if cut is None or not split.pieces:
            found.append(split)
        elif split.key in done[cut]:
            files = [o for o in done[cut][split.key].outputs if o.role == PIECE]
            found += [
                replace(split, name=f"{split.name}@{number:05d}", input=as_input(out, file), pieces=0)
                for number, file in enumerate(files)
            ]
    return found


def expected(splits: Sequence[Split]) -> int:
    """How many splits there will be, once those that are cut into pieces have been."""
    return sum(split.pieces or 1 for split in splits)


def _round_stage(source: Source, link: Round, splits: Sequence[Split], out: str) -> Stage:
    """One task for each split, whose fingerprint covers what every split of its group gave."""
    name, before = f"{source.name}.{link.name}", f"{source.name}.{link.of}"
    groups = tuple(tuple(s.key for s in group) for group in link.groups(splits))

    def tasks(done: Done) -> list[Task]:
        planned = []
        for group in groups:
            present = [(key, done[before][key].outputs) for key in group if key in done[before]]
            everyone = sha256(canonical([(key, [o.sha256 for o in outputs]) for key, outputs in present]))
            settings = {**link.settings, "group": everyone}
            for key, outputs in present:
                inputs = {o.role: as_input(out, o) for o in outputs}
                planned.append(Task(name, key, link.body, code_fingerprint(link.body), inputs, settings, out))
        return planned

    return Stage(name, (before,), (f"rounds/{name}",), tasks, (len(splits), 0), link.job, groups)


def shard_length(config: Config, source: Source, splits: Sequence[Split], number: int) -> int:
    """How many consecutive splits make a shard, where `splits` become `number` once they are cut: a power of two, so
    that a file that changes its size a little moves nothing.
    """
    mean = sum(s.input.size for s in splits) / max(1, number) * source.tokens_per_byte
    return int(2 ** max(0, round(math.log2(config.shards.tokens / max(mean, 1)))))


def token_stage(
    config: Config, source: Source, splits: Sequence[Split], tokenizer: Input, text: Sequence[Stage], out: str
) -> Stage:
    """Clean text to token shards: one task for each fixed run of consecutive splits.

    It waits for all `text` stages, though it needs one: sources of few shards then share a job with the others.
    """
    last = next(link for link in reversed(source.chain()) if isinstance(link, Segment))
    needs = f"{source.name}.{last.name}"
    body = "pipelines.tokens:tokenize"
    cut = cut_stage(source, splits)
    settings: dict[str, Any] = {
        "source": source.name,
        "seed": config.seed,
        "row_group_tokens": config.shards.row_group_tokens,
        "configuration": sha256(canonical(source.rules())),
    }

    def tasks(done: Done) -> list[Task]:
        planned = []
        ordered = sorted(cut_up(splits, cut, done, out), key=lambda s: (s.collection, s.name))
        length = shard_length(config, source, splits, len(ordered))
        runs = [ordered[i : i + length] for i in range(0, len(ordered), length)]
        for number, run in enumerate(runs):
            records = [done[needs][s.key] for s in run if s.key in done[needs]]
            if records:
                texts = {f"text-{i:04d}": as_input(out, r.output("text")) for i, r in enumerate(records)}
                inputs = {**texts, "model.tokenizer": tokenizer}
                name = f"{source.name}.tokens"
                planned.append(Task(name, f"{number:05d}", body, code_fingerprint(body), inputs, settings, out))
        return planned

    after = tuple(stage.name for stage in text)
    return Stage(f"{source.name}.tokens", after, (f"tokens/{source.name}",), tasks, (shards(config, source, splits), 0))


def shards(config: Config, source: Source, splits: Sequence[Split]) -> int:
    """How many shards are expected."""
    number = expected(splits)
    return -(-number // shard_length(config, source, splits, number))
