# `make demo` and `make test` do all their own set-up in .venv; a second call installs nothing.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DEMO := out/demo

.PHONY: demo test lint setup setup-dev clean

demo: $(VENV)/.installed
	$(BIN)/python tools/predict.py --input=docs/media/bigbuckbunny.mp4 --output_dir=$(DEMO) --overwrite
	@echo "The video with its saliency: $(CURDIR)/$(DEMO)/overlay.mp4"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist=loadscope $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# What can be made again; never results (out/, runs/, models/, prepared/).
clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache
