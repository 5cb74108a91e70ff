"""The trainer: a manifest and its token shards in, a LLaMA checkpoint out. It imports neither the pipeline nor Beam."""

import os

# PyTorch's threads spin while they wait for each other. That gains 7 % on an idle machine; on a busy one, where the one
# waited for may not be running, steps took up to a hundred times as long. Read when PyTorch is loaded, so set before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
