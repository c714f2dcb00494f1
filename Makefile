.DEFAULT_GOAL := help
.PHONY: help demo test bench fuzz faults calibrate conformance lint lint-workflows audit format lock emulator model new-model model-card bootstrap doctor env

# The demo's second model: good is promoted, slow and wrong are refused.
CANDIDATE ?= good
# auto, containers or processes
RUNTIME ?= auto
# What the conformance suite deploys: processes or containers
CONFORMANCE_RUNTIME ?= processes
# on: a Prometheus (the program has to be on PATH) watches make demo
PROMETHEUS ?= off
# Where the reports go
REPORTS ?= reports
# default, or all: peers in environments of their own too
PEERS ?= default
# How long make fuzz looks for a body that breaks the contract
FUZZ_S ?= 60
# What a model is trained from; a fork whose data is elsewhere adds its folder
TRAINED_FROM ?= model requirements/model.txt
# What a model is called; none: the last commit that changed what it is trained from, -edited where git has not all of it
VERSION ?=
# The name of the model that make new-model begins, and its kind: regression, classifier, data-frame or plain-object
NAME ?=
KIND ?=
# Further arguments: make test ARGS="tests/unit -k gate", make faults ARGS="--sample 60"
ARGS ?=

PYTHON_IN_VENV := .venv/bin/python

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: env ## a whole release on this machine, from training to 100 % (CANDIDATE=slow or wrong: a refusal)
	@$(PYTHON_IN_VENV) -m deployment demo --candidate $(CANDIDATE) --runtime $(RUNTIME) --reports-dir $(REPORTS) \
		$(if $(filter on,$(PROMETHEUS)),--prometheus)

model: env ## train what this commit describes, into artifacts/model
	@version="$(or $(VERSION),$$(scripts/model-version.sh $(TRAINED_FROM)))" && \
		$(PYTHON_IN_VENV) -m model train --version "$$version" --output artifacts/model

test: env ## all tests; those of containers need a Docker Engine (CI=true installs one)
	@$(PYTHON_IN_VENV) -m pytest -n 2 --dist loadscope $(ARGS)

bench: env ## the service against its peers, each on one core, and what it must reach (PEERS=all: more of them)
	@scripts/wrk.sh
	@$(PYTHON_IN_VENV) -m benchmarks all --peers $(PEERS) --json $(REPORTS)/bench.json

fuzz: env ## bodies of every sort for the decoder and a running server, for FUZZ_S seconds (60)
	@$(PYTHON_IN_VENV) -m fuzz --seconds $(FUZZ_S) --reports $(REPORTS)

faults: env ## every control-plane call of a release x every fault, what serves and who repairs it (about 25 minutes)
	@$(PYTHON_IN_VENV) -m tests.faults --reports $(REPORTS) $(ARGS)

calibrate: env ## how often the gate errs: simulated releases whose truth is known (about 2 minutes)
	@$(PYTHON_IN_VENV) -m load calibrate --reports $(REPORTS) $(ARGS)

conformance: env ## which of the SDK's operations behave as on Azure, against the emulator
	@$(PYTHON_IN_VENV) -m pytest tests/conformance -q --conformance-runtime $(CONFORMANCE_RUNTIME) \
		--conformance-report $(REPORTS)/conformance.json $(ARGS)

lint: env ## formatting, types, and the linters of shell, Dockerfile and workflows
	@scripts/lint.sh

lint-workflows: env ## the linters of workflows, composite actions and dependabot.yml alone
	@scripts/lint.sh workflows

audit: env ## known vulnerabilities in what requirements/*.txt lock
	@scripts/audit.sh

format: env ## let ruff format and mend what it can
	@.venv/bin/ruff check --fix --quiet . && .venv/bin/ruff format .

emulator: env ## an emulated Azure ML to point any azure-ai-ml program at
	@$(PYTHON_IN_VENV) -m deployment emulate --runtime $(RUNTIME) $(ARGS)

lock: ## write requirements/*.txt anew from pyproject.toml (needs uv on PATH)
	@scripts/lock.sh

new-model: env ## begin a model of yours: NAME=churn KIND=classifier (or regression, data-frame, plain-object)
	@$(PYTHON_IN_VENV) -m model new --name "$(NAME)" --kind "$(KIND)" $(ARGS)

model-card: model ## train, and write model/MODEL_CARD.md
	@$(PYTHON_IN_VENV) -m model card --model-dir artifacts/model --output model/MODEL_CARD.md --for-commit

bootstrap: env ## connect this repository to Azure by az and gh: prints the plan, asks, acts (ARGS="--dry-run" touches nothing)
	@$(PYTHON_IN_VENV) -m deployment bootstrap $(ARGS)

doctor: env ## what of machine, configuration, Azure, GitHub and emulator is missing, and what to do about each
	@$(PYTHON_IN_VENV) -m deployment doctor $(ARGS)

env:
	@scripts/environment.sh
