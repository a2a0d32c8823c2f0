# make demo      install, make a corpus, train, score, release, and load the release as a stranger would
# make test      install with the development tools, and run the tests
# make compat    load releases in environments with other versions of Python, transformers and torch
# make quality   ruff and mypy
# make style     let ruff mend what it can
# make clean     remove the environment and all runs

PYTHON3 ?= python3
VENV ?= .venv
PYTHON := $(VENV)/bin/python
DEMO := runs/demo
SOURCES := emospeech_hf dataset_scripts examples benchmarks tests train_accelerate.py

.PHONY: demo test compat quality style clean
.DEFAULT_GOAL := demo

$(PYTHON):
	@$(PYTHON3) -c 'import sys; sys.exit("emospeech_hf needs Python 3.10 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON3=python3.11") if sys.version_info < (3, 10) else None'
	$(PYTHON3) -m venv $(VENV)

$(VENV)/installed-demo: $(PYTHON) pyproject.toml constraints.txt
	@echo "Installing into $(VENV): about 5 GB, most of it PyTorch. Some minutes."
	$(PYTHON) -m pip install --quiet --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/installed-dev: $(PYTHON) pyproject.toml constraints.txt
	@echo "Installing into $(VENV): about 5 GB, most of it PyTorch. Some minutes."
	$(PYTHON) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/installed-demo

demo: export HF_HUB_OFFLINE = 1
demo: export HF_HOME = $(abspath $(DEMO)/huggingface)
demo: export MPLCONFIGDIR = $(abspath $(DEMO)/matplotlib)
demo: export PYTHONWARNINGS = ignore
demo: $(VENV)/installed-demo
	@rm -rf $(DEMO)
	@echo
	@echo "1. A corpus: six emotions, eight synthetic voices, two of them for the test only."
	@$(PYTHON) dataset_scripts/espeak_corpus.py --output $(DEMO)/corpus --example $(DEMO)/example.wav
	@$(PYTHON) examples/tiny_text_encoder.py --csv $(DEMO)/corpus/train.csv --output $(DEMO)/text_encoder
	@echo
	@echo "2. Training: the network of the paper's Task 2."
	@$(PYTHON) train_accelerate.py --recipe demo --data $(DEMO)/corpus --text_encoder $(DEMO)/text_encoder --output_dir $(DEMO)
	@echo
	@echo "3. A stranger: another process, another folder, nothing but transformers and the release."
	@echo "   It hears $(DEMO)/example.wav, spoken as joy: «$$(cat $(DEMO)/example.txt)»"
	@cd / && "$(abspath $(PYTHON))" "$(abspath examples/score_utterance.py)" "$(abspath $(DEMO))/release" "$(abspath $(DEMO))/example.wav" "$$(cat "$(abspath $(DEMO))/example.txt")"
	@echo
	@echo "Look at $(DEMO)/confusion_matrix.png, listen to $(DEMO)/example.wav; the release is $(DEMO)/release."
	@echo "The voices are synthetic and the text encoder is tiny and untrained: these figures say nothing about people."
	@echo "With BETO instead (from the Hub), on your own corpus:"
	@echo "  $(PYTHON) train_accelerate.py --recipe task2 --text_encoder dccuchile/bert-base-spanish-wwm-cased text_revision=35695e6a39cb1254b606e9d72d89dd53fb1e384d --data YOUR_CORPUS --output_dir runs/beto"

test: $(VENV)/installed-dev
	$(PYTHON) -m pytest -n auto

compat: $(VENV)/installed-dev
	$(PYTHON) -m tests.remote_code.compatibility $(COMPAT)

quality: $(VENV)/installed-dev
	$(PYTHON) -m ruff check $(SOURCES)
	$(PYTHON) -m ruff format --check $(SOURCES)
	$(PYTHON) -m mypy

style: $(VENV)/installed-dev
	$(PYTHON) -m ruff check --fix $(SOURCES)
	$(PYTHON) -m ruff format $(SOURCES)

clean:
	rm -rf $(VENV) runs
