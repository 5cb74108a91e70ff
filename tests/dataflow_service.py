"""The other side of a Dataflow run, on this machine: an object store, and a service that takes jobs and really does
them.

The store is an emulator of Cloud Storage. The service speaks the REST calls that Beam's client makes; it fetches the
staged graph from the store, as Dataflow does, and runs it in this process in place of machines. What the graph shuffles
is kept, byte for byte.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.pipeline_context import PipelineContext
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, execution
from apache_beam.transforms.environments import EmbeddedPythonEnvironment
from gcp_storage_emulator.server import create_server
from gcsfs.core import GCSFileSystem
from google.cloud.dataflow import JobState

from pipelines import store

BUCKET = "altiplano-bucket"


@contextmanager
def storage_emulator(folder: Path) -> Iterator[dict[str, str]]:
    """An empty bucket in memory, and the environment that leads a process to it, with credentials in `folder`."""
    credentials = folder / "credentials.json"
    secrets = dict.fromkeys(("client_id", "client_secret", "refresh_token", "token"), "none")
    credentials.write_text(json.dumps({"type": "authorized_user", "expiry": "2199-01-01T00:00:00Z", **secrets}))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {
        "STORAGE_EMULATOR_HOST": f"http://localhost:{port}",
        "FSSPEC_GCS_TOKEN": "anon",
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # it would ask another API, which the emulator has not
    }
    with create_server("localhost", port, in_memory=True, default_bucket=BUCKET), pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        # this process may have read its environment before
        patch.setitem(fsspec.config.conf, "gcs", {"token": "anon"})
        fsspec.register_implementation("gs", GCSFileSystem, clobber=True)
        yield environment


class DataflowService:
    """Takes jobs. `refusal`: the status and message of every answer to a new one; `failure`: what its jobs die of."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.graphs: list[beam_runner_api_pb2.Pipeline] = []
        self.shuffled: list[bytes] = []
        self.cancelled: list[str] = []
        self.refusal: tuple[int, str] | None = None
        self.failure: str | None = None
        self.running = False  # as a job that never ends
        self._server = ThreadingHTTPServer(("localhost", 0), _handler(self))

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self._server.server_port}"  # by this name Beam's client speaks REST

    @contextmanager
    def serving(self) -> Iterator["DataflowService"]:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()

    def create(self, job: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.refusal:
            status, message = self.refusal
            return status, {"error": {"code": status, "message": message}}
        self.jobs.append(job)
        graph = beam_runner_api_pb2.Pipeline.FromString(store.read_bytes(options(job)["pipelineUrl"]))
        self.graphs.append(graph)
        state = "JOB_STATE_RUNNING"
        if not self.failure and not self.running:
            self._run(graph)
            state = "JOB_STATE_DONE"
        return 200, {**job, "id": f"job-{len(self.jobs)}", "currentState": state}

    def state(self, job: str) -> tuple[int, dict[str, Any]]:
        return 200, {"id": job, "currentState": "JOB_STATE_FAILED" if self.failure else "JOB_STATE_RUNNING"}

    def messages(self) -> tuple[int, dict[str, Any]]:
        message = {"id": "1", "time": "2026-01-01T00:00:00Z", "messageImportance": "JOB_MESSAGE_ERROR"}
        return 200, {"jobMessages": [{**message, "messageText": self.failure}] if self.failure else []}

    def _run(self, graph: beam_runner_api_pb2.Pipeline) -> None:
        here = beam_runner_api_pb2.Pipeline.FromString(graph.SerializeToString())
        for environment in here.components.environments.values():
            environment.CopyFrom(EmbeddedPythonEnvironment.default().to_runner_api(PipelineContext()))
        append = execution.GroupingBuffer.append

        def keep(buffer: execution.GroupingBuffer, data: bytes) -> None:
            self.shuffled.append(data)
            append(buffer, data)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(execution.GroupingBuffer, "append", keep)
            FnApiRunner().run_via_runner_api(here, PipelineOptions([])).wait_until_finish()


def options(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["environment"]["sdkPipelineOptions"]["options"]
    return found


def _handler(service: DataflowService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer(*service.create(self._body()))

        def do_PUT(self) -> None:
            assert self._body()["requestedState"] == JobState.JOB_STATE_CANCELLED
            service.cancelled.append(self.path.partition("?")[0].rpartition("/")[2])
            self._answer(200, {})

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            last = path.rpartition("/")[2]
            self._answer(*(service.messages() if last == "messages" else service.state(last)))

        def _body(self) -> dict[str, Any]:
            found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return found

        def _answer(self, status: int, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler
