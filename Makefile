# The front door. Every target is a thin call of a command that does the same with every option.
# ARGS= is passed on as it stands, for settings by their dotted name: make shards ... ARGS="commoncrawl.deduplicate.scope=all"

PYTHON := .venv/bin/python
quote = '$(subst ','\'',$(1))'
option = $(if $($(2)),$(1) $(call quote,$($(2))))
joined = $(if $(filter command,$(firstword $(origin $(2)))),$(if $($(2)),$(call quote,$(1)=$($(2))))) # not from the environment: REGION may be anybody's
engine = $(call option,--runner,RUNNER) $(call option,--workers,WORKERS) $(call joined,--master,MASTER) \
	$(call joined,--project,PROJECT) $(call joined,--region,REGION)
ready = setup $(if $(filter spark,$(RUNNER)),spark)

# $(call needs,target,variables,example): stops before any work, in one line and with status 2, where a variable is missing.
needs = $(if $(filter $(1),$(MAKECMDGOALS)),$(foreach name,$(2),$(if $(strip $($(name))),,$(error $(name)= is missing: make $(1) $(3)))))
$(call needs,plan,CONFIG,CONFIG=configs/llama.yaml)
$(call needs,models,CONFIG OUT,CONFIG=configs/llama.yaml OUT=runs/models)
$(call needs,shards,CONFIG OUT,CONFIG=configs/llama.yaml OUT=runs/llama)
dataflow = RUNNER=dataflow PROJECT=my-project REGION=europe-west4 CONFIG=llama.yaml OUT=gs://bucket/run
$(if $(filter dataflow,$(RUNNER)),$(foreach target,models shards,$(call needs,$(target),PROJECT REGION,$(dataflow))))
$(call needs,image,PROJECT REGION,PROJECT=my-project REGION=europe-west4)
$(call needs,verify,OUT,OUT=runs/demo)
$(call needs,train,MANIFEST MODEL,MANIFEST=runs/demo/manifest.json MODEL=tiny)

.DEFAULT_GOAL := help
.PHONY: help setup spark image demo plan models shards verify train bench test lint fuzz

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: ## Make .venv with all that is needed; every other target does so first
	@deploy/setup.sh

spark: setup ## Spark and Beam's runner for it, for RUNNER=spark: 300 MB
	@deploy/spark/setup.sh $(ARGS)

image: setup ## The image of this code for Dataflow: PROJECT= REGION= [TEMPLATE=gs://bucket/altiplano.json]
	@deploy/dataflow/build.sh $(call quote,$(PROJECT)) $(call quote,$(REGION)) $(call quote,$(TEMPLATE))

demo: $(ready) ## Everything on the embedded sample, to a training step [OUT=runs/demo DATA= WORKERS= RUNNER=]
	@$(PYTHON) -m pipelines demo --out $(call quote,$(or $(OUT),runs/demo)) $(call option,--data,DATA) \
		$(engine) $(ARGS)

plan: setup ## Files, tasks, hours, disk, price of a run: CONFIG= [ARGS=--full]
	@$(PYTHON) -m pipelines plan --config $(call quote,$(CONFIG)) $(ARGS)

models: $(ready) ## Language models and cut-offs, once for many runs: CONFIG= OUT= [RUNNER= WORKERS= MASTER= PROJECT= REGION=]
	@$(PYTHON) -m pipelines models --config $(call quote,$(CONFIG)) --out $(call quote,$(OUT)) \
		$(engine) $(ARGS)

shards: $(ready) ## Raw files to token shards and their manifest: CONFIG= OUT= [RUNNER= WORKERS= MASTER= PROJECT= REGION=]
	@$(PYTHON) -m pipelines run --config $(call quote,$(CONFIG)) --out $(call quote,$(OUT)) \
		$(engine) $(ARGS)

verify: setup ## Every shard against its manifest: OUT=
	@$(PYTHON) -m pipelines verify $(call quote,$(OUT))

train: setup ## Train on a manifest: MANIFEST= MODEL=
	@$(PYTHON) -m trainer train --manifest $(call quote,$(MANIFEST)) --model $(call quote,$(MODEL)) $(ARGS)

bench: export ALTIPLANO_DATA := $(abspath $(or $(DATA),../shared/data))
bench: setup ## Speeds beside the bare libraries', and how a run scales [DATA=../shared/data, real files]
	$(PYTHON) -m benchmarks.commoncrawl
	$(PYTHON) -m benchmarks.tokens
	$(PYTHON) -m benchmarks.wikitext "$$ALTIPLANO_DATA/wikipedia"
	$(PYTHON) -m benchmarks.loader
	$(PYTHON) -m benchmarks.scaling --data "$$ALTIPLANO_DATA"

test: setup ## Every test, two files at a time [ARGS=-x]
	@$(PYTHON) -m pytest -q --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

fuzz: setup ## Every parser on 200,000 hostile inputs, hours on one core [RUNS= DATA= ARGS="--corpus runs/corpus"]
	@$(PYTHON) -m uv pip install --quiet --python $(PYTHON) --constraint constraints.txt atheris
	@$(PYTHON) -m tests.fuzz all --runs $(call quote,$(or $(RUNS),200000)) $(call option,--data,DATA) $(ARGS)

lint: setup ## Style, types and the direction of imports
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@$(PYTHON) .venv/bin/lint-imports
