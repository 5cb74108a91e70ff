"""Keep or drop, with a reason.

A filter takes a document batch and gives one back: it adds columns, rewrites `text`, or writes a reason into
`dropped`. It never removes a row, so nothing vanishes without a reason, and leaves rows that have a reason alone.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

BoolArray = npt.NDArray[np.bool_]


def kept(batch: pa.RecordBatch) -> BoolArray:
    """One bool a row: true where no filter has dropped the document yet."""
    return pc.is_null(batch["dropped"]).to_numpy(zero_copy_only=False)


def drop(batch: pa.RecordBatch, where: BoolArray, reason: str) -> pa.RecordBatch:
    """Write `reason` for the rows `where` is true, unless they were dropped before: the first reason stands."""
    mask = pa.array(where & kept(batch))
    return set_column(batch, "dropped", pc.if_else(mask, pa.scalar(reason), batch["dropped"]))


def set_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """The batch with column `name` added, or replaced where it stands."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        return batch.append_column(name, values)
    return batch.set_column(index, name, values)


def scatter(values: Sequence[object] | npt.NDArray[np.generic], where: BoolArray, type_: pa.DataType) -> pa.Array:
    """A column with `values` at the rows `where` is true, in order, and null elsewhere."""
    indices = np.where(where, np.cumsum(where) - 1, 0)
    return pa.array(values, type=type_).take(pa.array(indices, mask=~where))
