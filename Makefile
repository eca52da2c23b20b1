# A bare machine needs Python 3.11+ and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo install dev page check-page check format test test-slow bench clean

demo: $(VENV)/.base  ## the main job on the music in examples/, on a copy
	PATH="$(CURDIR)/$(BIN):$$PATH" bash examples/demo.sh

install: $(VENV)/.base
dev: $(VENV)/.dev

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[train,web,dev]'
	touch $@ $(VENV)/.base

# The page's sources are in web/; what they are built to is committed, so that only those who change
# them need Node.
web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci

page: web/node_modules/.package-lock.json  ## build the page into the package
	cd web && npm run build

check-page: web/node_modules/.package-lock.json  ## is the committed page what its sources say?
	cd web && npm run build -- --outDir ../build/page
	diff -r build/page src/earmark/web/page/static

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	for platform in linux darwin win32; do $(BIN)/mypy --platform $$platform || exit 1; done
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow" -n auto

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
