"""A configuration as stages.

A source's chain gives one stage for each segment and round, and every source ends in a `tokens` stage.
"""

import math
from collections.abc import Sequence
from typing import Any

from pipelines.config import Config
from pipelines.fingerprint import canonical, code_fingerprint, sha256
from pipelines.models import Models
from pipelines.sources.source import Round, Segment, Source, Split
from pipelines.stages import Done, Stage, as_input
from pipelines.tasks import Input, Task


def source_stages(config: Config, source: Source, splits: Sequence[Split], models: Models, out: str) -> list[Stage]:
    """The stages of one source's chain, up to clean text."""
    stages = []
    for link in source.chain():
        if isinstance(link, Round):
            stages.append(_round_stage(source, link, splits, out))
        else:
            stages.append(segment_stage(config, source, link, splits, models, out))
    return stages


def segment_stage(
    config: Config, source: Source, segment: Segment, splits: Sequence[Split], models: Models, out: str
) -> Stage:
    """One task for each split that the segments and rounds before it have done."""
    takes = tuple(f"{source.name}.{name}" for name in segment.takes)

    def tasks(done: Done) -> list[Task]:
        planned = []
        for split in splits:
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

    size = len(splits), sum(s.input.size for s in splits)
    return Stage(f"{source.name}.{segment.name}", takes, segment.folders, tasks, size)


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


def shard_length(config: Config, source: Source, splits: Sequence[Split]) -> int:
    """How many consecutive splits make a shard: a power of two, so that a file that changes its size a little moves
    nothing.
    """
    mean = sum(s.input.size for s in splits) / len(splits) * source.tokens_per_byte
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
    ordered = sorted(splits, key=lambda s: (s.collection, s.name))
    length = shard_length(config, source, splits)
    runs = [ordered[i : i + length] for i in range(0, len(ordered), length)]
    settings: dict[str, Any] = {
        "source": source.name,
        "seed": config.seed,
        "row_group_tokens": config.shards.row_group_tokens,
        "configuration": sha256(canonical(source.rules())),
    }

    def tasks(done: Done) -> list[Task]:
        planned = []
        for number, run in enumerate(runs):
            records = [done[needs][s.key] for s in run if s.key in done[needs]]
            if records:
                texts = {f"text-{i:04d}": as_input(out, r.output("text")) for i, r in enumerate(records)}
                inputs = {**texts, "model.tokenizer": tokenizer}
                name = f"{source.name}.tokens"
                planned.append(Task(name, f"{number:05d}", body, code_fingerprint(body), inputs, settings, out))
        return planned

    after = tuple(stage.name for stage in text)
    return Stage(f"{source.name}.tokens", after, (f"tokens/{source.name}",), tasks, (len(runs), 0))
