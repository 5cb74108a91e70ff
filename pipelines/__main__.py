"""Raw public text to token shards: plan, models, run, verify, watch, inspect.

\b
python -m pipelines models --config configs/llama.yaml --out OUT
python -m pipelines run    --config configs/llama.yaml --out OUT
python -m pipelines verify OUT
"""

import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from pipelines.errors import InterruptedRunError, RunError, UserError

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)

ConfigOption = Annotated[str, typer.Option("--config", help="The run's YAML file, as configs/llama.yaml.")]
OutOption = Annotated[str, typer.Option("--out", help="The run's folder: local, or a URL such as gs://bucket/run.")]
RunnerOption = Annotated[
    str, typer.Option("--runner", help="direct, spark, dataflow, or any Beam runner's full name (untested).")
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", help="Child processes a Beam worker, by default one a core; machines on Dataflow."),
]
SETTINGS = "Settings of the file are overridden by their dotted names: commoncrawl.deduplicate.scope=all."
OPTIONS = "Other options go to the runner, each as --name=value: see docs/spark.md, docs/dataflow.md."
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


def _split_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Dotted overrides, and options for the Beam runner. Raises UserError for an option with its value behind a
    space.
    """
    for option, value in pairwise(arguments):
        spaced = "=" not in value or value.startswith("spark.")
        if option.startswith("-") and "=" not in option and not value.startswith("-") and spaced:
            raise UserError(f"{option} {value}: not an option of this command; one for a runner is {option}={value}")
    return [a for a in arguments if not a.startswith("-")], [a for a in arguments if a.startswith("-")]


def _open(
    config: str, out: str, arguments: list[str], runner: str = "direct", workers: int | None = None
) -> tuple[Any, str, Any]:
    from pipelines import commands, store
    from pipelines.config import load

    overrides, options = _split_arguments(arguments)
    loaded = load(config, overrides)
    out = store.absolute(out)
    return loaded, out, commands.engine(loaded, runner, workers, options, out)


@app.command(context_settings=PASS_THROUGH, epilog=f"{SETTINGS} {OPTIONS}")
def run(
    context: typer.Context,
    config: ConfigOption,
    out: OutOption,
    runner: RunnerOption = "direct",
    workers: WorkersOption = None,
    until: Annotated[str, typer.Option(help="`text` stops at clean text, before the tokenizer is needed.")] = "shards",
) -> None:
    """Do a run: raw files to clean text, token shards and the manifest. What is done already is skipped."""
    from pipelines import commands
    from pipelines.summary import print_left_out, print_summary

    if until not in ("text", "shards"):
        raise UserError(f"--until must be text or shards, not {until}")
    loaded, out, engine = _open(config, out, context.args, runner, workers)
    if until == "text":
        result = commands.run_text(loaded, out, engine)
        print_left_out({name: {f.key: f.reason for f in failures} for name, failures in result.left_out.items()})
    else:
        print_summary(commands.run(loaded, out, engine), out)


@app.command(context_settings=PASS_THROUGH, epilog=f"{SETTINGS} {OPTIONS}")
def models(
    context: typer.Context,
    config: ConfigOption,
    out: OutOption,
    runner: RunnerOption = "direct",
    workers: WorkersOption = None,
) -> None:
    """Make the language models and measure their cut-offs, once; runs then use them pinned."""
    from pipelines import commands

    loaded, out, engine = _open(config, out, context.args, runner, workers)
    commands.train_models(loaded, out, engine)


@app.command(context_settings=PASS_THROUGH, epilog=SETTINGS)
def plan(
    context: typer.Context,
    config: ConfigOption,
    out: Annotated[str | None, typer.Option("--out", help="A folder whose disk must have room for the run.")] = None,
    full: Annotated[bool, typer.Option("--full", help="The paper's inputs, in place of the files there are.")] = False,
    share: Annotated[float, typer.Option(help="Of the paper's inputs, as 0.01; implies --full.")] = 1.0,
    machines: Annotated[int, typer.Option("--workers", help="Machines for the wall time and the price.")] = 100,
    calibration: Annotated[
        str | None, typer.Option(help="What `calibrate` wrote, or a finished run's folder; by default our own.")
    ] = None,
    assumptions: Annotated[
        str | None, typer.Option(help="Sizes and prices, by default pipelines/assumptions.yaml.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Say what a run will take: files, tasks, CPU-hours, shuffle, disk, shards, wall time, price, and which task will
    be the last to finish. A source whose files cannot be listed is taken as large as the paper's.
    """
    from pipelines.planned import print_plan

    print_plan(config, context.args, out, full, share, machines, calibration, assumptions, as_json)


