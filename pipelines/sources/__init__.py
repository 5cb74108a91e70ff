"""The sources a configuration may name, one file each."""

from collections.abc import Iterator

from pydantic import model_validator

from pipelines.sources.arxiv import Arxiv
from pipelines.sources.books import Books
from pipelines.sources.c4 import C4
from pipelines.sources.commoncrawl import CommonCrawl
from pipelines.sources.github import GitHub
from pipelines.sources.source import Section, Source
from pipelines.sources.stackexchange import StackExchange
from pipelines.sources.wikipedia import Wikipedia


class Sources(Section):
    """The `sources` section of a configuration; a source that is not named is not part of the run."""

    commoncrawl: CommonCrawl | None = None
    c4: C4 | None = None
    github: GitHub | None = None
    wikipedia: Wikipedia | None = None
    books: Books | None = None
    arxiv: Arxiv | None = None
    stackexchange: StackExchange | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> "Sources":
        if not any(True for _ in self.present()):
            raise ValueError(f"name at least one source of: {', '.join(type(self).model_fields)}")
        return self

    def present(self) -> Iterator[tuple[str, Source]]:
        """The sources of this run, in a fixed order."""
        for name in type(self).model_fields:
            if (source := getattr(self, name)) is not None:
                yield name, source
