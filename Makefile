# The front door. Every target is a thin call of a command that does the same with every option.
# ARGS= is passed on as it stands, for settings by their dotted name: make shards ... ARGS="commoncrawl.deduplicate.scope=all"

PYTHON := .venv/bin/python
quote = '$(subst ','\'',$(1))'
option = $(if $($(2)),$(1) $(call quote,$($(2))))

# $(call needs,target,variables,example): stops before any work, in one line and with status 2, where a variable is missing.
needs = $(if $(filter $(1),$(MAKECMDGOALS)),$(foreach name,$(2),$(if $(strip $($(name))),,$(error $(name)= is missing: make $(1) $(3)))))
$(call needs,models,CONFIG OUT,CONFIG=configs/llama.yaml OUT=runs/models)
$(call needs,shards,CONFIG OUT,CONFIG=configs/llama.yaml OUT=runs/llama)
$(call needs,verify,OUT,OUT=runs/demo)
$(call needs,train,MANIFEST MODEL,MANIFEST=runs/demo/manifest.json MODEL=tiny)

.DEFAULT_GOAL := help
.PHONY: help setup demo models shards verify train bench test lint

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

setup: ## Make .venv with all that is needed; every other target does so first
	@deploy/setup.sh

demo: setup ## Everything on the embedded sample, to a training step [OUT=runs/demo DATA= WORKERS= RUNNER=]
	@$(PYTHON) -m pipelines demo --out $(call quote,$(or $(OUT),runs/demo)) $(call option,--data,DATA) \
		$(call option,--workers,WORKERS) $(call option,--runner,RUNNER) $(ARGS)

models: setup ## Language models and cut-offs, once for many runs: CONFIG= OUT=
	@$(PYTHON) -m pipelines models --config $(call quote,$(CONFIG)) --out $(call quote,$(OUT)) $(ARGS)

shards: setup ## Raw files to token shards and their manifest: CONFIG= OUT= [RUNNER= WORKERS=]
	@$(PYTHON) -m pipelines run --config $(call quote,$(CONFIG)) --out $(call quote,$(OUT)) \
		$(call option,--runner,RUNNER) $(call option,--workers,WORKERS) $(ARGS)

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

test: setup ## Every test [ARGS=-x]
	@$(PYTHON) -m pytest -q $(ARGS)

lint: setup ## Style, types and the direction of imports
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@$(PYTHON) .venv/bin/lint-imports
