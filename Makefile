# make demo: everything from nothing to a picture.  make test: everything from nothing to the suite.
VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test check format bench lock clean

demo: $(READY)  ## make sample scenes and an AOI, export them, draw quick-looks
	$(BIN)/python -m demo

test: $(READY)  ## the whole suite
	$(BIN)/pytest -n auto --dist loadfile

check: $(READY)  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## the same exports by gdalwarp, by odc-stac and by cutline
	$(BIN)/pip install --quiet -r requirements/bench.txt
	$(BIN)/python -m benchmarks

lock: $(READY)  ## pin requirements/*.in again
	$(BIN)/pip install --quiet pip-tools
	cd requirements && for name in runtime dev bench; do \
	  ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header \
	    --output-file $$name.txt $$name.in || exit 1; done

$(READY): requirements/dev.txt requirements/nodeps.txt pyproject.toml hatch_build.py $(wildcard src/cutline/kernel/csrc/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps -r requirements/nodeps.txt
	$(BIN)/pip install --quiet --no-deps -e .
	touch $@

clean:
	rm -rf $(VENV) build demo/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
