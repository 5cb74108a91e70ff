"""The encoder gives SentencePiece's own ids, whatever the text, the model, the batches and the cache."""

import base64
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.conftest import VARIANTS
from tokenizer import encode
from tokenizer.encode import Encoder, cuttable_pairs

FRAGMENTS = [
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "\u2581",
    "\u2581\u2581",
    "\0",
    "\u2028",
    "\u00a0",
    "\u3000",
    "\u2585",
]
WORDS = [
    "the",
    "of the",
    "object",
    "__init__",
    "0",
    "1234",
    "3.14",
    ",",
    "...",
    "<s>",
    "</s>",
    "<unk>",
    "<0x0A>",
    "<|x|>",
]
OTHERS = [
    "é",
    "e\u0301",
    "Köln",
    "мир",
    "中文",
    "日本語",
    "🙂",
    "👩\u200d👩",
    "\ufeff",
    "\U0010ffff",
    "\x85",
    "a" * 40,
    "-" * 20,
]
texts = st.lists(st.sampled_from([*FRAGMENTS, *WORDS, *OTHERS]) | st.text(max_size=6), max_size=30).map("".join)


def reference(path: Path, batch: list[str]) -> list[list[int]]:
    return sentencepiece.SentencePieceProcessor(model_file=str(path)).encode(batch, add_bos=True)


@pytest.fixture(params=VARIANTS)
def any_model(request: pytest.FixtureRequest, train_variant: Callable[[str], Path]) -> Path:
    return train_variant(request.param)


def test_ids_equal_sentencepieces_on_arbitrary_text(any_model: Path) -> None:
    encoder = Encoder(any_model)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(any_model))

    @settings(max_examples=150)
    @given(st.lists(texts, max_size=6))
    def equal(batch: list[str]) -> None:
        assert encoder.encode_batch(batch).to_pylist() == processor.encode(batch, add_bos=True)

    equal()


def test_ids_equal_sentencepieces_on_documents(any_model: Path, documents: list[str]) -> None:
    assert Encoder(any_model).encode_batch(documents).to_pylist() == reference(any_model, documents)


def test_ids_equal_sentencepieces_on_real_pages(model: Path, shared_data: Path) -> None:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with (shared_data / "web" / "derived-realpages-00002.warc.wet.gz").open("rb") as file:
        records = ArchiveIterator(file, record_types=WarcRecordType.conversion)
        pages = [record.reader.read().decode("utf-8", "replace") for record in records]
    assert len(pages) > 100
    assert Encoder(model).encode_batch(pages).to_pylist() == reference(model, pages)


@given(batch=st.lists(texts, max_size=6))
def test_text_comes_back_but_for_space_marks(model: Path, batch: list[str]) -> None:
    encoder, counts = Encoder(model), Counter[str]()
    tokens = encoder.encode_batch(batch, counts)
    assert encoder.decode_batch(tokens) == [text.replace("\u2581", " ") for text in batch]
    assert counts["space_marks"] == sum(text.count("\u2581") for text in batch)
    assert not counts["unit_cuts"]


