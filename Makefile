# make run     install into .venv, then run a 20-minute session on the simulated stimulator
# make test    install what the tests need, and run them all
# make lint    style, types, import contracts, generated tables
# make agree   driver, simulator and model against each other, 20,000 scripts of each kind
# make bench   speed, each figure beside its limit
# make certificate     conformance over the full range, and every cell of it removed in turn: docs/certificate.md, minutes
# make accuracy        how far off the bench's measurements are, over a grid of rates and noise: docs/accuracy.md, minutes
# make byte-paced      the suite against a simulator behind a UART of 115 200 baud, pty and TCP: real time, 20 minutes
# make versions        the quick tests and a session with the lowest and the newest of every dependency, on each Python here
# make docs    the documents as a site, with every link followed: build/site
# make pictures        docs/pictures from the real thing; needs Chromium and a Chinese font (chromium, fonts-wqy-microhei), minutes
# make firmware    the firmware in C: for this machine, for the chip, and the emulator of that chip
# make firmware-page   what the machine code takes and keeps, measured: docs/firmware.md, docs/performance.md, minutes
# make firmware-certificate   conformance over the full range on the emulated chip: docs/firmware-certificate.md, an hour
# make firmware-scenarios     the shipped scenarios on it: docs/firmware-scenarios.md, minutes
# make firmware-agree    model, simulator, C core and machine code against each other, by script: minutes
# make firmware-fuzz     the C core under sanitizers, from what is kept: ten minutes
# make firmware-resets   a reset at every byte that it writes, on this machine: minutes
# make clean   remove what the above made
#
# What has to be on the machine first (Debian 12): apt-get install make python3-venv

PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The session of `make run`; override any of them: make run PORT=socket://127.0.0.1:5000
PROFILE ?= low-back-pain
PORT ?= sim://?pace=120
PRESCRIPTION ?= profiles/examples/low-back-pain.toml
PICTURE ?= build/low-back-pain.png
RUN_OPTIONS ?= --unattended
# Writes what it measured to docs/performance.md.
BENCH_OPTIONS ?= --write-page

# How long `make agree` runs.
AGREE_OPTIONS ?= --examples 20000 --jobs $(shell nproc 2>/dev/null || echo 1)

.PHONY: run test lint agree campaign bench certificate accuracy byte-paced versions firmware firmware-page firmware-certificate \
  firmware-scenarios firmware-agree firmware-resets firmware-fuzz docs pictures clean
.DELETE_ON_ERROR:

run: $(VENV)/.installed
	@mkdir -p $(dir $(PICTURE)) && rm -f $(PICTURE)
	$(BIN)/stimctl run $(PROFILE) --port '$(PORT)' --prescription $(PRESCRIPTION) --picture $(PICTURE) $(RUN_OPTIONS)

# Tests that wait for a real pty, socket or process run by themselves, so that the others do not take their time; they
# mostly wait, so more of them than there are processors go side by side.
# Up to three that fail beside others are tried once more by themselves, and SECOND TRY names them (tests/second_try.py);
# only where the run came to its end, which exit code 1 says.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n auto -m "not realtime" $(TEST_OPTIONS)
	@rm -f .pytest_cache/v/cache/lastfailed
	$(BIN)/python -m pytest -q -n 4 --dist worksteal -m realtime $(TEST_OPTIONS) || \
	  { [ $$? -eq 1 ] && $(BIN)/python -m tests.second_try -m realtime $(TEST_OPTIONS); }

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m stimctl.wire.tables --check
	$(BIN)/python -m stimctl.ledger.document --check
	$(BIN)/python -m stimctl.ledger.subject --check
	$(BIN)/python -m stimctl.ledger.entry_tables --check
	$(BIN)/python -m firmware_sim.faults --check
	$(BIN)/python -m tests.docs.architecture --check

# Driver, simulator and model against each other, for about an hour.
agree: $(VENV)/.installed-dev
	$(BIN)/python -m tests.agree $(AGREE_OPTIONS)

# Ten thousand random sessions in a hostile world, each judged by every rule: some 6 minutes on two quiet processors.
campaign: $(VENV)/.installed
	$(BIN)/stimctl soak --sessions 10000 --seed 7

# Compiled first, as what pip installs is: where no bytecode may be written, each start would compile the checkout anew.
bench: $(VENV)/.installed-dev
	$(BIN)/python -m compileall -q stimctl firmware_sim
	$(BIN)/python -m pytest -q -s --timeout 600 benchmarks $(BENCH_OPTIONS)

certificate: $(VENV)/.installed-dev
	$(BIN)/python -m tests.stimlab.conformance.certificate --write --html build/certificate.html

accuracy: $(VENV)/.installed-dev
	$(BIN)/python -m tests.stimctl.capture.accuracy --write

byte-paced: $(VENV)/.installed-dev
	$(BIN)/python -m tests.stimlab.conformance.byte_paced_run

versions: $(VENV)/.installed-dev
	.ci/versions lowest
	.ci/versions newest

docs: $(VENV)/.installed-dev
	$(BIN)/python -m tests.docs.site

pictures: $(VENV)/.installed-dev
	$(BIN)/python -m tests.docs.pictures

# Needs: apt-get install gcc gcc-avr avr-libc libsimavr-dev libelf-dev
firmware:
	@$(MAKE) --no-print-directory -C firmware all

# What the machine code takes and keeps, measured, into docs/firmware.md and docs/performance.md. Needs clang, lld, node and npm as well, for the
# second emulator.
firmware-page: firmware $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory -C firmware second
	$(BIN)/python -m tests.firmware.page --write

# What was done on the same machine code before is not done again.
firmware-certificate: firmware $(VENV)/.installed-dev
	$(BIN)/python -m tests.firmware.certificate --write

firmware-scenarios: firmware $(VENV)/.installed-dev
	$(BIN)/python -m tests.firmware.scenarios --write

firmware-agree: firmware $(VENV)/.installed-dev
	$(BIN)/python -m tests.firmware.four --scripts 200

# Needs clang and libclang-rt-14-dev as well.
firmware-fuzz: firmware $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory -C firmware fuzzer
	$(BIN)/python -m tests.firmware.fuzz

firmware-resets: firmware $(VENV)/.installed-dev
	$(BIN)/python -m tests.firmware.resets

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The stamps say which dependencies stand in .venv; they are renewed when pyproject.toml changes.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stimctl needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo 'On Debian: apt-get install python3-venv'; exit 1; }
	@echo 'Installing stimctl into $(VENV) ...'
	@$(PIP) install --quiet --editable '.[plot]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.installed
	@echo 'Installing what the tests need into $(VENV) ...'
	@$(PIP) install --quiet --editable '.[dev]'
	@touch $(VENV)/.installed $@
