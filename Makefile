# make demo   phantoms -> training -> scorecard -> three drafts with pictures under demo/
# make test   lint, types, tests; the slow tests in a second stage
# Each makes its own virtual environment when it is missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0 -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0 -e '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/python -m radscribe.demo --out demo

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -m "not slow"
	$(BIN)/pytest -m slow

clean:
	rm -rf $(VENV) demo build *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