def test_neither_batches_nor_windows_nor_a_full_cache_change_ids(
    model: Path, documents: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = ["", "", *documents[:12], "", "  a\n\n b", ""]
    expected = reference(model, batch)
    monkeypatch.setattr(encode, "SLICE_BYTES", 2_000)
    monkeypatch.setattr(encode, "WINDOW_BYTES", 300)
    monkeypatch.setattr(encode, "MAX_UNIT_BYTES", 200)
    monkeypatch.setattr(encode, "CALL_BYTES", 7)
    monkeypatch.setattr(encode, "CACHE_BYTES", 20_000)
    encoder, counts = Encoder(model), Counter[str]()
    assert encoder.encode_batch(batch, counts).to_pylist() == expected
    assert [encoder.encode_batch([text]).to_pylist()[0] for text in batch] == expected
    assert not counts


def test_a_batch_that_fails_leaves_no_wrong_ids_behind(
    model: Path, documents: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(model)
    processor = encoder.model.processor
    real, calls = processor.encode, iter(range(100))

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 3:
            raise MemoryError
        return real(*arguments, **options)

    monkeypatch.setattr(processor, "encode", failing)
    with pytest.raises(MemoryError):
        encoder.encode_batch(documents[:10])
    monkeypatch.setattr(processor, "encode", real)
    assert encoder.encode_batch(documents[:10]).to_pylist() == reference(model, documents[:10])


def test_strings_and_large_strings_and_slices_are_the_same(model: Path) -> None:
    encoder = Encoder(model)
    batch = ["one", "two  words", "", "three"]
    expected = encoder.encode_batch(batch)
    assert expected.type == pa.list_(pa.uint16())
    assert encoder.encode_batch(pa.array(batch)).equals(expected)
    assert encoder.encode_batch(pa.array(batch, pa.large_string())).equals(expected)
    assert encoder.encode_batch(pa.array(["zero", *batch])[1:]).equals(expected)
    assert encoder.encode_batch([]).to_pylist() == []


def test_a_null_text_is_refused(model: Path) -> None:
    with pytest.raises(ValueError, match="null"):
        Encoder(model).encode_batch(pa.array(["a", None]))


def test_cuts_inside_long_units_are_counted_and_lose_nothing(model: Path) -> None:
    encoder, counts = Encoder(model), Counter[str]()
    text = "é" * 3 + "e" * (5 * encode.MAX_UNIT_BYTES + 1)
    tokens = encoder.encode_batch(["before", text, "after"], counts)
    assert encoder.decode_batch(tokens) == ["before", text, "after"]
    assert counts["unit_cuts"] == 5
    assert tokens[2].as_py() == reference(model, ["after"])[0]


def test_long_cuts_fall_between_characters_and_wherever_windows_end(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "MAX_UNIT_BYTES", 50)
    pieces = [text for _, text in Encoder(model).model.text_pieces()]
    text = "x" + "\U0001f642é" * 100
    monkeypatch.setattr(encode, "cuttable_pairs", lambda _: cuttable_pairs([*pieces, text, " x"]))
    results = []
    for window in (110, 1_000, 1 << 20):
        monkeypatch.setattr(encode, "WINDOW_BYTES", window)
        counts = Counter[str]()
        encoder = Encoder(model)
        results.append((encoder.encode_batch([text], counts).to_pylist(), counts))
        assert encoder.decode_batch(results[-1][0]) == [text]
    assert results[0] == results[1] == results[2]
    assert results[0][1]["unit_cuts"] > 10


def test_a_line_of_32_mb_without_spaces_takes_under_1_gb(model: Path, tmp_path: Path) -> None:
    size = 32 << 20
    line = b"a" * (size // 2) + base64.b64encode(random.Random(0).randbytes(size * 3 // 8))
    (tmp_path / "line.txt").write_bytes(line)
    program = (
        "import sys; from pathlib import Path; from tokenizer.encode import Encoder\n"
        "ids = Encoder(sys.argv[1]).encode_batch([Path(sys.argv[2]).read_text()])\n"
        # getrusage would count what this process held before it became another program
        "peak = Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]\n"
        "print(len(ids.values), int(peak) >> 10)"
    )
    command = [sys.executable, "-c", program, str(model), str(tmp_path / "line.txt")]
    tokens, megabytes = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert tokens > size / 20
    assert megabytes < 1_000


def test_more_than_65535_pieces_give_uint32(model: Path, tmp_path: Path) -> None:
    extra = [f"\u2581zq{number}".encode() for number in range(65_000)]
    fields = b"".join(b"\x0a" + bytes([len(p) + 7, 0x0A, len(p)]) + p + b"\x15\x00\x00\x80\xff" for p in extra)
    large = tmp_path / "large.model"
    large.write_bytes(model.read_bytes() + fields)
    encoder = Encoder(large)
    batch = ["some text", " zq64999"]
    ids = encoder.encode_batch(batch)
    assert encoder.model.pieces == 66_000
    assert ids.type == pa.list_(pa.uint32())
    assert ids.to_pylist() == reference(large, batch)


@pytest.mark.parametrize("wrong", [-1, 1_000])
def test_an_id_that_is_no_piece_is_refused(model: Path, wrong: int) -> None:
    with pytest.raises(ValueError, match=f"{wrong} is no id of this tokenizer: they go from 0 to 999"):
        Encoder(model).decode_batch([[1, 300], [], [wrong]])


def test_pairs_inside_pieces_are_not_cuttable() -> None:
    pairs = cuttable_pairs(["ab", " c", "é"])
    assert not pairs[ord("a"), ord("b")]
    assert not pairs[ord(" "), ord("c")]
    assert pairs[ord("b"), ord("a")]
    assert pairs[ord("c"), ord(" ")]
    assert not pairs[ord("1"), ord("2")], "numbers stay whole"
    assert not pairs[:, 0x80:0xC0].any(), "characters stay whole"
    assert pairs.shape == (256, 256)
