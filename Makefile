# Everything needs only Python 3.11+ and uv or pip: the first target that needs it makes .venv.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null)

ifdef UV
INSTALL = uv pip install --quiet --python $(BIN)/python
VENV_MADE = uv venv --quiet --allow-existing --python '>=3.11' $(VENV)
else
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
VENV_MADE = $(PYTHON) -m venv $(VENV)
endif

.PHONY: help up test check bench bench-peers bench-search faults soak fuzz clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

up: $(VENV)/run.stamp ## install, then run everything with the sample (Ctrl-C stops it)
	@$(BIN)/casebook up --sample

test: $(VENV)/dev.stamp ## install, then run every test on real servers
	@# Three processes for two cores: mostly one of them waits, for a restart, a time-out or a lease.
	@# In the order of the folders: the long files come first, so that none is left to one process.
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder

check: $(VENV)/dev.stamp ## ruff, mypy strict, the layer test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_layers.py

bench: $(VENV)/bench.stamp ## figures side by side with other queues and engines
	$(BIN)/python -m benchmarks

bench-peers: $(VENV)/bench.stamp ## the queue beside seven others: there and back, and one way
	$(BIN)/python -m benchmarks.queue --rounds 1 --drain

bench-search: $(VENV)/bench.stamp ## searches over HTTP beside the same search in FastAPI (FOLDER=judged set; needs wrk)
	$(BIN)/python -m benchmarks.search $(if $(FOLDER),--folder $(FOLDER))

faults: $(VENV)/dev.stamp ## 200 kills and many other faults under load, about 15 minutes
	$(BIN)/python -m tests.faults.storm

MINUTES ?= 60

soak: $(VENV)/dev.stamp ## the same for MINUTES=60 minutes
	$(BIN)/python -m tests.faults.storm --seeds 101..999 --minutes $(MINUTES)

fuzz: $(VENV)/dev.stamp ## whatever a fuzzer thinks of as queries, for MINUTES=60
	$(INSTALL) -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz.query -max_total_time=$$(($(MINUTES) * 60)) -timeout=1 -max_len=25000

clean: ## remove the environment and caches (never data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { [ -n "$(UV)" ] || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }; }
	$(VENV_MADE)
	@touch $@

$(VENV)/run.stamp: $(VENV)/python.stamp pyproject.toml
	$(INSTALL) -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/python.stamp pyproject.toml
	$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/run.stamp

$(VENV)/bench.stamp: $(VENV)/python.stamp pyproject.toml
	$(INSTALL) -e '.[dev,bench]'
	@touch $@ $(VENV)/run.stamp $(VENV)/dev.stamp
