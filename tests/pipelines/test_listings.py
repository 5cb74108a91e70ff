"""Listings of files are never unpacked without a bound."""

import gzip

import pytest

from pipelines import listings
from pipelines.errors import UserError


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(listings, "MAX_BYTES", 1_000)
    path = tmp_path / "wet.paths.gz"
    path.write_bytes(gzip.compress(b"a\n" * 500))
    assert len(listings.listed(str(path))) == 500
    path.write_bytes(gzip.compress(b"a\n" * 501))
    with pytest.raises(UserError, match="refused as a bomb"):
        listings.listed(str(path))
