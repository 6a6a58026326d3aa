# Two commands on a fresh clone, nothing but Python needed: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all check format fuzz kills versions bench validate specimens clean

demo: $(VENV)/.demo
	$(BIN)/tellapart demo

# One torch thread: the small models of the tests are slower on two, and far slower where others want the cores.
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

# With the kills, the clusters and the whole trainings: ten minutes more.
test-all: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

# Every target until 50,000 inputs or ten minutes; `SECONDS=10 make fuzz` is what CI runs. Finds lie in fuzz/found.
SECONDS ?= 600
fuzz: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m fuzz.run --seconds $(SECONDS)

# A thousand SIGKILLs over all verbs, then full disks. Stopped and started again the kills go on; the ledger has them.
kills: $(VENV)/.dev
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python benchmarks/kills.py --kills 1000 --ledger build/kills.jsonl
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python benchmarks/kills.py --disk

# Tests of logs and models under the lowest versions that pyproject.toml states, and under the newest; torch stays.
TRIED := tests/logs/test_formats.py tests/logs/test_counts_and_pairs.py tests/runs/test_folder.py tests/models/test_identity.py
versions: $(VENV)/.dev
	$(PIP) uv
	mkdir -p build && grep '^torch==' constraints.txt > build/torch.txt
	for at in lowest-direct highest; do \
	  $(BIN)/uv venv -q --clear -p $(BIN)/python build/$$at && \
	  $(BIN)/uv pip install -q -p build/$$at --resolution $$at -c build/torch.txt -e '.[local,endpoint]' \
	    'pytest>=8' 'pytest-timeout>=2.3' 'pytest-xdist>=3' 'hypothesis>=6.100' && \
	  OMP_NUM_THREADS=1 build/$$at/bin/python -m pytest -W default $(TRIED) || exit 1; \
	done

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

validate: $(VENV)/.dev
	$(BIN)/python benchmarks/validate.py --write docs/validation.md

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/form.py
	$(BIN)/python benchmarks/svf.py
	$(BIN)/python benchmarks/skills.py
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/logs.py

specimens: $(VENV)/.demo
	$(BIN)/tellapart specimens build --out build/specimens

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[local]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .import_linter_cache
