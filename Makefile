# Every target prepares what it needs: `make demo` and `make test` work on a fresh machine with python3, git and make.
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help setup demo prove crash storm fuzz defences pure unit test browser nightly conformance package check up bench lock clean

# Children start in 3 s with compiled bytecode and in 14 s without.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
PY := .venv/bin/python
UV := .venv/bin/uv
STATE ?= .demo
PURE := tests/release tests/sources
# Real hosts, jobs, images and services, each in processes of its own.
PROCESSES := tests/local_host tests/local_backend tests/jobs
# Three test processes beside each other: of many tests half of the time is waiting for processes that they start.
# A file stays in one process, and the files come in the order of tests/conftest.py: the longest first.
BESIDE := -n 3 --dist loadfile --no-loadscope-reorder
REST := --ignore=tests/release --ignore=tests/sources --ignore=tests/browser

help: ## what can be made
	@sed -n 's/^\([a-z][a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo
	@echo 'Next: make demo'

setup: .venv/ready ## everything that runs and tests need, in .venv

demo: .venv/ready ## a git push to an approved model in production, then new data alone; YES=1 answers for the approver, FULL=1 takes every flight, PROJECT=dir DATA=dir runs yours, STORAGE=azurite keeps all on blobs, BACKEND=azure goes through azureml-core to a double of Azure
	@$(PY) -m tools.demo --state $(STATE) $(if $(YES),--yes) $(if $(FULL),--full) $(if $(STORAGE),--storage '$(STORAGE)') \
	  $(if $(BACKEND),--backend '$(BACKEND)') \
	  $(if $(PROJECT),--project '$(PROJECT)') $(if $(DATA),--data '$(DATA)')

prove: .venv/ready ## what the line promises, shown on the real stack and counted in its stores; PROOFS="image events storm crash refusals feeds doctor"
	@$(PY) -m tools.prove $(PROOFS)

crash: .venv/ready ## SIGKILL at 100 moments drawn by a seed, ten minutes; SEED=7 MOMENTS=100
	@$(PY) -m tools.prove crash --seed $(or $(SEED),7) --moments $(or $(MOMENTS),100)

storm: .venv/ready ## 1,000 copies of a push, 1,000 blobs, 200 answers of approvers at once; ten minutes, for a cool-down is five
	@$(PY) -m tools.prove storm --waves 2

fuzz: .venv/ready ## 20,000 odd inputs for each verifier and reader of what comes from outside, and requests drawn from /api/openapi.json; INPUTS=1000
	@$(PY) -m tests.security.fuzz $(if $(INPUTS),--inputs $(INPUTS))
	@$(PY) -m pytest -q tests/security/test_openapi.py

defences: .venv/ready ## each defence of docs/security.md switched off in a copy: the test that it names must then fail
	@$(PY) -m tests.security.switched_off

unit: pure ## the tests that start no stack; shared/release and shared/sources must be covered wholly
	$(PY) -m pytest $(BESIDE) --junitxml=.reports/rest.xml $(REST) $(PROCESSES:%=--ignore=%) tests

test: pure ## every test
	$(PY) -m pytest $(BESIDE) --junitxml=.reports/rest.xml $(REST) tests

# Nothing else may cover the pure parts: their own tests must, wholly.
pure: .venv/ready
	@rm -rf .reports .coverage .coverage.*
	$(PY) -m coverage run --rcfile=tests/coverage.ini -m pytest -n 2 --junitxml=.reports/pure.xml $(PURE)
	$(PY) -m coverage combine -q --rcfile=tests/coverage.ini
	$(PY) -m coverage report --rcfile=tests/coverage.ini

browser: .venv/ready ## every page in the Chromium of this machine, on a desk and on a phone, by mouse and by keyboard; what it saw is in .reports/pages
	$(PY) -m pytest --junitxml=.reports/browser.xml tests/browser

conformance: .venv/ready ## Microsoft's own worker (it needs a Python 3.13) and our host judge the same apps and calls
	@$(PY) -m tests.conformance
	@$(PY) -m tests.conformance.sweep

package: .venv/ready ## the zip that is deployed, loaded and called by Microsoft's worker (it needs a Python 3.13); PACK=1 only builds it
	@$(PY) -m tools.package $(if $(PACK),--only-pack)

nightly: .venv/ready ## each storage operation of a release failing in each way; the long simulation: CALLS=10000000 port calls, and SHARE=1/1 of all pairs of faults
	$(PY) -m tests.storage_faults
	$(PY) -m tests.simulation nightly $(if $(CALLS),--calls $(CALLS)) $(if $(SHARE),--share $(SHARE))

check: .venv/ready .venv/check/ready ## lint, format, types, the house rules, generated docs in step
	.venv/check/bin/ruff check .
	.venv/check/bin/ruff format --check .
	.venv/check/bin/mypy --python-executable $(PY)
	$(PY) -m tools.docs --check
	$(PY) -m pytest -q tests/test_house.py

up: .venv/ready ## the stack, until Ctrl-C; its state is kept in .signalbox
	@$(PY) -m tools.cli up --state .signalbox

bench: .venv/ready ## what importing the app costs, how often a release asks the storage, how long one that is silent is waited for, and how long a git host waits for its answer
	$(PY) -m tools.bench.imports
	$(PY) -m tools.bench.storage
	$(PY) -m tools.bench.silence
	$(PY) -m tools.bench.webhook

lock: .venv/ready ## the four hashed locks, anew from what they serve
	$(UV) pip compile -q --universal --generate-hashes --no-header pyproject.toml -o requirements.txt
	$(UV) pip compile -q --universal --generate-hashes --no-header --all-extras -c requirements.txt pyproject.toml -o tests/requirements.txt
	$(UV) pip compile -q --universal --generate-hashes --no-header tools/check.in -o tools/check.txt
	$(UV) pip compile -q --universal --generate-hashes --no-header --python-version 3.13 -c requirements.txt tests/conformance/requirements.in -o tests/conformance/requirements.txt

clean: ## the state of stacks on this machine (.signalbox, .demo, .prove), the package and every cache; .venv stays
	rm -rf .signalbox .demo .prove .package .reports .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# uv installs everything and is itself in the lock, so pip fetches exactly that one, by its hashes.
.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
	  echo "Signalbox needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Say which one to use: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "python3 -m venv failed: on Debian or Ubuntu, install python3-venv."; exit 1; }
	@awk '/^uv==/ { on = 1 } on { print } on && !/\\$$/ { exit }' tests/requirements.txt > .venv/uv.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt

.venv/ready: tests/requirements.txt tools/signalbox.sh | .venv/bin/uv
	@$(UV) pip sync --quiet --python $(PY) --require-hashes --compile-bytecode tests/requirements.txt
	@cp tools/signalbox.sh .venv/bin/signalbox && chmod 755 .venv/bin/signalbox
	@touch $@

# Apart from the app's own packages, because azureml-core holds back what mypy needs.
.venv/check/ready: tools/check.txt | .venv/bin/uv
	@$(UV) venv --quiet --allow-existing --python $(PY) .venv/check
	@$(UV) pip sync --quiet --python .venv/check/bin/python --require-hashes tools/check.txt
	@touch $@
