"""The trainer's command line: `python -m trainer data|train|generate`.

Commands import what they need when they run: PyTorch alone takes seconds, which `--help` should not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trainer.errors import Stopped, TrainerError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train LLaMA on the token shards of a manifest.",
)

ManifestOption = Annotated[
    str, typer.Option("--manifest", help="manifest.json or its folder: a path, gs://..., s3://...", show_default=False)
]
ModelOption = Annotated[str, typer.Option("--model", help="A name in configs/models (tiny, 7b, ...) or a YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME=VALUE", help="Settings in place of the file's, as in optimizer.peak_lr=1e-3."),
]


@app.command()
def train(
    manifest: ManifestOption,
    model: ModelOption,
    out: Annotated[Path | None, typer.Option(help="The run's folder. By default runs/ and the model's name.")] = None,
    steps: Annotated[int | None, typer.Option(help="Short for train.steps=...")] = None,
    new_phase: Annotated[
        bool,
        typer.Option("--new-phase", help="Go on although data settings or manifest changed, from each source's place."),
    ] = False,
    overrides: Overrides = None,
) -> None:
    """Train, or go on from the last checkpoint in the run's folder; a complete run is left as it is.

    Writes checkpoints/, metrics.jsonl (a line a step) and, at the end, summary.json. SIGTERM and Ctrl-C save first.
    """
    from trainer.config import load_config
    from trainer.manifest import read_manifest
    from trainer.train import train as train_model

    with _one_line_errors():
        given = [*(overrides or []), *([f"train.steps={steps}"] if steps is not None else [])]
        config = load_config(model, given)
        train_model(
            config,
            read_manifest(manifest),
            out or Path("runs") / Path(model).stem,
            new_phase=new_phase,
            console=Console(soft_wrap=True, highlight=False, markup=False),
        )


@app.command()
def data(
    manifest: ManifestOption,
    model: ModelOption,
    sample: Annotated[
        int | None, typer.Option(min=0, help="Show where this sample comes from, and its text.", show_default=False)
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Say what a run would read: each source's share, size and epochs. With --sample, one sample's place and text.

    Sample n of a run in batches of B belongs to step n / B + 1.
    """
    from trainer.config import load_config
    from trainer.data import Stream
    from trainer.manifest import read_manifest
    from trainer.progress import source_table
    from trainer.vocabulary import load_tokenizer

    with _one_line_errors():
        config = load_config(model, overrides or [])
        stream = Stream(read_manifest(manifest), config.data)
        if sample is None:
            samples = config.train.steps * config.data.batch
            tokens = samples * config.data.context
            typer.echo(f"{config.train.steps:,} steps of {config.data.batch:,} samples: {tokens:,} tokens")
            typer.echo(source_table(stream, samples))
        else:
            typer.echo(stream.describe(sample))
            ids = stream.read(sample).tolist()
            typer.echo(load_tokenizer(stream.manifest).decode(ids))


@app.command()
def generate(
    run: Annotated[Path, typer.Option(help="A run's folder.", show_default=False)],
    prompt: Annotated[str, typer.Option(help="What the text starts with.")] = "",
    tokens: Annotated[int, typer.Option(min=1, help="At most so many tokens more.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token each time.")] = 0.8,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Write text with a run's last checkpoint."""
    from trainer.generate import generate as generate_text

    with _one_line_errors():
        typer.echo(generate_text(run, prompt, tokens=tokens, temperature=temperature, seed=seed))


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except TrainerError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    except Stopped as stopped:
        typer.echo(f"{stopped}; the same command goes on from there")
        raise typer.Exit(stopped.exit_status) from None


if __name__ == "__main__":
    app(prog_name="python -m trainer")
