.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
# Goals take turns, under -j too: they write to the same results, and pip to the same environment.
.NOTPARALLEL:

# What each goal takes, from make's command line or the environment; the program reads it from there.
RESULTS := DIR OUT
CAPTIONING := FEATURES CAPTIONER
FILTERS := INCLUDE EXCLUDE LIMIT
SEARCH := BEAMS TEMPERATURE SEED
CLUSTER := SCHEDULER WORKERS
NIGHTLY := DIR URLS OUT $(CAPTIONING) $(FILTERS) $(SEARCH) RETRY_FAILED ALLOW_PRIVATE REVIEW MAX_HOURS \
	CACHE_LIMIT $(CLUSTER)
CORPUS := CAPTIONS PHOTOS DEV_LIST DEV_CAPTIONS STRICT
RECIPE := TRAIN_LIST MODEL PRESET
takes.caption := $(NIGHTLY) DRY_RUN SHOW EXISTING MOVED
takes.cron := $(NIGHTLY)
takes.status := DIR URLS OUT FEATURES
takes.review := $(RESULTS) LANGUAGE LIMIT UNGROUPED FEATURES
takes.merge-review := FROM $(RESULTS) DRY_RUN
takes.undo-merge := $(RESULTS)
takes.sample := $(RESULTS) LANGUAGE N
takes.ungroup := $(RESULTS) PHOTO
takes.gallery := $(RESULTS) LANGUAGE ATTENTION $(CAPTIONING)
takes.export := $(RESULTS) TO INTO LANGUAGE NAMING BESIDE MACHINE REPLACE EMBED FEATURES
takes.import-captions := FROM NAME $(RESULTS) LANGUAGE PATH_COLUMN CAPTION_COLUMN ROOT IMAGES DRY_RUN
takes.recaption := $(RESULTS) $(CAPTIONING) $(SEARCH) DRY_RUN
takes.learn := $(RESULTS) $(CAPTIONING) TO
takes.features := DIR $(CAPTIONING) $(FILTERS) CACHE_LIMIT $(CLUSTER)
takes.verify := $(RESULTS) $(CAPTIONING) INCLUDE EXCLUDE DEEP REPAIR
takes.prune := $(RESULTS) FEATURES OTHER_ENCODERS YES
takes.train := $(CORPUS) $(RECIPE) OUT GLOVE FROM ENCODER FEATURES SEED
takes.corpus := $(CORPUS) $(RECIPE) DESCRIPTIONS
takes.evaluate := $(CORPUS) $(CAPTIONING) OUT $(SEARCH)
takes.calibrate := $(CORPUS) $(CAPTIONING)
takes.scene := $(CORPUS) $(CAPTIONING) TRAIN_LIST
takes.ranges := DIR CAPTIONER
takes.attention := PHOTO $(CAPTIONING) OUT $(SEARCH)
takes.structure := CAPTIONER MODEL OUT
takes.page := $(RESULTS) LIMIT
takes.import-checkpoint := FROM OUT ENCODER CAPTIONS TRAIN_LIST
takes.import-features := FROM PHOTOS FEATURES ENCODER
takes.bench := DIR
$(foreach goal,help demo korean storage openvino cluster test locks audit clean,$(eval takes.$(goal) :=))
GOALS := $(patsubst takes.%,%,$(filter takes.%,$(.VARIABLES)))
NAMES := $(sort $(foreach goal,$(GOALS),$(takes.$(goal))))

# All else on the command line is refused, but for what make, the system, Python, its tools, TensorFlow and stores read.
OTHERS := PRECISION ENCODER_BACKEND SHELL MAKEFLAGS PATH HOME TMPDIR TZ LC_% LD_% XDG_% COLUMNS JAVA_HOME %_proxy \
	%_PROXY SSL_% %_CA_BUNDLE PYTHON% PIP_% PYTEST_% HYPOTHESIS_% MYPY% RUFF_% KERAS_% TF_% XLA_% CUDA_% NVIDIA_% \
	ONEDNN_% OMP_% OPENBLAS_% MALLOC_% OV_% MPL% AWS_% GOOGLE_% AZURE_% FSSPEC_% DASK_%
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
asked := $(foreach goal,$(MAKECMDGOALS),$(takes.$(goal)))
# A make that calls this one hands on what it was given itself.
refused := $(if $(filter 0,$(MAKELEVEL)),$(firstword $(filter-out $(asked) $(OTHERS),$(given))))
unknown := $(firstword $(filter-out $(GOALS) check-% .venv/.%,$(MAKECMDGOALS)))
nearest = $(shell $(PYTHON) -c 'import difflib, sys; print(*difflib.get_close_matches(sys.argv[1].upper(), \
	sys.argv[2:], 1))' '$(subst ','\'',$(refused))' $(asked) 2>/dev/null)
korean = $(if $(filter LANGUAGE,$(asked)),,$(and $(filter LANG LANGUAGE,$(refused)),$(filter CAPTIONER,$(asked))))
hint = $(if $(korean),: for captions in Korean give CAPTIONER=flickr8k-ko.,$(if $(nearest),: did you mean $(nearest)=?,.))
ifneq (,$(unknown))
$(error there is no goal $(unknown); make help names them, and a name with spaces is put in quotes: DIR="/my photos")
else ifneq (,$(and $(filter-out help,$(MAKECMDGOALS)),$(refused)))
$(error make $(MAKECMDGOALS) takes no $(refused)=$(hint) It takes $(or $(addsuffix =,$(asked)),nothing))
endif

# Names come from people: they may hold spaces, quotes and $. `value` takes each as it was typed.
ours := $(if $(filter environment,$(origin LANGUAGE)),$(filter-out LANGUAGE,$(NAMES)),$(NAMES)) # a desktop's
define take
override export $(1) := $$(value $(1))
endef
$(foreach name,$(NAMES),$(if $(value $(name)),$(eval $(call take,$(name)))))

BATCH := .venv/bin/python -m batch
RUN = $(BATCH) by-make $@ $(filter $(ours),$(takes.$@))

# TensorFlow for NVIDIA GPUs is three times as large: only where a driver is present.
REQUIREMENTS := $(if $(wildcard /proc/driver/nvidia/version),requirements-gpu.txt,requirements.txt)

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
	@$(RUN)

.PHONY: cron
cron: check-source $(EXTRAS) ## print what makes cron or systemd caption DIR= or URLS= every night
	@$(RUN)

.PHONY: status
status: check-results $(READY) ## tell how the last run ended, what waits and what failed: DIR= URLS= or OUT=
	@$(RUN)

.PHONY: review
review: check-results $(READY) ## sheets to review in, the most doubtful first: DIR= or OUT=, LANGUAGE= LIMIT=
	@$(RUN)

.PHONY: merge-review
merge-review: check-from $(READY) ## take in what people have corrected: FROM=file, DRY_RUN=1
	@$(RUN)

.PHONY: undo-merge
undo-merge: check-results $(READY) ## undo the last merge-review: DIR= or OUT=
	@$(RUN)

.PHONY: sample
sample: check-results $(READY) ## captions to check, and the error rate of all by them: DIR= or OUT=, N=200
	@$(RUN)

.PHONY: ungroup
ungroup: check-results $(READY) ## take the near-duplicates of PHOTO= apart again: DIR= or OUT=
	$(call need,PHOTO)
	@$(RUN)

.PHONY: gallery
gallery: check-results $(READY) ## pages to look through and correct captions in, from disk: DIR= or OUT=
	@$(RUN)

.PHONY: export
export: check-results $(READY) ## approved captions for other programs: TO=xmp|iptc|txt|coco|imagefolder|jsonl
	$(call need,TO)
	@$(RUN)

.PHONY: import-captions
import-captions: check-from $(READY) ## take in what another captioner wrote: FROM= NAME=, DIR= or OUT=
	$(call need,NAME)
	@$(RUN)

.PHONY: recaption
recaption: check-results $(READY) ## another CAPTIONER= over cached features, where no person has decided
	$(call need,CAPTIONER)
	@$(RUN)

.PHONY: learn
learn: check-results .venv/.train $(STORED) $(KOREAN) ## teach a captioner what people approved and wrote: DIR= or OUT=, CAPTIONER= TO=
	@$(RUN)

.PHONY: features
features: check-dir $(EXTRAS) ## only fill the feature cache with the photos under DIR
	@$(RUN)

.PHONY: verify
verify: check-results $(READY) ## read all that was written, tell what is broken: DIR= or OUT=, DEEP=1 photos too, REPAIR=1
	@$(RUN)

.PHONY: prune
prune: $(READY) ## tell which cached features no manifest needs; YES=1 removes them, OTHER_ENCODERS=1 whole caches
	@$(RUN)

.PHONY: demo
demo: .venv/.demo ## caption a few photos that a Python package carries
	@$(BATCH) caption --out outputs/demo --moved --show --include astronaut.png --include camera.png \
		--include chelsea.png --include coffee.png --include motorcycle_left.png --include rocket.jpg \
		-- "$$(.venv/bin/python -c 'import skimage; print(skimage.data_dir)')"
	@echo 'The captioner knows people, dogs, sport and the outdoors; a cat, a cup or a rocket it has hardly seen.'

.PHONY: train
train: check-train .venv/.train $(STORED) $(KOREAN) ## train a captioner: CAPTIONS= PHOTOS= OUT=, and DEV_CAPTIONS= or lists
	@$(RUN)

.PHONY: corpus
corpus: check-captions $(READY) $(KOREAN) ## count the words of a corpus: CAPTIONS= and lists; DESCRIPTIONS= writes them cleaned
	@$(RUN)

