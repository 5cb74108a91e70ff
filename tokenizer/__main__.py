"""LLaMA's tokenizer: train it on clean text, encode, decode, look into it.

\b
    python -m tokenizer train --config configs/llama.yaml --text OUT/text --out tokenizer.model
    python -m tokenizer encode tokenizer.model < page.txt | python -m tokenizer decode tokenizer.model
    python -m tokenizer inspect tokenizer.model OUT/text/wikipedia/*.parquet

docs/tokenizer.md says what the settings are and why.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import fsspec
import pyarrow as pa
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tokenizer.encode import Encoder
from tokenizer.texts import has_column, open_file, read_texts
from tokenizer.train import train_tokenizer

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
ModelArgument = Annotated[Path, typer.Argument(help="A SentencePiece BPE model, as `train` writes it.")]
SOURCE_EXAMPLE = "--weights wikipedia=4.5"


@app.command()
def train(
    text: Annotated[
        str, typer.Option(help="The folder of clean text: <source>/*.parquet with columns id and text; local or a URL.")
    ],
    out: Annotated[Path, typer.Option(help="The model to write; its record goes beside it, to <out>.json.")],
    config: Annotated[
        Path | None,
        typer.Option(help="A run's YAML file: sources.<name>.weight, tokenizer.pieces, tokenizer.sample_bytes, seed."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="A source's share of the sample, as wikipedia=4.5; once for each. In place of --config's."),
    ] = None,
    pieces: Annotated[int | None, typer.Option(help="The vocabulary's size. [default: 32000]")] = None,
    sample_bytes: Annotated[int | None, typer.Option(help="Text to train on, in bytes. [default: 10 GB]")] = None,
    seed: Annotated[int | None, typer.Option(help="Which documents are sampled. [default: 0]")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train even where the model is there and its record still true.")
    ] = False,
) -> None:
    """Train on clean text, sampled by the sources' weights.

    The same text, settings and seed give the same file, byte for byte. A model that is there already and was made from
    the same is kept. SentencePiece takes some 7 bytes of memory for each byte it trains on: 10 GB want a machine of
    80 GB.
    """
    tree = _read_config(config) if config else {}
    section = tree.get("tokenizer") or {}
    shares = (
        _weights(weights)
        if weights
        else {n: s["weight"] for n, s in (tree.get("sources") or {}).items() if s and "weight" in s}
    )
    if not shares:
        raise ValueError(
            "no weights to sample the sources by: give --config FILE or --weights SOURCE=SHARE, as " + SOURCE_EXAMPLE
        )
    fractions = {name: _share(name, share) for name, share in shares.items()}
    settings: dict[str, Any] = {
        "pieces": pieces or section.get("pieces", 32_000),
        "sample_bytes": sample_bytes or section.get("sample_bytes", 10_000_000_000),
        "seed": seed if seed is not None else section.get("seed", tree.get("seed", 0)),
    }
    for name, value in settings.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < (name != "seed"):
            raise ValueError(f"tokenizer.{name}: a whole number is wanted, not {value!r}")
    sources = {name: _parquet_files(text, name) for name, share in fractions.items() if share}
    with _progress(f"training {settings['pieces']:,} pieces on {', '.join(sources)}"):
        record = train_tokenizer(sources, fractions, out, force=force, **settings)
    if not record["trained"]:
        print(f"{out} is up to date (use --force to train all the same)")
        return
    for name, picked in record["sample"].items():
        short = (
            "" if picked["bytes"] >= picked["wanted"] else f", all there is of {picked['wanted'] / 1e6:,.1f} MB wanted"
        )
        print(f"{name}: {picked['documents']:,} documents, {picked['bytes'] / 1e6:,.1f} MB{short}")
    print(f"{out}: {record['pieces']:,} pieces, sha256 {record['sha256']}")


@app.command()
def encode(
    model: ModelArgument,
    text: Annotated[
        str | None, typer.Argument(help="The text; by default what comes in on standard input, whole.")
    ] = None,
    pieces: Annotated[
        bool, typer.Option("--pieces", help="Print the pieces themselves, with \u2581 for a space, not their ids.")
    ] = False,
) -> None:
    """Print a text's ids on one line, BOS first."""
    encoder = Encoder(model)
    counts: Counter[str] = Counter()
    ids = encoder.encode_batch([_standard_input().decode() if text is None else text], counts)[0].as_py()
    print(" ".join(map(encoder.model.processor.IdToPiece, ids) if pieces else map(str, ids)))
    if counts["space_marks"]:
        Console(stderr=True).print(f"{counts['space_marks']} literal U+2581 were read as spaces", highlight=False)


@app.command()
def decode(
    model: ModelArgument,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Ids; by default those on standard input, a text on each line.")
    ] = None,
) -> None:
    """Print the text that ids stand for, exactly: nothing is added at its end."""
    encoder = Encoder(model)
    lines = [ids] if ids else [line.split() for line in _standard_input().decode().splitlines()]
    try:
        numbers = [[int(id_) for id_ in line] for line in lines]
    except ValueError as error:
        raise ValueError(f"ids are whole numbers: {error}") from None
    sys.stdout.buffer.write("\n".join(encoder.decode_batch(numbers)).encode(errors="replace"))


