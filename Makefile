# One command for each daily act; CI uses the same ones. `make run` and `make test` do all set-up themselves.
# Needs Python 3.11 or later (with venv) and git; with npm, `make test` tries the Node SDKs too.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
NODE := tests/server/node
NODE_READY := $(if $(shell command -v npm),$(NODE)/node_modules/.ready)
DATA := data/events.parquet

.PHONY: setup run test test-long check bench bench-lake bench-ingest lock lock-node clean

run: $(READY) $(DATA) ## the example funnel's report, over generated events
	$(BIN)/doorstep run examples/trial-activation.yaml --events $(DATA)

test: $(READY) $(NODE_READY)
	$(BIN)/pytest -n auto -m "not long"

test-long: $(READY) $(NODE_READY)
	$(BIN)/pytest -n auto -m long

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@! grep -nE "https?://|file://|--(extra-)?index-url|--find-links|$(HOME)/" requirements/*.txt $(NODE)/package-lock.json

bench: $(READY)
	$(BIN)/pip install --quiet --require-hashes -r requirements/bench.txt
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.lake
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.sensitivity
	$(BIN)/python -m benchmarks.announce

bench-lake: $(READY) ## the same funnel over stored events: a lake beside ClickHouse's MergeTree
	$(BIN)/pip install --quiet --require-hashes -r requirements/bench.txt
	$(BIN)/python -m benchmarks.lake

bench-ingest: $(READY) ## events over HTTP, on disk when answered, beside bare Parquet files of the same batches
	$(BIN)/python -m benchmarks.ingest

setup: $(READY)

$(DATA): $(READY) src/doorstep/demo.py
	$(BIN)/doorstep demo $(dir $(DATA))

$(READY): pyproject.toml requirements/dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

$(NODE)/node_modules/.ready: $(NODE)/package.json $(NODE)/package-lock.json
	cd $(NODE) && npm ci --silent --no-audit --no-fund --ignore-scripts
	touch $@

lock: ## bring the hashed locks up to pyproject.toml; `make lock UPGRADE=--upgrade` takes newer releases (needs uv)
	set -e; for name in run dev bench; do \
	  group=$$([ $$name = run ] || echo "--group $$name"); \
	  uv pip compile pyproject.toml $$group --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE) --quiet --output-file requirements/$$name.txt; \
	done

lock-node: ## take newer releases of the Node SDKs that the tests try (needs npm); the lock holds no address
	cd $(NODE) && npm update --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
	cd $(NODE) && node -e 'const lock = require("./package-lock.json"); for (const one of Object.values(lock.packages)) delete one.funding; require("fs").writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n")'

clean:
	rm -rf .venv .bench data .mypy_cache .ruff_cache .pytest_cache .hypothesis $(NODE)/node_modules