.PHONY: evaluate
evaluate: check-corpus .venv/.train $(STORED) $(KOREAN) ## score a captioner: CAPTIONS= PHOTOS=, and DEV_LIST= for a token file
	@$(RUN)

.PHONY: calibrate
calibrate: check-corpus .venv/.train $(STORED) $(KOREAN) ## fit a captioner's confidence: CAPTIONER= CAPTIONS= PHOTOS=, of photos that it has not learnt from
	$(call need,CAPTIONER)
	@$(RUN)

.PHONY: scene
scene: check-corpus .venv/.train $(STORED) ## teach CAPTIONER= what is no scene, from its own training photos: CAPTIONS= PHOTOS= and lists
	$(call need,CAPTIONER)
	@$(RUN)

.PHONY: ranges
ranges: check-dir $(READY) ## measure on photos what PRECISION=int8 needs of a captioner: CAPTIONER= DIR=
	$(call need,CAPTIONER)
	@$(RUN)

.PHONY: attention
attention: check-photo .venv/.train $(STORED) ## draw where a captioner looks, word by word: PHOTO=
	@$(RUN)

.PHONY: structure
structure: check-graphviz .venv/.train ## draw the layers of a model: CAPTIONER=, or MODEL=merge for those of 2017
	@$(RUN)

.PHONY: page
page: check-results $(READY) ## show an archive's photos with their captions in a browser: DIR= or OUT=
	@$(RUN)

.PHONY: import-checkpoint
import-checkpoint: check-from $(READY) ## make a captioner of an old checkpoint: FROM=folder, or .h5 and CAPTIONS= TRAIN_LIST=
	@$(RUN)

.PHONY: import-features
import-features: check-from $(READY) ## keep the vectors of encoded_train_images.pkl: FROM= PHOTOS=
	@[ -n "$$PHOTOS" ] || { echo 'give PHOTOS= the folder of the photos that FROM= is of' >&2; exit 2; }
	@$(RUN)

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

usage = { echo 'usage: make $(firstword $(MAKECMDGOALS)) $(1)   (make help tells more)' >&2; exit 2; }

.PHONY: check-source
check-source:
	@[ -n "$$DIR$$URLS" ] || $(call usage,DIR=/path/to/photos or URLS=list.txt)

.PHONY: check-dir
check-dir:
	@[ -n "$$DIR" ] || $(call usage,DIR=/path/to/photos)

.PHONY: check-photo
check-photo:
	@[ -n "$$PHOTO" ] || $(call usage,PHOTO=/path/to/a/photo.jpg)

.PHONY: check-results
check-results:
	@[ -n "$$DIR$$OUT$(if $(filter URLS,$(asked)),$$URLS)" ] || \
		{ echo 'give DIR=/path/to/photos that were captioned, or OUT=outputs/<their name>   (make help tells more)' >&2; exit 2; }

.PHONY: check-from
check-from:
	@[ -n "$$FROM" ] || { echo 'give FROM= the file or folder to take in   (make help tells more)' >&2; exit 2; }

.PHONY: check-graphviz
check-graphviz:
	@command -v dot >/dev/null || { echo 'pictures of models need Graphviz; run `apt install graphviz`' >&2; exit 2; }

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
	@$(PYTHON) -m venv .venv
	@$(PIP) -r locks/$(REQUIREMENTS)
	@touch $@

for.demo := the demo
for.train := training, scores and pictures of models
for.korean := training and scoring in Korean
for.urls := photos by URL
for.cluster := WORKERS= and SCHEDULER=
for.storage := object storage
for.openvino := PRECISION=int8 and ENCODER_BACKEND=openvino
for.dev := make test
.venv/.%: .venv/.installed locks/requirements-%.txt
	@echo 'setting up: more packages, for $(for.$*), once' >&2
	@$(PIP) $(how.$*) -r locks/requirements-$*.txt
	@touch $@ $(with.$*)

.venv/.korean: .venv/.train
.venv/.dev: .venv/.openvino
# Without what its lock leaves out: its telemetry.
how.openvino := --no-deps
with.dev := $(addprefix .venv/.,cluster demo train urls korean storage)

# Apart from what captions: only `make bench` sees it.
.venv/.bench: .venv/.installed locks/requirements-bench.txt
	@echo 'setting up: the programs to measure beside this one, once' >&2
	@rm -rf .venv/bench
	@$(PIP) --no-deps --target .venv/bench -r locks/requirements-bench.txt
	@touch $@

.venv/.locks: locks/requirements-locks.txt
	@echo 'setting up: what pins the packages, once' >&2
	@$(PYTHON) -m venv .venv/locks
	@$(subst .venv/bin,.venv/locks/bin,$(PIP)) -r locks/requirements-locks.txt
	@touch $@
