.DEFAULT_GOAL := help
SHELL := /bin/sh

# Names come from people: they may hold spaces, quotes and $. `value` takes each as it was typed,
# the shell gets it from the environment, inside quotes.
NAMES := DIR URLS OUT FEATURES CAPTIONER INCLUDE EXCLUDE LIMIT EXISTING BEAMS CAPTIONS PHOTOS TRAIN_LIST DEV_LIST DEV_CAPTIONS PRESET ENCODER MODEL GLOVE TEMPERATURE SEED FROM DESCRIPTIONS PHOTO LANGUAGE N TO INTO NAMING NAME PATH_COLUMN CAPTION_COLUMN ROOT IMAGES REVIEW MAX_HOURS CACHE_LIMIT SCHEDULER WORKERS
define take
override export $(1) := $$(value $(1))
endef
$(foreach name,$(NAMES),$(if $(value $(name)),$(eval $(call take,$(name)))))

PYTHON ?= python3
BATCH := .venv/bin/python -m batch

# TensorFlow for NVIDIA GPUs is three times as large: only where a driver is present.
REQUIREMENTS := $(if $(wildcard /proc/driver/nvidia/version),requirements-gpu.txt,requirements.txt)

on = $(filter-out 0 no false off,$($(1)))
off = $(filter 0 no false off,$($(1)))
AT = $${DIR:+-- "$$DIR"}
RESULTS = $${OUT:+--out="$$OUT"} $${LANGUAGE:+--language="$$LANGUAGE"} $${FEATURES:+--features="$$FEATURES"}
OPTIONS = $${FEATURES:+--features="$$FEATURES"} $${CAPTIONER:+--captioner="$$CAPTIONER"}
FILTERS = $${INCLUDE:+--include="$$INCLUDE"} $${EXCLUDE:+--exclude="$$EXCLUDE"} $${LIMIT:+--limit="$$LIMIT"}
SEARCH = $${BEAMS:+--num-beams="$$BEAMS"} $${TEMPERATURE:+--temperature="$$TEMPERATURE"} $${SEED:+--seed="$$SEED"}
CACHE = $${CACHE_LIMIT:+--cache-limit="$$CACHE_LIMIT"}
CLUSTER = $${SCHEDULER:+--scheduler="$$SCHEDULER"} $${WORKERS:+--workers="$$WORKERS"}
SOURCE = $${URLS:+--urls="$$URLS"} $(AT)
NIGHTLY = $(CACHE) $(CLUSTER) $${OUT:+--out="$$OUT"} $(SEARCH) $${MAX_HOURS:+--max-hours="$$MAX_HOURS"} $${REVIEW:+--review="$$REVIEW"} \
	$(if $(call on,RETRY_FAILED),--retry-failed) $(if $(call on,ALLOW_PRIVATE),--allow-private)
RUN = $(NIGHTLY) $${EXISTING:+--existing="$$EXISTING"} $(if $(call on,DRY_RUN),--dry-run) $(if $(call on,MOVED),--moved) \
	$(if $(call on,SHOW),--show)
CORPUS = --captions="$$CAPTIONS" $${PHOTOS:+--photos="$$PHOTOS"} $${DEV_LIST:+--dev-list="$$DEV_LIST"} \
	$${DEV_CAPTIONS:+--dev-captions="$$DEV_CAPTIONS"} $(if $(call on,STRICT),--strict)
