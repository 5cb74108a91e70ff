"""Clean text to one token shard."""

from functools import lru_cache

from pipelines.shards import write_shard
from pipelines.tasks import Work
from tokenizer.encode import Encoder


@lru_cache(maxsize=1)
def _encoder(path: str, sha256: str) -> Encoder:
    return Encoder(path)


def tokenize(work: Work) -> None:
    """The body of a `tokens` task: all clean files of a run of splits, in one shard."""
    model = work.task.inputs["model.tokenizer"]
    texts = [work.path(role) for role in sorted(work.task.inputs) if role.startswith("text-")]
    settings = work.settings
    shard = write_shard(
        texts,
        work.output("shard", f"tokens/{settings['source']}", ".parquet"),
        encoder=_encoder(str(work.path("model.tokenizer")), model.sha256),
        seed=settings["seed"],
        row_group_tokens=settings["row_group_tokens"],
        configuration_sha256=settings["configuration"],
        counts=work.counts,
    )
    work.counts.update(documents=shard.rows, tokens=shard.tokens)
    work.facts["row_groups"] = list(shard.row_groups)
