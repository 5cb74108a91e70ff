"""A SentencePiece model of LLaMA's kind: BPE, byte fallback, no normalisation, a space put before the text."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sentencepiece

sentencepiece.set_min_log_level(2)  # errors reach us as exceptions; its log is not for users

MARK = "\u2581"  # stands for a space inside pieces
NEWLINE = "<0x0A>"
TRAINER_SPEC, MODEL_TYPE, BPE = (
    2,
    3,
    2,
)  # fields of ModelProto and TrainerSpec in sentencepiece_model.proto, and a value


@dataclass(frozen=True)
class Model:
    """A loaded model, and the sha256 of its file."""

    processor: sentencepiece.SentencePieceProcessor
    sha256: str

    @classmethod
    def load(cls, path: Path | str) -> "Model":
        """Raises ValueError, in one sentence, for a file that cannot be read or is no such model."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
        processor = sentencepiece.SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(data)
            for id_ in range(processor.GetPieceSize()):
                processor.IdToPiece(id_)
            model_type = _model_type(data)
        except (RuntimeError, UnicodeDecodeError, IndexError):
            raise ValueError(f"{path}: not a SentencePiece model, or a damaged one") from None
        if model_type != BPE or not processor.IsByte(processor.PieceToId(NEWLINE)):
            raise ValueError(f"{path}: only SentencePiece BPE models with byte fallback can be used")
        if processor.Normalize("  \uff21  \ufb01 ") != f"{MARK * 3}\uff21{MARK * 2}\ufb01{MARK}":
            raise ValueError(
                f"{path}: a model that rewrites text: its normaliser must be identity, with a dummy prefix"
            )
        if processor.bos_id() < 0:
            raise ValueError(f"{path}: a model without a BOS piece, which every document starts with")
        return cls(processor, hashlib.sha256(data).hexdigest())

    @property
    def pieces(self) -> int:
        """How many pieces there are: ids go from 0 to one less."""
        return int(self.processor.GetPieceSize())

    def text_pieces(self) -> Iterator[tuple[int, str]]:
        """Id and text, spaces as spaces, of each piece that text can match: no control, unknown or byte pieces."""
        sp = self.processor
        for id_ in range(self.pieces):
            if not (sp.IsControl(id_) or sp.IsUnknown(id_) or sp.IsByte(id_)):
                yield id_, sp.IdToPiece(id_).replace(MARK, " ")


def _model_type(model: bytes) -> int:
    for trainer_spec in _fields(model, TRAINER_SPEC):
        for model_type in _fields(trainer_spec, MODEL_TYPE):
            return int.from_bytes(model_type, "little")
    return 1  # unigram: the field's default


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """The payloads of one field in a sound protobuf message (protobuf.dev/programming-guides/encoding).

    By hand for a single value: SentencePiece tells it nowhere else, and its generated module wants a newer protobuf
    than Beam has.
    """

    def varint(at: int) -> tuple[int, int]:
        value = shift = 0
        while message[at] & 0x80:
            value |= (message[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
        return value | message[at] << shift, at + 1

    at = 0
    while at < len(message):
        tag, at = varint(at)
        match tag & 7:
            case 0:
                start, (_, end) = at, varint(at)
            case 1:
                start, end = at, at + 8
            case 2:
                length, start = varint(at)
                end = start + length
            case _:
                start, end = at, at + 4
        if tag >> 3 == wanted:
            yield message[start:end]
        at = end
