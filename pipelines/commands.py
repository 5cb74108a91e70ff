"""What the verbs do, apart from how they are typed."""

import tempfile
from collections.abc import Sequence
from typing import Any

from pipelines import models, spark, store
from pipelines.config import Config
from pipelines.engine import Engine, Limits
from pipelines.errors import UserError
from pipelines.graph import source_stages, token_stage
from pipelines.lock import locked
from pipelines.manifest import MANIFEST, write_manifest
from pipelines.models import Models
from pipelines.plan import Plan, make_plan
from pipelines.pool import available_cores
from pipelines.progress import Monitor
from pipelines.run import Result, run_stages
from pipelines.sources.source import Segment
from pipelines.stages import Stage
from pipelines.tasks import Input
from pipelines.train_models import make_models
from tokenizer.model import Model

TOKENIZER = "models/tokenizer.model"
RUNNERS = ("direct", "spark", "dataflow")


def engine(config: Config, runner: str, workers: int | None, options: Sequence[str], out: str) -> Engine:
    """Where tasks run. Raises UserError for a number of workers that makes no sense."""
    if workers is not None and workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers}")
    if runner == "direct" and options:
        raise UserError(f"{options[0]}: no option of this command, and the direct runner takes none; see --help")
    if runner not in RUNNERS and not runner.endswith("Runner"):
        raise UserError(f"--runner {runner}: direct, spark, dataflow, or a Beam runner's full name, as FlinkRunner")
    if runner == "spark":
        spark.check(options)
    if runner == "dataflow":
        from pipelines.dataflow import complete  # Beam takes seconds to import

        options, workers = tuple(complete(options, config, out, machines=workers)), None
    default = available_cores() if runner == "direct" else 0
    limits = Limits(workers or default, config.limits.memory_mb, config.limits.seconds)
    return Engine(limits, runner, tuple(options), config.unreadable_inputs == "leave_out")


def models_folder(config: Config, out: str) -> str:
    return config.models.folder or store.join(out, "models")


def load_models(config: Config, out: str) -> Models:
    """The models that sources' segments name: pinned ones, if any is made by `models`."""
    links = [link for _, source in config.sources.present() for link in source.chain()]
    needed = {name for link in links if isinstance(link, Segment) for name in link.models}
    if models.PERPLEXITY in needed:
        return models.load(models_folder(config, out))
    if models.LANGUAGE_IDENTIFICATION in needed:
        return models.language_identification(config.models.language_identification)
    return Models()


def text_stages(config: Config, plan: Plan, pinned: Models, out: str) -> list[Stage]:
    """Every source's stages up to clean text."""
    return [
        s
        for name, source in config.sources.present()
        for s in source_stages(config, source, plan.splits[name], pinned, out)
    ]


def tokenizer_path(config: Config, out: str) -> str:
    return config.tokenizer.path or store.join(out, TOKENIZER)


def run_text(config: Config, out: str, on: Engine) -> Result:
    """Raw files to clean text, and no further: what a tokenizer is trained on."""
    plan, pinned = make_plan(config), load_models(config, out)
    stages = text_stages(config, plan, pinned, out)
    with locked(out), Monitor(out) as monitor:
        store.remove(store.join(out, MANIFEST))
        return run_stages(stages, out, on, monitor)


def run(config: Config, out: str, on: Engine) -> dict[str, Any]:
    """Raw files to token shards and the manifest. Raises UserError before work starts, RunError where it stopped."""
    plan, pinned = make_plan(config), load_models(config, out)
    tokenizer, entry = _tokenizer(config, out)
    stages = text_stages(config, plan, pinned, out)
    stages += [
        token_stage(config, source, plan.splits[name], tokenizer, stages, out)
        for name, source in config.sources.present()
    ]
    with locked(out), Monitor(out) as monitor:
        store.remove(store.join(out, MANIFEST))  # it stands for a whole run, and this one is not yet
        result = run_stages(stages, out, on, monitor)
        if store.absolute(tokenizer.path) != store.join(out, TOKENIZER):
            store.write_bytes(out, TOKENIZER, store.read_bytes(tokenizer.path))
        _remove_other_results(out, stages)
        return write_manifest(config, result, entry, out)


def _remove_other_results(out: str, stages: Sequence[Stage]) -> None:
    """Remove what an earlier configuration left, of sources and stages that this one does not have."""
    ours = tuple(f"{folder}/" for stage in stages for folder in stage.folders)
    for kind in ("inputs", "text", "dropped", "tokens", "rounds"):
        for name in store.list_files(store.join(out, kind)):
            if not f"{kind}/{name}".startswith(ours):
                store.remove(store.join(out, kind, name))


def _tokenizer(config: Config, out: str) -> tuple[Input, dict[str, Any]]:
    """The tokenizer as an input, and as the manifest names it."""
    path = tokenizer_path(config, out)
    if not store.exists(path):
        raise UserError(f"{path}: there is no tokenizer yet; make one with `python -m tokenizer train`, once")
    found = models.pinned(path)
    with tempfile.NamedTemporaryFile() as local:
        local.write(store.read_bytes(path))
        local.flush()
        try:
            model = Model.load(local.name)
        except ValueError as error:
            raise UserError(str(error).replace(local.name, path)) from None
    return found, {"path": TOKENIZER, "sha256": found.sha256, "pieces": model.pieces}


def train_models(config: Config, out: str, on: Engine) -> None:
    """Make the models that filters need, under the run's folder."""
    plan = make_plan(config)
    with locked(out), Monitor(out) as monitor:
        make_models(config, plan, out, on, monitor)
