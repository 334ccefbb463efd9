# make demo       installs what is missing and runs the whole job on the text that the package ships
# make test       installs what is missing and runs what `make check` runs and every test, in two processes
# make test-all   the same, on every document of the corpus, at every moment and with every signal: half an hour more
# make test-fast  the tests that need neither Spark nor another library's environment and are not marked slow: a minute or two
# make coverage   the same tests as `make test`, and the share of the lines of src/headwater that they ran
# make check      lint, format, types, import directions
# make soak      ten thousand seeded faults (hours); goes on where it was stopped; TRIALS=500 for fewer
# make bench      the benchmarks (minutes; needs the corpus beside the repository)

.PHONY: setup demo test test-all test-fast coverage check check-fast lint types imports soak bench clean
.SILENT:
MAKEFLAGS += --no-print-directory

# Only ./.venv counts, whatever environment is active where make is called.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON
export PYTHONNOUSERSITE = 1
WITH_JAVA = JAVA_HOME="$$(scripts/java-home.sh)" PATH="$(CURDIR)/.venv/bin:$$PATH"
PYTEST = .venv/bin/python -m pytest -n 2 --dist loadgroup
PYTHON_FOLDERS = $(wildcard src jobs bench tests)

setup:
	scripts/setup.sh dev

demo:
	scripts/setup.sh run
	$(WITH_JAVA) .venv/bin/python -m headwater.demo

# Types are one of the tests (tests/test_mypy.py): they take minutes on one processor, and the other has tests to run.
test: check-fast
	$(WITH_JAVA) $(PYTEST)

test-all: check-fast
	HEADWATER_ALL=1 $(WITH_JAVA) $(PYTEST)

test-fast:
	scripts/setup.sh dev
	$(WITH_JAVA) $(PYTEST) -m "not spark and not interop and not slow"

# Apart from `make test`: tracing takes the tests of plain Python from 15 s of processor time to more than 26.
coverage:
	scripts/setup.sh dev
	$(WITH_JAVA) $(PYTEST) --cov

# Types take the longest, and beside them there is a processor to spare.
check:
	scripts/setup.sh dev
	$(MAKE) -j2 types lint imports

check-fast:
	scripts/setup.sh dev
	$(MAKE) -j2 imports lint

lint:
	.venv/bin/ruff check --no-cache $(PYTHON_FOLDERS)
	.venv/bin/ruff format --check $(PYTHON_FOLDERS)

types:
	.venv/bin/mypy $(PYTHON_FOLDERS)

imports:
	.venv/bin/lint-imports

# The log, build/soak.jsonl, has a line a trial; a fault that was found keeps its folder beside it.
TRIALS ?= 10000
soak:
	scripts/setup.sh dev
	mkdir -p build
	$(WITH_JAVA) PYTHONPATH=tests/support .venv/bin/python tests/faults/soak.py --trials $(TRIALS) --log build/soak.jsonl

bench:
	scripts/setup.sh dev
	$(WITH_JAVA) .venv/bin/python -m bench

clean:
	rm -rf build dist demo-lake .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis spark-warehouse
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
