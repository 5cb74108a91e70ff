"""`models`: the language models and their cut-offs, made once and then pinned.

A KenLM model is trained on a language's Wikipedia as the wikipedia source cleans it; its cut-offs are percentiles of
the perplexities that Common Crawl pages of that language have after line deduplication. What an earlier run has done is
not done again.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from filters.perplexity import percentile_cutoffs
from pipelines import models, store
from pipelines.config import Config
from pipelines.engine import Engine
from pipelines.errors import UserError
from pipelines.fingerprint import code_fingerprint, package_versions
from pipelines.graph import segment_stage, source_stages
from pipelines.languagemodel import train_language_model
from pipelines.models import LANGUAGE_IDENTIFICATION, PERPLEXITY, Models
from pipelines.plan import Plan
from pipelines.progress import Monitor
from pipelines.readers.mediawiki import describe_file_name
from pipelines.run import run_stages
from pipelines.sources.source import Split
from pipelines.stages import Done, Stage, as_input
from pipelines.tasks import Output, Record, Task, Work
from tokenizer.sample import sample_documents

TRAIN = "pipelines.train_models:train"
TRAIN_SECONDS = 7 * 24 * 3600
MODELS_FOLDER = "models/perplexity"


def make_models(config: Config, plan: Plan, out: str, engine: Engine, monitor: Monitor) -> None:
    """Make what `models.json` names under `out`/models. Raises UserError where the sources for it are missing."""
    crawl, wikipedia = config.sources.commoncrawl, config.sources.wikipedia
    if crawl is None or not crawl.perplexity:
        if not store.exists(store.join(out, models.MODELS, models.INDEX)):  # others may have been made, for other runs
            models.save(out, {}, {}, {})
        return
    if wikipedia is None:
        raise UserError(
            "sources.wikipedia: language models are trained on Wikipedia's text, so `models` needs this source; "
            "commoncrawl.perplexity=false leaves them out"
        )
    wikis = {describe_file_name(s.input.path.rpartition("/")[2])[0] for s in plan.splits[wikipedia.name]}
    for language in config.models.perplexity_languages:
        if None not in wikis and f"{language.replace('-', '_')}wiki" not in wikis:
            raise UserError(f"models.perplexity_languages: there is no Wikipedia dump in {language!r} among the inputs")
    files = {f"model.{LANGUAGE_IDENTIFICATION}": _publish_language_identification(config, out)}
    crawl_splits = plan.splits[crawl.name]
    before = [
        *source_stages(config, wikipedia, plan.splits[wikipedia.name], Models(), out),
        _train_stage(config, out),
        *(s for s in source_stages(config, crawl, crawl_splits, Models(), out) if s.name != f"{crawl.name}.clean"),
    ]
    records = run_stages(before, out, engine, monitor).records
    for language, record in records[f"{PERPLEXITY}.train"].items():
        files |= {f"model.{PERPLEXITY}.{language}.{o.role}": o for o in record.outputs}
    trained = Models({role: as_input(out, output) for role, output in files.items()})
    sample = _sample(config, crawl_splits)
    measure = segment_stage(config, crawl, crawl.measure(), sample, trained, out)
    measured = run_stages([measure], out, engine, monitor, records).records[measure.name]
    facts = {lang: dict(r.counts) for lang, r in records[f"{PERPLEXITY}.train"].items()}
    models.save(out, files, _cutoffs(config, out, measured), facts)


def _publish_language_identification(config: Config, out: str) -> Output:
    path = config.models.language_identification or str(models.EMBEDDED_LANGUAGE_IDENTIFICATION)
    try:
        content = store.read_bytes(path)
    except FileNotFoundError:
        raise UserError(f"{path}: the language identification model is missing; `make setup` installs it") from None
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"models/{LANGUAGE_IDENTIFICATION}-{sha256[:16]}{Path(path).suffix}"
    if not store.exists(store.join(out, name)):
        store.write_bytes(out, name, content)
    return Output(LANGUAGE_IDENTIFICATION, name, len(content), sha256)


def train(work: Work) -> None:
    """The body of a `perplexity.train` task: a language's clean Wikipedia to its language model."""
    settings = work.settings
    texts = [work.path(role) for role in sorted(work.task.inputs)]
    info = train_language_model(
        sample_documents(texts, settings["seed"], settings["max_documents"], work.scratch),
        work.output("sentencepiece", MODELS_FOLDER, ".sp.model"),
        work.output("kenlm", MODELS_FOLDER, ".kenlm"),
        scratch=work.scratch,
        pieces=settings["pieces"],
        memory_mb=work.task.memory_mb,
    )
    work.counts.update(documents=info.documents, bytes=info.bytes)


def _train_stage(config: Config, out: str) -> Stage:
    settings = {
        "seed": config.seed,
        "pieces": config.models.pieces,
        "max_documents": config.models.max_documents,
        **package_versions({"kenlm"}),  # its programs, which no import shows
    }

    def tasks(done: Done) -> list[Task]:
        planned = []
        for language in config.models.perplexity_languages:
            texts = [r for _, r in sorted(done["wikipedia.clean"].items()) if r.facts.get("language") == language]
            if not texts:
                raise UserError(
                    f"models.perplexity_languages: there is no Wikipedia dump in {language!r} among the inputs"
                )
            inputs = {f"text-{i:04d}": as_input(out, r.output("text")) for i, r in enumerate(texts)}
            planned.append(
                Task(
                    f"{PERPLEXITY}.train",
                    language,
                    TRAIN,
                    code_fingerprint(TRAIN),
                    inputs,
                    settings,
                    out,
                    memory_mb=config.models.memory_mb,
                    seconds=TRAIN_SECONDS,
                )
            )
        return planned

    return Stage(
        f"{PERPLEXITY}.train",
        ("wikipedia.clean",),
        (MODELS_FOLDER,),
        tasks,
        (len(config.models.perplexity_languages), 0),
    )


def _sample(config: Config, splits: list[Split]) -> list[Split]:
    """The splits with the lowest hashes of their names: the same ones wherever they are stored."""

    def rank(split: Split) -> bytes:
        return hashlib.blake2b(f"{config.seed}/{split.key}".encode(), digest_size=8).digest()

    chosen = sorted(splits, key=rank)[: config.models.measured_splits]
    return sorted(chosen, key=lambda s: s.key)


def _cutoffs(config: Config, out: str, measured: Mapping[str, Record]) -> dict[str, tuple[float, float]]:
    tables = [
        pq.read_table(store.open_read(store.join(out, r.output("measured").path))) for _, r in sorted(measured.items())
    ]
    cutoffs = {}
    for language in config.models.perplexity_languages:
        values = [t["perplexity"].to_numpy()[t["language"].to_numpy(zero_copy_only=False) == language] for t in tables]
        perplexities = np.concatenate(values) if values else np.empty(0)
        if not len(perplexities):
            raise UserError(f"models.perplexity_languages: no crawled page in {language!r} to measure its cut-offs on")
        cutoffs[language] = percentile_cutoffs(perplexities, config.models.percentiles)
    return cutoffs
