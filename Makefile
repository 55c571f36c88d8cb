# make demo: the main job on the clip in data/.  make test: the tests.  make openmm: MMDetection and MMPose beside it.
# make newest, make oldest: the package and the tests of video with the newest Python and the newest of all libraries, and
# with the oldest that are allowed.  Each sets itself up on a fresh machine.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3.14 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint openmm test-openmm test-openvino newest oldest clean

# Errors only. Bytecode is made when a module is first used: what is never used takes no room.
PIP = $(BIN)/python -m pip install --quiet --quiet --no-compile --disable-pip-version-check

$(VENV)/.package: pyproject.toml setup.py
	@echo "Installing poseline into $(VENV): about a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@test -e $(VENV)/.openmm || $(BIN)/python -m pip uninstall --quiet --yes setuptools
	@touch $@

$(VENV)/.ready: $(VENV)/.package
	@echo "Installing what the tests need: about a minute more"
	@$(PIP) -e '.[dev]'
	@touch $@

demo: $(VENV)/.package
	@echo "Running the main job on data/laboratory.mp4"
	@$(BIN)/poseline run data/laboratory.mp4 --out outputs

test: $(VENV)/.ready
	$(BIN)/python -m pytest

$(VENV)/.openmm: $(VENV)/.ready scripts/install_openmm.py
	$(BIN)/python scripts/install_openmm.py
	touch $@

openmm: $(VENV)/.openmm

test-openmm: openmm
	$(BIN)/python -m pytest tests/openmm

# Last, since every run computes in bfloat16 from then on where the processor does.
test-openvino: $(VENV)/.ready
	@$(PIP) -e '.[openvino]'
	$(BIN)/python -m pytest tests/models/test_openvino.py tests/models/test_lanes.py

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

newest oldest:
	scripts/try_versions.sh $@

clean:
	rm -rf $(VENV) .venv-newest .venv-oldest .pytest_cache .ruff_cache .mypy_cache .hypothesis build *.egg-info
