.DEFAULT_GOAL := help
SHELL := /bin/sh

# Names come from people: they may hold spaces, quotes and $. `value` takes each as it was typed,
# the shell gets it from the environment, inside quotes.
NAMES := DIR OUT FEATURES CAPTIONER INCLUDE EXCLUDE LIMIT EXISTING BEAMS CAPTIONS PHOTOS TRAIN_LIST DEV_LIST PRESET ENCODER
define take
override export $(1) := $$(value $(1))
endef
$(foreach name,$(NAMES),$(if $(value $(name)),$(eval $(call take,$(name)))))

PYTHON ?= python3
BATCH := .venv/bin/python -m batch

# TensorFlow for NVIDIA GPUs is three times as large: only where a driver is present.
REQUIREMENTS := $(if $(wildcard /proc/driver/nvidia/version),requirements-gpu.txt,requirements.txt)

on = $(filter-out 0 no false off,$($(1)))
OPTIONS = $${FEATURES:+--features="$$FEATURES"} $${CAPTIONER:+--captioner="$$CAPTIONER"}
FILTERS = $${INCLUDE:+--include="$$INCLUDE"} $${EXCLUDE:+--exclude="$$EXCLUDE"} $${LIMIT:+--limit="$$LIMIT"}
RUN = $${OUT:+--out="$$OUT"} $${EXISTING:+--existing="$$EXISTING"} $${BEAMS:+--num-beams="$$BEAMS"} \
	$(if $(call on,DRY_RUN),--dry-run) $(if $(call on,RETRY_FAILED),--retry-failed) \
	$(if $(call on,MOVED),--moved) $(if $(call on,SHOW),--show)
CORPUS = --captions="$$CAPTIONS" --photos="$$PHOTOS" --dev-list="$$DEV_LIST"
PIP := .venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all:

.PHONY: help
help: ## show this text
	@echo 'Captions for whole photo archives.'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'For make caption: DIR=folder of photos, and as you like OUT= FEATURES= CAPTIONER= INCLUDE=glob'
	@echo '  EXCLUDE=glob LIMIT=n BEAMS=n DRY_RUN=1 SHOW=1 EXISTING=overwrite RETRY_FAILED=1 MOVED=1'

.PHONY: caption
caption: check-dir .venv/.installed ## caption every photo under DIR
	@$(BATCH) caption $(OPTIONS) $(FILTERS) $(RUN) -- "$$DIR"

.PHONY: features
features: check-dir .venv/.installed ## only fill the feature cache with the photos under DIR
	@$(BATCH) features $(OPTIONS) $(FILTERS) -- "$$DIR"

.PHONY: demo
demo: .venv/.demo ## caption a few photos that a Python package carries
	@$(BATCH) caption --out outputs/demo --moved --show --include astronaut.png --include camera.png \
		--include chelsea.png --include coffee.png --include motorcycle_left.png --include rocket.jpg \
		-- "$$(.venv/bin/python -c 'import skimage; print(skimage.data_dir)')"
	@echo 'The captioner knows people, dogs, sport and the outdoors; a cat, a cup or a rocket it has hardly seen.'

.PHONY: train
train: check-train .venv/.train ## train a captioner: CAPTIONS= PHOTOS= TRAIN_LIST= DEV_LIST= OUT=
	@$(BATCH) train $(CORPUS) --train-list="$$TRAIN_LIST" --out="$$OUT" \
		$${PRESET:+--preset="$$PRESET"} $${ENCODER:+--encoder="$$ENCODER"} $${FEATURES:+--features="$$FEATURES"}

.PHONY: evaluate
evaluate: check-corpus .venv/.train ## score a captioner: CAPTIONS= PHOTOS= DEV_LIST=
	@$(BATCH) evaluate $(CORPUS) $(OPTIONS) $${OUT:+--out="$$OUT"} $${BEAMS:+--num-beams="$$BEAMS"}

.PHONY: test
test: .venv/.dev ## run every check and test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest

.PHONY: clean
clean: ## remove the Python environment; captions and features stay
	rm -rf .venv

.PHONY: check-dir
check-dir:
	@if [ -z "$$DIR" ]; then echo 'usage: make caption DIR=/path/to/photos   (make help tells more)' >&2; exit 2; fi

.PHONY: check-corpus
check-corpus:
	@for name in CAPTIONS PHOTOS DEV_LIST; do eval "value=\$$$$name"; \
		[ -n "$$value" ] || { echo "give $$name=; README.md tells more, under Train your own" >&2; exit 2; }; done

.PHONY: check-train
check-train: check-corpus
	@for name in TRAIN_LIST OUT; do eval "value=\$$$$name"; \
		[ -n "$$value" ] || { echo "give $$name=; README.md tells more, under Train your own" >&2; exit 2; }; done

.venv/.installed: $(REQUIREMENTS) requirements-base.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo 'Python 3.11 to 3.13 is needed; give PYTHON=/path/to/python3.11' >&2; exit 2; }
	@echo 'setting up: the Python packages, once; a few minutes' >&2
	$(PYTHON) -m venv .venv
	$(PIP) -r $(REQUIREMENTS)
	@touch $@

.venv/.demo: .venv/.installed requirements-demo.txt
	$(PIP) -r requirements-demo.txt
	@touch $@

.venv/.train: .venv/.installed requirements-train.txt
	$(PIP) -r requirements-train.txt
	@touch $@

.venv/.dev: .venv/.installed requirements-dev.txt requirements-demo.txt requirements-train.txt
	$(PIP) -r requirements-dev.txt
	@touch $@ .venv/.demo .venv/.train
