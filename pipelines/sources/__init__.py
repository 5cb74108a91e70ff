"""The sources a configuration may name, one file each."""

from collections.abc import Iterator

from pydantic import model_validator

from pipelines.sources.commoncrawl import CommonCrawl
from pipelines.sources.source import Section, Source
from pipelines.sources.wikipedia import Wikipedia


class Sources(Section):
    """The `sources` section of a configuration; a source that is not named is not part of the run."""

    commoncrawl: CommonCrawl | None = None
    wikipedia: Wikipedia | None = None

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
