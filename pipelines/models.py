"""The models that filters use: pinned files named in `models.json`, each with its sha256, the language models with
their cut-offs.

`run` never trains. It checks that what `models.json` names is still there, byte for byte.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import store
from pipelines.errors import UserError
from pipelines.tasks import Input, Output

MODELS = "models"  # their folder in a run's
INDEX = "models.json"
FORMAT = "altiplano/models"
EMBEDDED_LANGUAGE_IDENTIFICATION = Path(sys.prefix) / "share" / "altiplano" / "lid.176.ftz"
LANGUAGE_IDENTIFICATION = "language_identification"
PERPLEXITY = "perplexity"


@dataclass(frozen=True)
class Models:
    """Pinned model files by role (`model.<name>`), and the cut-offs (head, middle) of each language's perplexities."""

    files: Mapping[str, Input] = field(default_factory=dict)
    cutoffs: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def inputs(self, names: Sequence[str]) -> dict[str, Input]:
        """The files of the models that a segment names, as inputs of its tasks."""
        prefixes = tuple(f"model.{name}" for name in names)
        return {role: file for role, file in self.files.items() if prefixes and role.startswith(prefixes)}

    def settings(self, names: Sequence[str]) -> dict[str, Any]:
        return {"cutoffs": dict(self.cutoffs)} if PERPLEXITY in names else {}


def pinned(path: str, sha256: str = "") -> Input:
    """A model file as a task's input. Raises UserError where it is missing, or is not the file that was pinned."""
    try:
        content, size = store.sha256(path)
    except FileNotFoundError:
        raise UserError(f"{path}: this model is missing; `make models` makes it") from None
    if sha256 and content != sha256:
        raise UserError(
            f"{path}: no longer the model that was pinned (sha256 {content[:12]}..., pinned {sha256[:12]}...)"
        )
    return Input(store.absolute(path), size, sha256=content)


def language_identification(path: str | None) -> Models:
    """Language identification and no other model: that of `path`, or what set-up installed.

    Raises UserError where it is missing.
    """
    path = path or str(EMBEDDED_LANGUAGE_IDENTIFICATION)
    if not store.exists(path):
        raise UserError(f"{path}: the language identification model is missing; `make setup` installs it")
    return Models({f"model.{LANGUAGE_IDENTIFICATION}": pinned(path)})


def load(folder: str) -> Models:
    """The models that `folder`/models.json pins. Raises UserError where it or a file it names is missing or changed, or
    it was made for a run that measures no perplexity.
    """
    index = store.join(folder, INDEX)
    try:
        tree = json.loads(store.read_bytes(index))
        assert tree["format"] == FORMAT
        files = {
            role: pinned(store.join(folder, entry["path"]), entry["sha256"]) for role, entry in tree["files"].items()
        }
        cutoffs = {language: (float(head), float(middle)) for language, (head, middle) in tree["cutoffs"].items()}
    except FileNotFoundError:
        raise UserError(f"{index}: there are no models yet; make them with `make models`, once") from None
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
        raise UserError(f"{index}: not an index of models; make it again with `make models`") from None
    if f"model.{LANGUAGE_IDENTIFICATION}" not in files:
        raise UserError(f"{index}: made with commoncrawl.perplexity=false; make it again with `make models`")
    return Models(files, cutoffs)


def save(
    out: str, files: Mapping[str, Output], cutoffs: Mapping[str, tuple[float, float]], facts: Mapping[str, Any]
) -> None:
    """Pin models in `out`/models: `files` by role, their paths relative to the run's folder."""
    entries = {
        role: {"path": o.path.removeprefix(f"{MODELS}/"), "sha256": o.sha256, "bytes": o.bytes}
        for role, o in sorted(files.items())
    }
    tree = {
        "format": FORMAT,
        "files": entries,
        "cutoffs": {k: list(v) for k, v in sorted(cutoffs.items())},
        "facts": facts,
    }
    store.write_bytes(out, f"{MODELS}/{INDEX}", (json.dumps(tree, indent=2, sort_keys=True) + "\n").encode())
