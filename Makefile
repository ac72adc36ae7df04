# judgestream. `make demo` shows it, `make test` tests it; both set up all they need in .venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3)
JUDGE := tiny
WORKERS := 2
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
SOURCES := services trainer triton_models tests examples docs
# Container images set it. Then each of the hundreds of processes here compiles its modules again, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test coverage test-nightly test-oldest check sbom docs bench bench-engine bench-train bench-gpu judge ablation protos format clean

help:
	@echo "make demo    everything on this machine: real Kafka, Valkey and Triton, a sample judged, a report"
	@echo "make test    unit tests, and integration tests against the real servers"
	@echo "             only the unit tests: make test ARGS=\"-m 'not integration'\""
	@echo "make coverage  the unit tests with their branch coverage per package"
	@echo "make test-nightly  the property tests and the worker's state machine, with 20,000 examples each"
	@echo "make check   format, lint, types, generated code, security (bandit, pip-audit), the files of deploy/"
	@echo "make sbom    the packages of the images, in build/sbom (CycloneDX)"
	@echo "make test-oldest  the unit tests with the oldest versions that pyproject.toml allows, in .venv-oldest"
	@echo "make docs    the documentation site, in build/site"
	@echo "make bench   benchmarks of the pipeline, as JSON lines; make bench-engine: of the judge engine"
	@echo "             make bench-engine PEERS=vllm: against vLLM on this CPU, installed into build/peers (6 GB)"
	@echo "make bench-train  packed against padded training; make bench-gpu: both on a GPU"
	@echo "make judge   retrain a bundled judge and compare its card with the shipped one: the tiny one in about"
	@echo "             15 minutes of one core; JUDGE=small SETS=FOLDER on published sets: minutes on a GPU, hours here"
	@echo "make ablation  what each augmentation does"
	@echo "make protos  write services/judgestream/v1 anew from protos/"
	@echo "make format  format the code"
	@echo "make clean   remove .venv and caches"

# A stamp per set of extras. uv installs in seconds what takes pip minutes; where it cannot, pip does.
define install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[$(1)]' \
	  || $(BIN)/python -m pip install --quiet -c constraints.txt -e '.[$(1)]'
	@touch $@
endef

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "judgestream needs Python 3.11 or later: install it, or name it: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "judgestream needs Python 3.11 or later, $(PYTHON) is $$($(PYTHON) -V): name another with make PYTHON=..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "$(PYTHON) has no venv module: install it (Debian: apt-get install python3-venv)"; exit 2; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/local.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what the local stack needs (once; about 5 GB on disk)"
	@$(call install,local)

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing what tests and tools need (once; about 5 GB on disk)"
	@$(call install,dev)

demo: $(VENV)/local.stamp
	@$(BIN)/judgestream demo

# Whole files on each worker, in the order of tests/conftest.py: servers are shared within a file.
test: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

coverage: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest $(PARALLEL) -m 'not integration' --cov --cov-report= $(ARGS)
	@$(BIN)/python -m tests.coverage_gate

test-nightly: $(VENV)/dev.stamp
	@$(BIN)/python -m pytest $(PARALLEL) -m 'not integration' --hypothesis-profile=nightly $(ARGS)

check: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/python -m tests.generated_code
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive services trainer triton_models
	@$(BIN)/python -m tests.deploy
	@$(BIN)/python -m tests.audit

# What `pip install` with constraints.txt brings into each image of deploy/Dockerfile, with hashes.
sbom: $(VENV)/dev.stamp
	@mkdir -p build/sbom
	@$(call sbom_of,services,--extra judge)
	@$(call sbom_of,engine,--extra local --extra trainer --extra s3)
	@ls build/sbom/*.cdx.json

define sbom_of
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --generate-hashes -c constraints.txt $(2) \
	  pyproject.toml -o build/sbom/$(1).txt
	@$(BIN)/python -W ignore -m cyclonedx_py requirements build/sbom/$(1).txt --pyproject pyproject.toml \
	  --output-reproducible --of JSON -o build/sbom/$(1).cdx.json
endef

# The other end of the ranges than constraints.txt. Old packages use what newer ones deprecate. After a change of a lower bound:
# .venv/bin/uv pip compile --resolution lowest-direct --extra dev --no-header --no-annotate pyproject.toml -o constraints-oldest.txt
test-oldest: $(VENV)/dev.stamp
	@test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	@$(BIN)/uv pip install --quiet --python .venv-oldest/bin/python -c constraints-oldest.txt -e '.[dev]'
	@.venv-oldest/bin/python -m pytest $(PARALLEL) -W default::DeprecationWarning -m 'not integration' $(ARGS)

docs: $(VENV)/dev.stamp
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.benchmarks pipeline $(ARGS)

bench-engine: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.benchmarks engine $(if $(PEERS),--peers $(PEERS)) $(ARGS)

bench-train: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.benchmarks train $(ARGS)

bench-gpu: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.benchmarks.gpu_engine $(ARGS)
	@$(BIN)/python -m tests.benchmarks.gpu_train $(ARGS)

judge: $(VENV)/dev.stamp
	@$(BIN)/judgestream judge --recipe trainer/judgestream_trainer/recipes/$(JUDGE).yaml --out build/judges/$(JUDGE) \
	  --check triton_models/judges/$(JUDGE) $(if $(SETS),--sets $(SETS)) $(ARGS)

ablation: $(VENV)/dev.stamp
	@$(BIN)/judgestream ablate --work build/ablation --out build/ablation/table.json $(ARGS)

protos: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.generated_code --write

format: $(VENV)/dev.stamp
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache
