# make demo: environment + the main job on the synthetic cohort; make test: environment + tests.
PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= torch==2.13.0  # the CPU build; on a GPU machine give the build of your CUDA
BIN     = $(VENV)/bin
SPREAD ?= -n auto --dist loadfile --no-loadscope-reorder  # a file of tests stays in one process; long ones come first

.PHONY: env demo test test-all lint clean peers

env: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("want Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q $(TORCH)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: env
	$(BIN)/voxcurate demo demo

test: env
	$(BIN)/python -m pytest $(SPREAD) -m 'not gpu and not network and not long'

test-all: env
	$(BIN)/python -m pytest $(SPREAD)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy voxcurate agent retrieval cleaning labeling training configs tests benchmarks

clean:
	rm -rf $(VENV) build demo *.egg-info

# negspacy and medspaCy force old versions on everybody: an environment of their own
peers:
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install -q medspacy==1.3.1 negspacy==1.0.4
