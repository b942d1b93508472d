# make run    the whole job on the embedded demo province, into outputs/PERIOD/
# make test   everything that is checked: style, types, tests in a real browser, notebooks
# make test-quick   while you work (a minute and a half): all but the browser and what is marked slow
# make calibrate is a verdict right as often as it says? judges 270 simulated provinces (five minutes), renews docs/method.md
# make bench-map the map's budgets in headless Chromium beside plain folium (ten minutes), renews docs/map.md
# make bench  binning, locating and the whole job beside their peers, up to 10 million tests (ten minutes), renews docs/performance.md
#             BENCH="--largest 100000000 --boundaries FILE" for more
# make gis-check loads the demo's GIS pack in real QGIS and draws it (installs python3-qgis as root on Debian)
# make bundle a folder of wheels for a machine without internet
# Needs Python 3.11 or newer with pip and venv, and make. Windows: README.md has the same in commands to type.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= data/demo
OUT    ?= outputs
BUNDLE ?= dist/lomsong-bundle

# a worker per core: threads of the libraries beside them would only wait for each other
PYTEST := POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal

.PHONY: run test test-quick check-code calibrate bench bench-map gis-check bundle clean
.DELETE_ON_ERROR:

run: $(VENV)/.run
	$(BIN)/lomsong demo --out $(DEMO)
	$(BIN)/lomsong run --settings $(DEMO)/settings.toml --out $(OUT)

test: check-code
	sh tools/install_browser.sh
	$(PYTEST)

test-quick: check-code
	$(PYTEST) -m "not slow and not browser"

check-code: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

calibrate: $(VENV)/.bench
	$(BIN)/python -m benchmarks.calibration --first 400 --write
	$(BIN)/python -m benchmarks.silence --write

bench-map: $(VENV)/.bench
	sh tools/install_browser.sh
	$(BIN)/python -m benchmarks.map_browser --write

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.scale --write $(BENCH)

gis-check: $(VENV)/.run run
	sh tools/install_qgis.sh
	/usr/bin/python3 tools/gis_check.py $$(dirname $$(ls -t $(OUT)/*/gis/coverage_gaps.gpkg | head -n 1)) $(OUT)/gis-check.png

bundle: $(VENV)/.run
	PYTHON=$(BIN)/python sh tools/make_bundle.sh $(BUNDLE)

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,dask]"
	touch $@

$(VENV)/.bench: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench,dask]"
	touch $@

clean:
	rm -rf $(VENV) $(DEMO) dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