@app.command()
def calibrate(
    runs: Annotated[list[str], typer.Option("--from", help="A finished run's folder; give several to join them.")],
    out: Annotated[str, typer.Option("--out", help="The JSON file to write.")] = "runs/calibration.json",
) -> None:
    """Keep what finished runs took, for `plan --calibration`: CPU time and bytes of each stage, from task records."""
    from pipelines import calibration, store

    measured = calibration.measure([store.absolute(run) for run in runs])
    folder, _, name = store.absolute(out).rpartition("/")
    store.write_bytes(folder, name, measured.to_json())
    print(f"{out}: {len(measured.stages)} stages")


@app.command()
def verify(path: Annotated[str, typer.Argument(help="A run's folder, or its manifest.json.")]) -> None:
    """Check every shard against the manifest, byte for byte and token for token. Exit code 1 if anything differs."""
    from pipelines.manifest import read_manifest, verify

    problems = verify(path)
    for problem in problems:
        print(problem)
    if problems:
        raise RunError(f"{path}: {len(problems)} problems")
    sources = read_manifest(path)[0]["sources"].values()
    shards, tokens = sum(len(s["shards"]) for s in sources), sum(s["tokens"] for s in sources)
    print(f"{shards} shards, {tokens:,} tokens: all as the manifest says")


@app.command()
def watch(out: Annotated[str, typer.Argument(help="The run's folder.")]) -> None:
    """Follow a run that another terminal or machine does."""
    from pipelines import progress, store

    if not progress.watch(store.absolute(out)):
        raise UserError(f"{out}: no run was ever started there")


@app.command()
def inspect(
    path: Annotated[str, typer.Argument(help="A run's folder, or one of its Parquet files.")],
    reason: Annotated[str | None, typer.Option(help="Show dropped documents with this reason only.")] = None,
    number: Annotated[int, typer.Option(help="How many documents to show.")] = 3,
) -> None:
    """Look into a run: its summary, its clean text, what was dropped and why, its token shards."""
    from pipelines.summary import inspect_path

    inspect_path(path, reason, number)


@app.command()
def sample(out: Annotated[str, typer.Option("--out", help="The folder to make.")]) -> None:
    """Make the embedded sample corpus: our own pages, and documentation of installed packages, in the real file
    formats.
    """
    from pipelines.sample import build_sample

    print(", ".join(f"{count:,} {what}" for what, count in build_sample(Path(out)).items()))


@app.command(context_settings=PASS_THROUGH, epilog=f"{SETTINGS} {OPTIONS}")
def demo(
    context: typer.Context,
    out: OutOption = "runs/demo",
    data: Annotated[
        str | None, typer.Option(help="A folder of real files in the sample's layout, in its place.")
    ] = None,
    runner: RunnerOption = "direct",
    workers: WorkersOption = None,
) -> None:
    """Everything, from raw files to a training step, on the embedded sample or on the files in --data."""
    from pipelines.demo import run_demo

    overrides, options = _split_arguments(context.args)
    run_demo(out, data, runner, workers, overrides, options)


def _stop(message: object, code: int) -> NoReturn:
    Console(stderr=True).print(f"error: {message}", highlight=False, markup=False, soft_wrap=True)
    sys.exit(code)


def main() -> None:
    try:
        app()
    except UserError as error:
        _stop(error, 2)
    except InterruptedRunError as error:
        _stop(error, 130)
    except RunError as error:
        _stop(error, 1)
    except OSError as error:
        _stop(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "), 1)


if __name__ == "__main__":
    main()
