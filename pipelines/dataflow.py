"""Google Cloud Dataflow as the engine: its options, checked before any work; its jobs, followed to their end.

A worker is one machine with one container of our image and one Beam process in it, which keeps the pool of children, a
child a core. The image holds the very code and packages that planned the run, so that nothing is installed while
machines start; its tag is a hash of them, so that a run never meets another version.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from pipelines import store
from pipelines.config import Config
from pipelines.errors import RunError, UserError
from pipelines.fingerprint import canonical, sha256, source_versions
from pipelines.models import EMBEDDED_LANGUAGE_IDENTIFICATION
from pipelines.tasks import TASKS

IMAGE = "ALTIPLANO_IMAGE"  # set in the image itself: a job launched from it runs on it
DEFAULTS = {
    "machine_type": "n2-standard-8",
    "disk_size_gb": "100",
    "max_num_workers": "10",
    "autoscaling_algorithm": "THROUGHPUT_BASED",
    "sdk_location": "container",
}
SEVERAL = ("experiments", "labels", "dataflow_service_options")  # options that may be given more than once
ALWAYS = [("experiments", "no_use_multiple_sdk_containers"), ("labels", "application=altiplano")]
NEEDED = {
    "project": "the project that pays, as --project=my-project (make: PROJECT=)",
    "region": "where its machines are, best the bucket's own, as --region=europe-west4 (make: REGION=)",
}
ALIASES = {
    "image": "sdk_container_image",
    "worker_machine_type": "machine_type",
    "experiment": "experiments",
    "label": "labels",
}
SHAPES = {
    "project": r"([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]",
    "region": r"[a-z]+-[a-z]+\d+",
    "temp_location": r"gs://[^/]+/.+",
    "disk_size_gb": r"[1-9]\d*",
    "sdk_container_image": r"[\w.-]+(:\d+)?(/[\w.-]+)+(:[\w.-]+|@sha256:[0-9a-f]{64})?",
}
MACHINE = re.compile(
    r"(?:[a-z]\w*-)?(?:(?P<kind>standard|highmem|highcpu)-|custom-)(?P<cores>\d+)(?:-(?P<mb>\d+))?\b.*"
)
MB_A_CORE = {"standard": 3840, "highmem": 6656, "highcpu": 922}  # of the oldest family, which has the least
JOB_NAME = 63  # characters
ADVICE = {
    401: "log in with `gcloud auth application-default login`",
    403: "the account needs the role Dataflow Developer, and the project the Dataflow API",
    404: "is the region one of Dataflow's, and the Dataflow API enabled?",
    429: "ask for a larger quota, or take fewer machines (WORKERS=) or smaller ones (--machine-type=)",
}


def image_tag() -> str:
    """Names this code and the packages it runs on."""
    return sha256(canonical(source_versions()))[:12]


def image_name(project: str, region: str) -> str:
    """Where `make image` puts the image of this code, and where a run looks for it."""
    return f"{region}-docker.pkg.dev/{project.replace(':', '/')}/altiplano/worker:{image_tag()}"


def complete(options: Sequence[str], config: Config, out: str, machines: int | None) -> list[str]:
    """Beam's options for a run under `out`, on at most so many machines.

    A name may be written with hyphens or underscores; `--image` is short for `--sdk_container_image`. Raises UserError
    for what is missing, unknown or out of reach.
    """
    if not all(map(_installed, ("google.cloud.dataflow", "gcsfs"))):
        raise UserError("Google's clients are not installed: run `make setup`")
    given = [_named(option) for option in options]
    values = {**DEFAULTS, **dict(given)}
    # of this run alone, since job names are made from it
    values["temp_location"] = store.join(values.get("temp_location", store.join(out, TASKS, "temp")), sha256(out)[:8])
    if machines is not None:
        values["max_num_workers"] = str(machines)
    for name, what in NEEDED.items():
        if not values.get(name):
            raise UserError(f"--{name} is missing: {what}")
    _check_paths(config, out)
    if "sdk_container_image" not in values:
        values["sdk_container_image"] = os.environ.get(IMAGE) or image_name(values["project"], values["region"])
    for name, shape in SHAPES.items():
        if not re.fullmatch(shape, values[name]):
            raise UserError(f"--{name}={values[name]}: not of the form {shape}")
    cores = _cores(values["machine_type"], config.limits.memory_mb)
    values.setdefault("number_of_worker_harness_threads", str(cores))
    several = [(name, value) for name, value in given if name in SEVERAL]
    once = [(name, value) for name, value in values.items() if name not in SEVERAL]
    flags = [f"--{name}={value}" if value else f"--{name}" for name, value in [*once, *several, *ALWAYS]]
    _check_names(flags)
    if "no_auth" not in values:
        _check_credentials()
    return flags


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # nor is the package above it
        return False


def _named(option: str) -> tuple[str, str]:
    name, _, value = option.removeprefix("--").partition("=")
    name = name.replace("-", "_")
    return ALIASES.get(name, name), value


def _cores(machine: str, memory_mb: int) -> int:
    """The cores of a machine type. Raises UserError where a child on each would not find its memory."""
    found = MACHINE.fullmatch(machine)
    if not found or not (found["kind"] or found["mb"]):
        raise UserError(f"--machine_type={machine}: write it as n2-standard-8, n2-highmem-16 or n2-custom-8-32768")
    cores = int(found["cores"])
    memory = MB_A_CORE[found["kind"]] * cores if found["kind"] else int(found["mb"])
    if cores * memory_mb > memory * 0.9:
        raise UserError(
            f"--machine_type={machine}: {cores} children of up to {memory_mb} MB (limits.memory_mb) do not fit in its "
            f"{memory} MB; take a standard or highmem type"
        )
    return cores


def _check_paths(config: Config, out: str) -> None:
    """What workers read and write must not lie on this machine."""
    inputs = [
        (f"sources.{name}.inputs", pattern if "://" in pattern else store.join(config.data or "", pattern))
        for name, source in config.sources.present()
        for patterns in source.inputs.values()
        for pattern in patterns
    ]
    named = [
        ("--out", out),
        ("models.folder", config.models.folder),
        ("tokenizer.path", config.tokenizer.path),
        *inputs,
    ]
    crawl = config.sources.commoncrawl
    if crawl and crawl.language and not crawl.perplexity:  # with perplexity `models` puts it beside the others
        identification = config.models.language_identification or str(EMBEDDED_LANGUAGE_IDENTIFICATION)
        named.append(("models.language_identification", identification))
    for what, path in named:
        if path and store.is_local(path):
            raise UserError(f"{what}: {path} is on this machine, where Dataflow's cannot reach it; use gs://bucket/...")


def _check_names(flags: Sequence[str]) -> None:
    """Beam drops an option that it does not know: a slip of the pen must not go unseen."""
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # what goes wrong is raised, and said once
    parsed = PipelineOptions(list(flags))
    known = parsed.get_all_options()
    for name in parsed.get_all_options(retain_unknown_options=True):
        if name not in known:
            raise UserError(f"--{name}: no option of Beam's or Dataflow's")


def _check_credentials() -> None:
    """Google's clients would go on without any, and fail late."""
    import google.auth

    try:
        google.auth.default()
    except google.auth.exceptions.DefaultCredentialsError:
        raise UserError(f"there are no Google credentials here: {ADVICE[401]}") from None


