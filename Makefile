# Every target makes its own .venv first; python3 (3.11 or newer) and make are all it takes.
#   make demo    the verifier at work on simulated machines      make test    everything; make coverage: and how much of it was seen
# Another interpreter: make PYTHON=python3.13 test. Settings come from the command line, never from the environment.

PYTHON := python3
KEEP :=
SECONDS := 60
MUTANTS :=
GUEST_PYTHON := 3.11
BIN := .venv/bin

PACKAGES := agent formats policies protos simulator verifier
CODE := $(PACKAGES) $(wildcard tests tools benchmarks examples fuzz boot)
# Modules that write files from code; each takes --check and then only compares.
GENERATED := $(if $(wildcard verifier/cvmproof/generated.py),cvmproof.generated)

.DEFAULT_GOAL := help
.PHONY: help venv demo test coverage boot-test lint format bench protos generated dist deb fuzz mutants lock clean

help:
	@echo 'make demo | test | coverage | boot-test | lint | format | bench | protos | generated | dist | deb | fuzz | mutants | lock | clean'

# --- the environment -------------------------------------------------------------------------------------------------
define install
	@command -v $(PYTHON) >/dev/null || { echo 'make needs Python 3.11 or newer, called $(PYTHON): install python3 and python3-venv'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version): try make PYTHON=python3.13"; exit 1; }
	@$(PYTHON) tools/environment.py $(1)
endef

.venv/.demo: requirements/demo.lock pyproject.toml
	$(call install,demo)

.venv/.dev: requirements/dev.lock pyproject.toml
	$(call install,dev)

.venv/.mutants: requirements/mutants.lock pyproject.toml
	$(call install,mutants)

.venv/.fuzz: requirements/fuzz.lock pyproject.toml
	$(call install,fuzz)

venv: .venv/.dev

# --- look ------------------------------------------------------------------------------------------------------------
demo:
	@echo '[1/5] Installing what the lock file names into .venv'
	@$(MAKE) --no-print-directory --silent .venv/.demo
	@$(BIN)/cvmproof-simulator demo --first-step 2 $(if $(KEEP),--keep)

bench: .venv/.dev
	@$(BIN)/python -m benchmarks

# --- check -----------------------------------------------------------------------------------------------------------
test: .venv/.dev
	@$(BIN)/python -m pytest

# The same, counting branches, also in the processes that tests start: half as long again, so not on every change.
coverage: .venv/.dev
	@$(BIN)/python -m pytest --cov --cov-report=term

# A real kernel and systemd in virtual machines, as root: two minutes or three, once all of it has been downloaded.
boot-test: deb
	@$(BIN)/python -m pytest --boot "$$(ls -t dist/cvmproof-agent_*_amd64.deb | head -n 1)" tests/boot/test_boot.py

lint: .venv/.dev
	$(BIN)/ruff check --quiet $(CODE)
	$(BIN)/ruff format --check --quiet $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/python tools/protos.py --check
	$(foreach module,$(GENERATED),$(BIN)/python -m $(module) --check && )true

format: .venv/.dev
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# Mutation of what appraises evidence and admits collateral; MUTANTS='cvmproof.tdx* cvmproof.snp.chain*' looks at parts.
mutants: .venv/.mutants
	@$(BIN)/python tools/mutants.py $(MUTANTS)

# Coverage-guided fuzzing of every parser, SECONDS=... in all.
fuzz: .venv/.fuzz
	@$(BIN)/python -m fuzz --seconds $(SECONDS)

# --- make ------------------------------------------------------------------------------------------------------------
protos: .venv/.dev
	$(BIN)/python tools/protos.py

generated: .venv/.dev
	$(foreach module,$(GENERATED),$(BIN)/python -m $(module) && )true

dist: .venv/.dev
	@$(BIN)/python tools/distribution.py

# The guest's artefact: the agent alone, for one Debian's python3, made twice and compared.
deb: .venv/.dev
	@$(BIN)/python tools/debian_package.py --python $(GUEST_PYTHON)

# The newest versions that pyproject.toml allows and that are at least a week old; commit the result. Extras stay in the
# locks: pip below 23.3 takes coverage[toml] and coverage for two packages, and wants a hash of each.
UV := uv==0.13.9
COMPILE = build/lock/bin/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--custom-compile-command 'make lock' --exclude-newer "$$(date -u -d '7 days ago' +%F)" --upgrade
lock:
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet --disable-pip-version-check $(UV)
	$(COMPILE) pyproject.toml -o requirements/runtime.lock
	$(COMPILE) pyproject.toml --extra agent --group build -c requirements/runtime.lock -o requirements/demo.lock
	$(COMPILE) --group guest -c requirements/demo.lock -o requirements/guest.lock
	$(COMPILE) pyproject.toml --all-extras --group dev -c requirements/demo.lock -o requirements/dev.lock
	$(COMPILE) pyproject.toml --all-extras --group mutants -c requirements/dev.lock -o requirements/mutants.lock
	$(COMPILE) pyproject.toml --all-extras --group fuzz -c requirements/dev.lock -o requirements/fuzz.lock

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.* mutants
