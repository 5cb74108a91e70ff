"""The embedded sample: raw files in the real formats, from our prose and the documentation of installed packages."""

from pipelines.sample.build import build_sample

__all__ = ["build_sample"]