def job_name(name: str, folder: str) -> str:
    """A legal name, always the same for a stage of a run: the service then refuses to do it twice at once."""
    legal = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"{legal[: JOB_NAME - 9].rstrip('-')}-{sha256(f'{name} {folder}')[:8]}"


@contextmanager
def submitted(name: str, flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    """A pipeline that is submitted when the block ends, and followed until the job has ended. Raises RunError.

    With `--template_location` (a Flex Template's launcher) the job is only described there, and the process ends: one
    launch is one stage.
    """
    options = PipelineOptions(["--runner=DataflowRunner", *flags], save_main_session=False)
    cloud = options.view_as(GoogleCloudOptions)
    cloud.job_name = cloud.job_name or job_name(name, cloud.temp_location)
    result: Any = None
    try:
        pipeline = beam.Pipeline(options=options)
        yield pipeline
        result = pipeline.run()
        if cloud.template_location:
            raise SystemExit(0)
        place = f"https://console.cloud.google.com/dataflow/jobs/{cloud.region}/{result.job_id()}"
        print(f"{cloud.job_name}: {place}?project={cloud.project}", file=sys.stderr)
        result.wait_until_finish()
    except KeyboardInterrupt:
        if result is not None:
            with suppress(Exception):  # it has ended meanwhile, or cannot be reached
                result.cancel()
        raise
    except Exception as error:
        raise RunError(_explain(error)) from error


def _explain(error: Exception) -> str:
    """The line of an error that says why, with what to do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    code = getattr(error, "code", None)
    if code in ADVICE:
        return f"Dataflow refused it: {lines[0]}; {ADVICE[code]}"
    return lines[-1]