RECIPE = $${TRAIN_LIST:+--train-list="$$TRAIN_LIST"} $${MODEL:+--model="$$MODEL"} $${PRESET:+--preset="$$PRESET"}
# Places in object storage take the packages that speak with it.
STORED = $(if $(findstring ://,$(subst file://,,$(DIR) $(OUT) $(FEATURES))),.venv/.storage)
READY = .venv/.installed $(STORED)
# What captioning takes besides, as it is asked.
EXTRAS = $(READY) $(if $(URLS),.venv/.urls) $(if $(SCHEDULER)$(WORKERS),.venv/.cluster)
# The presets and captioners that end in -ko are Korean.
KOREAN = $(if $(findstring -ko,$(PRESET)$(CAPTIONER)),.venv/.korean)
# Nothing is installed whose hash is not in locks/, and nothing is compiled: kiwipiepy_model, a
# dictionary, comes as source alone, and is packed by the setuptools that is there by its hash.
PIP := .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes \
	--only-binary :all: --no-binary kiwipiepy_model --no-build-isolation

.PHONY: help
help: ## show this text
	@echo 'Captions for whole photo archives.'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'For make caption: DIR=folder of photos, or URLS=list of URLs, and as you like OUT= FEATURES='
	@echo '  CAPTIONER= INCLUDE=glob EXCLUDE=glob LIMIT=n BEAMS=n DRY_RUN=1 SHOW=1 EXISTING=overwrite'
	@echo '  RETRY_FAILED=1 MOVED=1 ALLOW_PRIVATE=1 TEMPERATURE=t SEED=n REVIEW=xlsx MAX_HOURS=h CACHE_LIMIT=50GB'
	@echo '  WORKERS=n processes on this machine, or SCHEDULER=tcp://host:8786 on many: docs/cluster.md'
	@echo 'What people say of captions: make review, merge-review, gallery; README.md, under Review'

.PHONY: caption
caption: check-source $(EXTRAS) ## caption every photo under DIR, or behind URLS
	@$(BATCH) caption $(OPTIONS) $(FILTERS) $(RUN) $(SOURCE)

.PHONY: cron
cron: check-source $(EXTRAS) ## print what makes cron or systemd caption DIR= or URLS= every night
	@$(BATCH) cron $(OPTIONS) $(FILTERS) $(NIGHTLY) $(SOURCE)

.PHONY: status
status: check-results $(READY) ## tell how the last run ended, what waits and what failed: DIR= or OUT=
	@$(BATCH) status $${OUT:+--out="$$OUT"} $${FEATURES:+--features="$$FEATURES"} $(AT)

.PHONY: review
review: check-results $(READY) ## sheets to review in, the most doubtful first: DIR= or OUT=, LANGUAGE= LIMIT=
	@$(BATCH) review $(RESULTS) $${LIMIT:+--limit="$$LIMIT"} $(if $(call on,UNGROUPED),--ungrouped) $(AT)

.PHONY: merge-review
merge-review: check-from $(READY) ## take in what people have corrected: FROM=file, DRY_RUN=1
	@$(BATCH) merge-review $${OUT:+--out="$$OUT"} $${DIR:+--dir="$$DIR"} $(if $(call on,DRY_RUN),--dry-run) -- "$$FROM"

.PHONY: undo-merge
undo-merge: check-results $(READY) ## undo the last merge-review: DIR= or OUT=
	@$(BATCH) undo-merge $${OUT:+--out="$$OUT"} $(AT)

.PHONY: sample
sample: check-results $(READY) ## captions to check, and the error rate of all by them: DIR= or OUT=, N=200
	@$(BATCH) sample $${OUT:+--out="$$OUT"} $${LANGUAGE:+--language="$$LANGUAGE"} $${N:+--count="$$N"} $(AT)

.PHONY: ungroup
ungroup: check-results $(READY) ## take the near-duplicates of PHOTO= apart again: DIR= or OUT=
	$(call need,PHOTO)
	@$(BATCH) ungroup $${OUT:+--out="$$OUT"} --photo="$$PHOTO" $(AT)

.PHONY: gallery
gallery: check-results $(READY) ## pages to look through and correct captions in, from disk: DIR= or OUT=
	@$(BATCH) gallery $(RESULTS) $${CAPTIONER:+--captioner="$$CAPTIONER"} $(if $(call off,ATTENTION),--no-attention) $(AT)

.PHONY: export
export: check-results $(READY) ## approved captions for other programs: TO=xmp|iptc|txt|coco|imagefolder|jsonl
	$(call need,TO)
	@$(BATCH) export $(RESULTS) --to="$$TO" $${INTO:+--into="$$INTO"} $${NAMING:+--naming="$$NAMING"} \
		$(foreach flag,BESIDE MACHINE REPLACE EMBED,$(if $(call on,$(flag)),--$(shell echo $(flag) | tr A-Z a-z))) $(AT)

.PHONY: import-captions
import-captions: check-from $(READY) ## take in what another captioner wrote: FROM= NAME=, DIR= or OUT=
	$(call need,NAME)
	@$(BATCH) import-captions $${OUT:+--out="$$OUT"} $${DIR:+--dir="$$DIR"} --name="$$NAME" \
		$${LANGUAGE:+--language="$$LANGUAGE"} $${PATH_COLUMN:+--path-column="$$PATH_COLUMN"} \
		$${CAPTION_COLUMN:+--caption-column="$$CAPTION_COLUMN"} $${ROOT:+--root="$$ROOT"} \
		$${IMAGES:+--images="$$IMAGES"} $(if $(call on,DRY_RUN),--dry-run) -- "$$FROM"

.PHONY: recaption
recaption: check-results $(READY) ## another CAPTIONER= over cached features, where no person has decided
	$(call need,CAPTIONER)
	@$(BATCH) recaption $${OUT:+--out="$$OUT"} $(OPTIONS) $(SEARCH) $(if $(call on,DRY_RUN),--dry-run) $(AT)

.PHONY: learn
learn: check-results .venv/.train $(STORED) $(KOREAN) ## teach a captioner what people approved and wrote: DIR= or OUT=, CAPTIONER= TO=
	@$(BATCH) learn $${OUT:+--out="$$OUT"} $(OPTIONS) $${TO:+--to="$$TO"} $(AT)

.PHONY: features
features: check-dir $(EXTRAS) ## only fill the feature cache with the photos under DIR
	@$(BATCH) features $(OPTIONS) $(FILTERS) $(CACHE) $(CLUSTER) -- "$$DIR"

.PHONY: verify
verify: check-results $(READY) ## read all that was written, tell what is broken: DIR= or OUT=, DEEP=1 photos too, REPAIR=1
	@$(BATCH) verify $${OUT:+--out="$$OUT"} $(OPTIONS) $${INCLUDE:+--include="$$INCLUDE"} $${EXCLUDE:+--exclude="$$EXCLUDE"} \
		$(if $(call on,DEEP),--deep) $(if $(call on,REPAIR),--repair) $(AT)

.PHONY: prune
prune: $(READY) ## tell which cached features no manifest needs; YES=1 removes them, OTHER_ENCODERS=1 whole caches
	@$(BATCH) prune $${OUT:+--out="$$OUT"} $${FEATURES:+--features="$$FEATURES"} \
		$(if $(call on,OTHER_ENCODERS),--other-encoders) $(if $(call on,YES),--yes) $(AT)

.PHONY: demo
demo: .venv/.demo ## caption a few photos that a Python package carries
	@$(BATCH) caption --out outputs/demo --moved --show --include astronaut.png --include camera.png \
		--include chelsea.png --include coffee.png --include motorcycle_left.png --include rocket.jpg \
		-- "$$(.venv/bin/python -c 'import skimage; print(skimage.data_dir)')"
	@echo 'The captioner knows people, dogs, sport and the outdoors; a cat, a cup or a rocket it has hardly seen.'

.PHONY: train
train: check-train .venv/.train $(STORED) $(KOREAN) ## train a captioner: CAPTIONS= PHOTOS= OUT=, and DEV_CAPTIONS= or lists
	@$(BATCH) train $(CORPUS) $(RECIPE) --out="$$OUT" $${GLOVE:+--glove="$$GLOVE"} $${FROM:+--from="$$FROM"} \
		$${ENCODER:+--encoder="$$ENCODER"} $${FEATURES:+--features="$$FEATURES"} $${SEED:+--seed="$$SEED"}

.PHONY: corpus
corpus: check-captions $(READY) $(KOREAN) ## count the words of a corpus: CAPTIONS= and lists; DESCRIPTIONS= writes them cleaned
	@$(BATCH) corpus $(CORPUS) $(RECIPE) $${DESCRIPTIONS:+--descriptions="$$DESCRIPTIONS"}

.PHONY: evaluate
evaluate: check-corpus .venv/.train $(STORED) $(KOREAN) ## score a captioner: CAPTIONS= PHOTOS=, and DEV_LIST= for a token file
	@$(BATCH) evaluate $(CORPUS) $(OPTIONS) $${OUT:+--out="$$OUT"} $(SEARCH)

.PHONY: calibrate
calibrate: check-corpus .venv/.train $(STORED) $(KOREAN) ## fit a captioner's confidence: CAPTIONER= CAPTIONS= PHOTOS=, of photos that it has not learnt from
	$(call need,CAPTIONER)
	@$(BATCH) calibrate $(CORPUS) $(OPTIONS)

.PHONY: scene
scene: check-corpus .venv/.train $(STORED) ## teach CAPTIONER= what is no scene, from its own training photos: CAPTIONS= PHOTOS= and lists
	$(call need,CAPTIONER)
	@$(BATCH) scene $(CORPUS) $(OPTIONS) $${TRAIN_LIST:+--train-list="$$TRAIN_LIST"}

.PHONY: ranges
ranges: check-dir $(READY) ## measure on photos what PRECISION=int8 needs of a captioner: CAPTIONER= DIR=
	$(call need,CAPTIONER)
	@$(BATCH) ranges --captioner="$$CAPTIONER" -- "$$DIR"

.PHONY: attention
attention: check-photo .venv/.train $(STORED) ## draw where a captioner looks, word by word: PHOTO=
	@$(BATCH) attention $(OPTIONS) $${OUT:+--out="$$OUT"} $(SEARCH) -- "$$PHOTO"

.PHONY: structure
structure: .venv/.train ## draw the layers of a model: CAPTIONER=, or MODEL=merge for those of 2017
	@$(BATCH) structure $${CAPTIONER:+--captioner="$$CAPTIONER"} $${MODEL:+--model="$$MODEL"} $${OUT:+--out="$$OUT"}

.PHONY: page
page: check-out $(READY) ## show an archive's photos with their captions in a browser: OUT=
	@$(BATCH) page $${LIMIT:+--limit="$$LIMIT"} -- "$$OUT"

.PHONY: import-checkpoint
import-checkpoint: check-from $(READY) ## make a captioner of an old checkpoint: FROM=folder, or .h5 and CAPTIONS= TRAIN_LIST=
	@$(BATCH) import-checkpoint $${OUT:+--out="$$OUT"} $${ENCODER:+--encoder="$$ENCODER"} \
		$${CAPTIONS:+--captions="$$CAPTIONS"} $${TRAIN_LIST:+--train-list="$$TRAIN_LIST"} -- "$$FROM"

.PHONY: import-features
import-features: check-from $(READY) ## keep the vectors of encoded_train_images.pkl: FROM= PHOTOS=
	@[ -n "$$PHOTOS" ] || { echo 'give PHOTOS= the folder of the photos that FROM= is of' >&2; exit 2; }
	@$(BATCH) import-features --photos="$$PHOTOS" $${FEATURES:+--features="$$FEATURES"} \
		$${ENCODER:+--encoder="$$ENCODER"} -- "$$FROM"

.PHONY: korean
korean: .venv/.korean ## install what training and scoring in Korean take

.PHONY: storage
storage: .venv/.storage ## install what DIR=s3://…, OUT= and FEATURES= in object storage take

.PHONY: openvino
openvino: .venv/.openvino ## install OpenVINO, for PRECISION=int8 and ENCODER_BACKEND=openvino

.PHONY: cluster
cluster: .venv/.cluster ## install Dask, for SCHEDULER= and WORKERS= and on each machine of a cluster

.PHONY: bench
bench: .venv/.bench ## measure this program beside others, on photos drawn by code, or on DIR=; about a quarter of an hour
	@PYTHONPATH=.venv/bench .venv/bin/python -m benchmarks.bench $${DIR:+--photos="$$DIR"}

.PHONY: test
test: .venv/.dev ## run every check and test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest -n auto --maxprocesses 4 --dist worksteal

.PHONY: locks
locks: .venv/.locks ## pin the packages of requirements*.txt and all below them by hash, after a change there
	@for each in $(filter-out requirements-base.txt,$(wildcard requirements*.txt)); do \
		.venv/locks/bin/uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-emit-package openvino-telemetry --custom-compile-command 'make locks' \
		-c constraints.txt -o "locks/$$each" "$$each" || exit; done

.PHONY: audit
audit: .venv/.locks ## ask whether vulnerabilities of the packages are known; needs the network
	@for each in locks/*.txt; do .venv/locks/bin/pip-audit --strict --require-hashes --disable-pip \
		-r "$$each" || exit; done

.PHONY: clean
clean: ## remove the Python environment; captions and features stay
	rm -rf .venv

.PHONY: check-source
check-source:
	@if [ -z "$$DIR$$URLS" ]; then echo 'usage: make caption DIR=/path/to/photos, or URLS=list.txt   (make help tells more)' >&2; exit 2; fi

.PHONY: check-results
check-results:
	@if [ -z "$$DIR$$OUT" ]; then echo 'give DIR=/path/to/photos that were captioned, or OUT=outputs/<their name>   (make help tells more)' >&2; exit 2; fi

.PHONY: check-dir
check-dir:
	@if [ -z "$$DIR" ]; then echo 'usage: make caption DIR=/path/to/photos   (make help tells more)' >&2; exit 2; fi

.PHONY: check-photo
check-photo:
	@if [ -z "$$PHOTO" ]; then echo 'usage: make attention PHOTO=/path/to/a/photo.jpg   (make help tells more)' >&2; exit 2; fi

.PHONY: check-out
check-out:
	@if [ -z "$$OUT" ]; then echo 'usage: make page OUT=outputs/<name of the folder of photos>' >&2; exit 2; fi

.PHONY: check-from
check-from:
	@if [ -z "$$FROM" ]; then echo 'give FROM= the file or folder to take in   (make help tells more)' >&2; exit 2; fi

need = @for name in $(1); do eval "value=\$$$$name"; \
	[ -n "$$value" ] || { echo "give $$name=; README.md tells more" >&2; exit 2; }; done

.PHONY: check-captions
check-captions:
	$(call need,CAPTIONS)

.PHONY: check-corpus
check-corpus:
	$(call need,CAPTIONS PHOTOS)

.PHONY: check-train
check-train: check-corpus
	$(call need,OUT)

.venv/.installed: locks/$(REQUIREMENTS)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo 'Python 3.11 to 3.13 is needed; give PYTHON=/path/to/python3.11' >&2; exit 2; }
	@echo 'setting up: the Python packages, once; a few minutes' >&2
	$(PYTHON) -m venv .venv
	$(PIP) -r locks/$(REQUIREMENTS)
	@touch $@

.venv/.demo: .venv/.installed locks/requirements-demo.txt
	$(PIP) -r locks/requirements-demo.txt
	@touch $@

.venv/.train: .venv/.installed locks/requirements-train.txt
	$(PIP) -r locks/requirements-train.txt
	@touch $@

.venv/.urls: .venv/.installed locks/requirements-urls.txt
	$(PIP) -r locks/requirements-urls.txt
	@touch $@

.venv/.cluster: .venv/.installed locks/requirements-cluster.txt
	$(PIP) -r locks/requirements-cluster.txt
	@touch $@

.venv/.storage: .venv/.installed locks/requirements-storage.txt
	$(PIP) -r locks/requirements-storage.txt
	@touch $@

# Without what its lock leaves out: its telemetry.
.venv/.openvino: .venv/.installed locks/requirements-openvino.txt
	$(PIP) --no-deps -r locks/requirements-openvino.txt
	@touch $@

# Apart from what captions: only `make bench` sees it.
.venv/.bench: .venv/.installed locks/requirements-bench.txt
	rm -rf .venv/bench
	$(PIP) --no-deps --target .venv/bench -r locks/requirements-bench.txt
	@touch $@

.venv/.korean: .venv/.train locks/requirements-korean.txt
	$(PIP) -r locks/requirements-korean.txt
	@touch $@

.venv/.dev: .venv/.openvino locks/requirements-dev.txt
	$(PIP) -r locks/requirements-dev.txt
	@touch $@ .venv/.cluster .venv/.demo .venv/.train .venv/.urls .venv/.korean .venv/.storage

.venv/.locks: locks/requirements-locks.txt
	$(PYTHON) -m venv .venv/locks
	$(subst .venv/bin,.venv/locks/bin,$(PIP)) -r locks/requirements-locks.txt
	@touch $@
