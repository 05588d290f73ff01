# make demo: everything from nothing to a picture.  make test: everything from nothing to the suite.
VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
INSTALL = $(BIN)/pip install --quiet --no-deps --no-compile
# What was compiled once is kept, whatever the surroundings say: the suite starts a hundred interpreters.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo serve digest test check check-native format bench lock clean

demo: $(READY)  ## make sample scenes and an AOI, export them, draw quick-looks
	$(BIN)/python -m demo

ARGS :=

serve: $(READY)  ## the whole service on this machine; ARGS="--port 8000 --data DIR --scenes DIR"
	exec $(BIN)/python -m local $(ARGS)

# One worker more than there are cores: some tests wait for services.
test: $(READY)  ## the whole suite
	$(BIN)/pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --no-loadscope-reorder tests/local tests/client tests

check: $(READY)  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

NATIVE := build/native/venv
SEED   := 1
JOBS   := 20000

check-native: $(NATIVE)/.ready  ## the kernel: random jobs under sanitizers, and every build we ship
	$(NATIVE)/bin/python tests/native/sanitize.py --cc "$(CC)" --seed $(SEED) --jobs $(JOBS)
	CC="$(CC)" $(NATIVE)/bin/pytest -q --confcutdir tests/native tests/native/check_builds.py

$(NATIVE)/.ready: tests/native/requirements.txt hatch_build.py
	$(PYTHON) -m venv $(NATIVE)
	$(NATIVE)/bin/pip install --quiet -r tests/native/requirements.txt "$$(sed -n 's/^ZIG = "\(.*\)"/\1/p' hatch_build.py)"
	touch $@

synth: $(READY)  ## the CloudFormation template, into build/cdk.out; wants node, but neither AWS nor Docker
	CDK_OUTDIR=build/cdk.out $(BIN)/python infra/app.py

digest: synth  ## what the local service takes over from the template
	$(BIN)/python -m local.digest build/cdk.out/Cutline.template.json > local/resources.json

LAYERS := build/lambda/venv

layers: $(LAYERS)/.ready $(READY)  ## the Lambda layers and the code, for x86_64 and arm64, and a tile rendered with nothing else
	$(LAYERS)/bin/python -m layers.build
	$(LAYERS)/bin/python -m layers.build --here
	$(BIN)/pytest -q tests/infra/check_layers.py

$(LAYERS)/.ready: layers/requirements.txt hatch_build.py
	$(PYTHON) -m venv $(LAYERS)
	$(LAYERS)/bin/pip install --quiet -r layers/requirements.txt "$$(sed -n 's/^ZIG = "\(.*\)"/\1/p' hatch_build.py)"
	touch $@

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## beside gdalwarp and odc-stac, and by itself; an hour, on an idle machine
	$(BIN)/pip install --quiet -r requirements/bench.txt
	$(BIN)/python -m benchmarks

lock: $(READY)  ## pin requirements/*.in again
	$(BIN)/pip install --quiet pip-tools
	cd requirements && for name in runtime dev bench; do \
	  ../$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header \
	    --output-file $$name.txt $$name.in || exit 1; done
	$(BIN)/python -m layers.lock

$(READY): requirements/dev.txt requirements/nodeps.txt pyproject.toml hatch_build.py $(wildcard src/cutline/kernel/csrc/*)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e . & kernel=$$!; $(INSTALL) -r requirements/dev.txt -r requirements/nodeps.txt && wait $$kernel
	$(BIN)/python -c "import local.lean, local.service, rasterio"  # compiled now, not at the first start
	touch $@

clean:
	rm -rf $(VENV) build demo/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
