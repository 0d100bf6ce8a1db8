# make demo   phantoms -> training -> scorecard -> three drafts with pictures under demo/
# make test   lint, types, tests; the slow tests in a second stage
# make bench  speed and agreement beside pycocoevalcap and Java, on the reports of IU X-Ray: bench/speed.json
# make docs   the documentation site under site/, with every link and anchor checked
# make sbom   docs/trust/sbom.json: every pinned package with its licence, as CycloneDX
# Each makes its own virtual environment when it is missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check -c constraints.txt
# The tests look for real data in the same place.
RADSCRIBE_SHARED_DATA ?= ../shared/data
REPORTS ?= $(RADSCRIBE_SHARED_DATA)/iu_xray/NLMCXR_reports.tgz
# pip leaves bytecode to the first import, which is far less of it: empty, so that every later process has it.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test bench docs sbom clean

# The pip that a Python of 2023 brings takes twice as long to choose among the files of an index.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip
	$(INSTALL) torch==2.13.0 -e '.[serve]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) torch==2.13.0 -e '.[dev]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(INSTALL) torch==2.13.0 -e '.[docs]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/python -m radscribe.cli.demo --out demo

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -m "not slow"
	$(BIN)/pytest -m slow

bench: $(VENV)/installed-dev
	$(BIN)/radscribe bench metrics --reports $(REPORTS) --out bench

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

sbom: $(VENV)/installed-dev $(VENV)/installed-docs
	$(BIN)/python docs/trust/sbom.py

clean:
	rm -rf $(VENV) demo bench site build *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
