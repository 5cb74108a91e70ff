"""Posts' HTML and tags to threads."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from filters.threads import Thread, plain_text, tags, threads
from pipelines.documents import ReadReport
from pipelines.readers.stackexchange import SCHEMA, read_posts

MAX_BYTES = 1 << 13
SEEDS = (
    b"<p>One &amp; <b>two</b>&#0;</p><ol start=3><li>a<ul><li>b</li></ul></li></ol><pre><code>x\n y</code></pre>\f"
    b"<table><tr><td><p>1</p><td>2</table>x<sup>2<sub>i</sub></sup><br/><!-- c --><script>z</script>",
    b"<blockquote><blockquote>a<hr>b<img src=x><a href='u'>l</a></blockquote>\f<ul><ul><li></ul></ul>&lt;&nbsp;\0",
)
WORDS = (
    b"<sup>", b"</sup>", b"<li>", b"<ol start=", b"<pre>", b"</pre>", b"<td>", b"<tr>", b"<script>", b"</script>",
    b"<select>", b"&#x", b"&nbsp;", b"<![CDATA[", b"<!--", b"<?", b"<svg>", b"<title>", b"</body>", b"<frameset>",
)  # fmt: skip


def real(folder: Path) -> Iterator[bytes]:
    """Real questions and answers."""
    for path in sorted(folder.glob("stackexchange/*.7z"))[:3]:
        with path.open("rb") as stream:
            batch = next(iter(read_posts(stream, report=ReadReport())))
        for start in range(0, 40, 4):
            yield "\f".join(batch["body"].slice(start, 4).to_pylist()).encode()[:MAX_BYTES]


def one_input(data: bytes) -> None:
    """Any HTML gives text without controls; a question with any answers is one thread."""
    bodies = data.decode(errors="replace").split("\f")
    posts: list[tuple[object, ...]] = [
        (1, number, number % 3, None, body, None, None, None, len(body)) for number, body in enumerate(bodies, 2)
    ]
    posts.append((1, 1, 0, bodies[0][:50], bodies[-1], bodies[0][:50], None, None, 9))
    table = pa.Table.from_pylist([dict(zip(SCHEMA.names, post, strict=True)) for post in posts], SCHEMA)
    [thread] = threads(table)
    assert isinstance(thread, Thread)
    assert thread.answers == len(bodies)
    assert not set(thread.text) & set(map(chr, [*range(9), *range(11, 32), 127]))
    assert plain_text(bodies[0]) == plain_text(bodies[0])
    tags(bodies[0])
