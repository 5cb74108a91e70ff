"""Only models that the encoder is exact for are taken; all others are refused in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenizer.encode import Encoder
from tokenizer.model import Model
from tokenizer.sample import lines_of
from tokenizer.train import SETTINGS, train_sentencepiece


def test_a_trained_model_is_llamas(model: Path) -> None:
    loaded = Model.load(model)
    sp = loaded.processor
    assert loaded.pieces == 1_000
    assert (sp.unk_id(), sp.bos_id(), sp.eos_id(), sp.pad_id()) == (0, 1, 2, -1)
    assert [sp.PieceToId(f"<0x{byte:02X}>") for byte in range(256)] == list(range(3, 259))
    texts = dict(loaded.text_pieces())
    assert len(texts) == 1_000 - 3 - 256
    assert "  " in texts.values(), "runs of spaces have pieces"
    assert all(len(text) <= 16 for text in texts.values())
    assert all(len(text) == 1 for text in texts.values() if any(c.isdigit() for c in text))


@pytest.mark.parametrize("content", [b"", b"hello world", b"\x7fELF" + bytes(100), None])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "wrong.model"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"wrong\.model: (not a SentencePiece model|cannot be read)"):
        Model.load(path)


def test_a_model_that_sentencepiece_takes_and_we_cannot_use_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.model"
    path.write_bytes(model.read_bytes().replace("\u2581th".encode(), b"\xff\xff\xffth"))  # pieces are no text
    with pytest.raises(ValueError, match=r"damaged\.model: not a SentencePiece model, or a damaged one"):
        Model.load(path)
    path.write_bytes(b"\x15\xff\xff\xff\xff" + model.read_bytes())  # a trainer_spec that is no message
    with pytest.raises(ValueError, match=r"damaged\.model: not a SentencePiece model, or a damaged one"):
        Model.load(path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model_type": "unigram"}, "only SentencePiece BPE models with byte fallback"),
        ({"byte_fallback": False}, "only SentencePiece BPE models with byte fallback"),
        ({"normalization_rule_name": "nmt_nfkc"}, "rewrites text"),
        ({"remove_extra_whitespaces": True}, "rewrites text"),
        ({"add_dummy_prefix": False}, "rewrites text"),
        ({"bos_id": -1, "eos_id": 1}, "without a BOS piece"),
        ({"user_defined_symbols": "a\nb"}, "line ends inside its pieces"),
    ],
)
def test_another_kind_of_model_is_refused(
    documents: list[str], tmp_path: Path, settings: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "other.model"
    lines = [line for text in documents[:10] for line in lines_of(text)]
    path.write_bytes(train_sentencepiece(lines, 500, {**SETTINGS, **settings}))
    with pytest.raises(ValueError, match=reason):
        Encoder(path)


def test_the_sha256_is_the_files(model: Path, train_variant: Callable[[str], Path]) -> None:
    assert Model.load(model).sha256 != Model.load(train_variant("across words")).sha256
