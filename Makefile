# Every target sets itself up: .venv is made once, and again when the pins or the project's needs change.

OUT ?= results/primary
PYTEST_IN_TWO = $(BIN)/pytest --numprocesses 2 --dist worksteal
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run test ci deep lint golden bench pins clean

run: $(READY)
	$(BIN)/hlt-bayes run --out "$(OUT)" --overwrite
	$(BIN)/hlt-bayes report "$(OUT)"

test: $(READY)
	$(PYTEST_IN_TWO)

ci: $(READY)
	$(PYTEST_IN_TWO) -m "ci and not deep"

deep: $(READY)
	$(BIN)/python tests/deep/run.py $(PARTS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

golden: $(READY)
	$(BIN)/pytest -m "not deep or deep" --golden

bench: $(READY)
	$(BIN)/python tests/benchmarks/run_all.py

pins: $(READY)
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:
	rm -rf .venv

$(READY): pyproject.toml constraints.txt
	@rm -rf .venv
	@for python in python3.13 python3.12 python3; do \
	  if $$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then \
	    echo "Setting up .venv with $$python (once; some minutes)"; \
	    $$python -m venv .venv && \
	    $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' && \
	    touch $@ && exit 0; \
	    exit 1; \
	  fi; \
	done; \
	if command -v uv >/dev/null 2>&1; then \
	  echo "Setting up .venv with uv (once; some minutes)"; \
	  uv venv --quiet --seed --python 3.13 .venv && \
	  uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev]' && \
	  touch $@ && exit 0; \
	  exit 1; \
	fi; \
	echo "Python 3.12 or newer is needed: install python3.13 with its venv module, or uv." >&2; exit 1
