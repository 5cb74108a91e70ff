"""Documents between two segments come back as they were."""

from pathlib import Path

import pyarrow as pa

from pipelines.documents import Batcher, ReadReport
from pipelines.spool import Spool, read_spool
from pipelines.tasks import Input, Task, Work


def test_rows_come_back_in_order_with_the_report_and_dropped_ones_shortened(tmp_path: Path):
    batcher = Batcher("c4")
    batches = [
        b
        for n in range(2_500)
        for b in batcher.add(str(n), "é" * 20_000 if n < 3 else f"text {n}", {"n": str(n)}, "gone" if n == 1 else None)
    ]
    batches += batcher.flush()
    work = Work(Task("c4.pages", "a", "", "", {"raw": Input("x", 0)}, {}, str(tmp_path)), tmp_path)
    written = ReadReport(truncated="it ends early")
    written.count("odd", 3)
    with Spool(work, "rounds/c4.pages") as spool:
        for batch in batches:
            spool.write(batch)
        spool.report(written)
    read = ReadReport()
    found = pa.Table.from_batches(read_spool(tmp_path / "documents.parquet", read))
    assert found["id"].to_pylist() == [str(n) for n in range(2_500)]
    assert [len(text.as_py()) for text in found["text"][:3]] == [20_000, 10_000, 20_000]
    assert found["metadata"].to_pylist() == pa.Table.from_batches(batches)["metadata"].to_pylist()
    assert found["dropped"].to_pylist()[:3] == [None, "gone", None]
    assert (read.counts, read.truncated) == ({"odd": 3}, "it ends early")
