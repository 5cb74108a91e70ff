"""Which books a run held for one: each cluster with the book that stays, and how much of the others it holds.

    python -m benchmarks.clusters runs/books

prints, for each book that went, the share of the smaller one's shingles that is in the other; it can be below the
setting `share` where a third edition connects the two.
"""

import argparse

import pyarrow as pa

from filters.nearduplicates import Shingles, containment
from pipelines import store

Place = tuple[str, int]  # the split's key, and the book's place in it


def by_key(out: str, folder: str, ending: str) -> dict[str, str]:
    """The files of a folder that end so, by their task's key."""
    path = store.join(out, folder)
    return {n.rpartition("-")[0]: store.join(path, n) for n in store.list_files(path) if n.endswith(ending)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("run", help="a run's folder")
    out: str = parser.parse_args().run
    signatures = by_key(out, "rounds/books.digest", ".signatures.arrow")
    shingles = by_key(out, "rounds/books.digest", ".shingles.arrow")
    ids: dict[Place, str] = {}
    kept: dict[Place, str | None] = {}
    for key, path in by_key(out, "rounds/books.editions", ".arrow").items():
        names = pa.ipc.open_file(store.read_bytes(signatures[key])).read_all()["id"].to_pylist()
        verdicts = pa.ipc.open_file(store.read_bytes(path)).read_all()["kept"].to_pylist()
        for place, (name, verdict) in enumerate(zip(names, verdicts, strict=True)):
            ids[key, place], kept[key, place] = name, verdict

    def book(key: str, place: int) -> Shingles:
        found: Shingles = pa.ipc.open_file(store.open_read(shingles[key])).get_batch(place)["shingle"].to_numpy()
        return found

    clusters: dict[str, list[Place]] = {}
    for where, verdict in kept.items():
        if verdict is not None:
            clusters.setdefault(verdict, []).append(where)
    for where in sorted(ids, key=lambda w: ids[w]):
        if kept[where] is None:
            whole = book(*where)
            print(f"{ids[where]}  {len(whole):,} shingles")
            for other in sorted(clusters.get(ids[where], []), key=lambda w: ids[w]):
                one = book(*other)
                print(f"    {ids[other]}  {len(one):,} shingles, {containment(one, whole):.4f} shared")
    print(f"{len(ids)} books, {sum(v is None for v in kept.values())} stay")


if __name__ == "__main__":
    main()
