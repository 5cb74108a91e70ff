"""A Beam worker as a process that an engine starts on its own machines: `deploy/spark/worker`.

It is started as Beam's containers are (`--id`, `--provision_endpoint`) and asks the engine for the rest.
"""

import argparse
import os
import threading
import time

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.worker import sdk_worker_main
from google.protobuf.json_format import MessageToJson

WATCH_SECONDS = 1


def _end_with(parent: int) -> None:
    """A worker whose executor was killed would go on with what it has in hand, for nobody."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    found, _ = parser.parse_known_args()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with grpc.insecure_channel(found.provision_endpoint) as channel:
        provision = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = provision.GetProvisionInfo(request, metadata=[("worker_id", found.id)], timeout=60).info
    log, harness, _ = sdk_worker_main.create_harness(
        {
            "WORKER_ID": found.id,
            "CONTROL_API_SERVICE_DESCRIPTOR": str(info.control_endpoint),
            "LOGGING_API_SERVICE_DESCRIPTOR": str(info.logging_endpoint),
            "PIPELINE_OPTIONS": MessageToJson(info.pipeline_options),
        }
    )
    try:
        harness.run()
    finally:
        log.close()


if __name__ == "__main__":
    main()