@app.command()
def inspect(
    model: ModelArgument,
    files: Annotated[
        list[str] | None, typer.Argument(help="Texts to measure: Parquet files with id and text, or plain text.")
    ] = None,
    longest: Annotated[int, typer.Option(help="How many of the longest pieces to show.")] = 10,
) -> None:
    """Show a model's size, special pieces and longest pieces, and how many bytes a token holds in given texts."""
    encoder = Encoder(model)
    sp = encoder.model.processor
    texts = sorted((text for _, text in encoder.model.text_pieces()), key=lambda t: (-len(t), t))
    pad = "none" if sp.pad_id() < 0 else sp.pad_id()
    print(f"pieces   {encoder.model.pieces:,}, of which {len(texts):,} are text; ids are {encoder.dtype.name}")
    print(f"special  unk {sp.unk_id()}, bos {sp.bos_id()}, eos {sp.eos_id()}, pad {pad}")
    print(f"sha256   {encoder.model.sha256}")
    print(f"longest  {' '.join(repr(t) for t in texts[:longest])}")
    if files:
        _print_fertility(encoder, files)


def _print_fertility(encoder: Encoder, files: list[str]) -> None:
    """Bytes a token for each file, and for each language where the file names one."""
    table = Table(box=None, pad_edge=False)
    for heading in ("text", "documents", "bytes", "tokens", "bytes/token"):
        table.add_column(heading, justify="left" if heading == "text" else "right", overflow="fold")
    for file in files:
        documents, sizes, tokens = (Counter[str]() for _ in range(3))
        for languages, texts in _documents(file):
            for language, text, ids in zip(languages, texts, encoder.encode_batch(texts), strict=True):
                documents[language] += 1
                sizes[language] += text.as_buffer().size
                tokens[language] += len(ids)
        for language, number in documents.most_common():
            name, ratio = f"{file} {language}".strip(), f"{sizes[language] / tokens[language]:.2f}"
            table.add_row(name, f"{number:,}", f"{sizes[language]:,}", f"{tokens[language]:,}", ratio)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(table)


def _documents(file: str) -> Iterator[tuple[list[str], pa.Array]]:
    """Languages (empty where not known) and texts: rows of a Parquet file, or a plain text file as one document."""
    with open_file(file) as stream:
        if stream.read(4) != b"PAR1":
            stream.seek(0)
            try:
                yield [""], pa.array([stream.read().decode()])
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{file}: neither Parquet nor UTF-8 text ({error.reason} at byte {error.start})"
                ) from None
            return
    columns = ["text", "language"] if has_column(file, "language") else ["text"]
    for batch in read_texts(file, columns):
        languages = batch["language"].fill_null("").to_pylist() if len(columns) == 2 else [""] * len(batch)
        yield languages, batch["text"]


def _read_config(path: Path) -> dict[str, Any]:
    try:
        tree = YAML(typ="safe").load(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except YAMLError as error:
        raise ValueError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    sections = [tree.get(name) or {} for name in ("sources", "tokenizer")] if isinstance(tree, dict) else [None]
    if not all(isinstance(section, dict) for section in sections):
        raise ValueError(f"{path}: not a run's configuration: sources and tokenizer must be mappings")
    return cast(dict[str, Any], tree)


def _weights(given: list[str]) -> dict[str, str]:
    shares = {}
    for item in given:
        name, equals, share = item.partition("=")
        if not equals or not name:
            raise ValueError(f"--weights {item}: a source and its share are wanted, as {SOURCE_EXAMPLE}")
        shares[name] = share
    return shares


def _share(name: str, share: object) -> Fraction:
    try:
        fraction = Fraction(str(share))
    except (ValueError, ZeroDivisionError):
        fraction = Fraction(-1)
    if fraction < 0:
        raise ValueError(f"the weight of {name}: a number of at least 0 is wanted, not {share!r}")
    return fraction


def _parquet_files(folder: str, source: str) -> list[str]:
    """The source's files of clean text. Raises ValueError where there is none."""
    try:
        fs, inner = fsspec.core.url_to_fs(folder, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise ValueError(f"{folder}: {error}") from None
    found = [fs.unstrip_protocol(path) for path in sorted(fs.glob(f"{inner.rstrip('/')}/{source}/*.parquet"))]
    if not found:
        raise ValueError(
            f"{folder}/{source}: there is no clean text (*.parquet) of this source, whose weight is above 0"
        )
    return found


def _standard_input() -> bytes:
    return sys.stdin.buffer.read()


def _progress(what: str) -> AbstractContextManager[object]:
    """Shows on a terminal that time passes; elsewhere one line."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(what, highlight=False, soft_wrap=True)
        return nullcontext()
    progress = Progress(SpinnerColumn(), TextColumn(what), TimeElapsedColumn(), console=console, transient=True)
    progress.add_task(what, total=None)
    return progress


def _stop(message: object, code: int) -> NoReturn:
    Console(stderr=True).print(f"error: {message}", highlight=False, markup=False, soft_wrap=True)
    sys.exit(code)


def main() -> None:
    try:
        app()
    except ValueError as error:
        _stop(error, 2)
    except KeyboardInterrupt:
        _stop("interrupted; no file was changed", 130)
    except OSError as error:
        _stop(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "), 1)


if __name__ == "__main__":
    main()
