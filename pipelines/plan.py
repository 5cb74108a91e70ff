"""What a run will do, from listings alone: its input files, cut into splits, and what cannot be taken."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.progress import track

from pipelines import store
from pipelines.config import Config
from pipelines.errors import UserError
from pipelines.listings import is_listing, listed
from pipelines.sources.source import Source, Split


@dataclass(frozen=True)
class Plan:
    """The splits of each source, in order, and the files below `data` that no source takes."""

    splits: Mapping[str, list[Split]]
    untaken: list[str]


def make_plan(config: Config) -> Plan:
    """List every input. Raises UserError for a pattern that matches no file, or names that would collide."""
    splits, taken = {}, set()
    for name, source in config.sources.present():
        splits[name] = source_splits(config, name, source)
        taken |= {split.input.path for split in splits[name]}
    return Plan(splits, untaken(config, taken))


def source_splits(config: Config, name: str, source: Source) -> list[Split]:
    """List one source's inputs. Raises UserError as `make_plan` does."""
    files = {
        c: _files(config, f"sources.{name}.inputs.{c}", patterns, source.takes_folders)
        for c, patterns in source.inputs.items()
    }
    return _splits(name, source, files)


def _files(config: Config, where: str, patterns: tuple[str, ...], folders: bool) -> list[store.FileInfo]:
    found: dict[str, store.FileInfo] = {}
    for pattern in patterns:
        path = pattern if "://" in pattern else store.absolute(os.path.join(config.data or "", pattern))
        try:
            matches = _listed(path) if is_listing(path) else store.glob(path, folders=folders)
        except OSError as error:
            raise UserError(f"{where}: {path} cannot be listed: {error}") from None
        if not matches:
            raise UserError(f"{where}: no file matches {path}")
        found.update({file.path: file for file in matches})
    return [found[path] for path in sorted(found)]


def _listed(listing: str) -> list[store.FileInfo]:
    paths = listed(listing)
    asked = store.infos(paths)
    return list(track(asked, listing.rpartition("/")[2], len(paths), console=Console(stderr=True), transient=True))


def _splits(name: str, source: Source, files: Mapping[str, list[store.FileInfo]]) -> list[Split]:
    splits = [s for collection in sorted(files) for file in files[collection] for s in source.splits(collection, file)]
    paths: dict[str, str] = {}
    for split in splits:
        other = paths.setdefault(split.key, split.input.path)
        if other != split.input.path:
            raise UserError(
                f"sources.{name}.inputs: {other} and {split.input.path} have one name in {split.collection}: "
                "give each a collection of its own"
            )
    return sorted(splits, key=lambda s: (s.collection, s.name))


def untaken(config: Config, taken: set[str]) -> list[str]:
    """The files below a local `data` folder that are not among `taken`, nor below a folder that is."""
    if config.data is None or not store.is_local(config.data):
        return []
    root = store.absolute(config.data)
    return [
        path
        for path in sorted(store.list_files(root))
        if not _within(store.join(root, path), taken) and not path.endswith((".md", ".json"))
    ]


def _within(path: str, taken: set[str]) -> bool:
    """Whether a file, or a folder above it, is taken."""
    while path and path not in taken:
        path = path.rpartition("/")[0]
    return bool(path)
