"""Keys of documents, and dropping by them."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filters.duplicates import document_keys, drop_kept, keys_of
from pipelines.documents import Batcher


@given(st.lists(st.text()))
def test_a_key_is_the_start_of_a_sha1(values):
    expected = [int.from_bytes(hashlib.sha1(value.encode()).digest()[:8], "little") for value in values]
    assert keys_of(values).tolist() == expected


def test_only_kept_documents_have_keys_and_are_dropped():
    batcher = Batcher("github")
    for id_, text, dropped in (("1", "a", None), ("2", "a", "license"), ("3", "b", None)):
        list(batcher.add(id_, text, {}, dropped))
    (batch,) = batcher.flush()
    assert document_keys(batch).tolist() == keys_of(["a", "b"]).tolist()
    assert drop_kept(batch, np.array([False, True]), "duplicate")["dropped"].to_pylist() == [
        None,
        "license",
        "duplicate",
    ]
