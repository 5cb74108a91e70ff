"""One gzip member in pieces of bounded size, whatever it says of itself: what readers of gzip share."""

from collections.abc import Callable, Generator

from isal import isal_zlib

InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # the stub says it is an instance


def inflate_member(raw: bytes, read: Callable[[], bytes], piece_bytes: int) -> Generator[bytes, None, bytes]:
    """The text of the gzip member that begins with `raw` and goes on with what `read` gives, in pieces of at most
    `piece_bytes` bytes; returns what was read behind the member.

    Raises:
        EOFError: the file ends inside it.
        InflateError: it is damaged.
    """
    inflater, piece = isal_zlib.decompressobj(31), b""
    while not inflater.eof:
        if not raw and len(piece) < piece_bytes:
            raw = read()
            if not raw:
                raise EOFError
        piece = inflater.decompress(raw, piece_bytes)
        raw = inflater.unconsumed_tail
        if piece:
            yield piece
    behind: bytes = inflater.unused_data
    return behind
