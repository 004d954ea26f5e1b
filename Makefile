# Each target makes .venv when it is missing; nothing but Python 3.11-3.13 and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-fast check install clean pictures bundles monailabel bench bench-postprocess bench-training

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q torch==2.13.0
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/sectome demo demo

# Two workers, each of which takes whole files, whose fixtures are runs of minutes, in the order of their names: the last
# ones are quick.
TEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: install .venv-monailabel/installed
	$(TEST)

test-fast: install
	$(TEST) -m "not slow"

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_public_api.py

bench: install
	for name in crops augmentation affinities metrics mitochondria memory; do $(BIN)/python tests/benchmarks/$$name.py; done

# The peers have an environment of their own: some of them pin what we do not.
.venv-peers/installed: constraints.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --disable-pip-version-check -q \
		waterz==0.10.1 mwatershed==0.5.4 bioimage-cpp==0.10.0 scikit-image
	touch $@

bench-postprocess: install .venv-peers/installed
	$(BIN)/python tests/benchmarks/postprocess.py --peers .venv-peers/bin/python --csv docs/results/benchmarks/postprocess.csv

bench-training: install
	$(BIN)/python tests/benchmarks/training.py --csv docs/results/benchmarks/training.csv

# MONAI Label has an environment of its own: it pins what we do not. A torchvision for CUDA needs help beside a torch for
# the CPU.
LABEL := .venv-monailabel
.venv-monailabel/installed: pyproject.toml constraints.txt tools/monailabel/requirements.txt
	test -x $(LABEL)/bin/python || $(PYTHON) -m venv $(LABEL)
	$(LABEL)/bin/python -m pip install --disable-pip-version-check -q torch==2.13.0
	$(LABEL)/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -e .
	$(LABEL)/bin/python -m pip install --disable-pip-version-check -q --no-deps -r tools/monailabel/requirements.txt
	$(LABEL)/bin/python -c "import torchvision" 2> /dev/null || cp tools/monailabel/declare_torchvision_ops.py \
		$$($(LABEL)/bin/python -c "import site; print(site.getsitepackages()[0])")/sitecustomize.py
	$(LABEL)/bin/python -c "import torchvision"
	touch $@

monailabel: .venv-monailabel/installed
	test -d monailabel/app || $(LABEL)/bin/python -m monailabel.main apps --download --name monaibundle --output monailabel/app
	test -d monailabel/app/monaibundle/model/em_segmentation || \
		$(LABEL)/bin/sectome bundle bundles/em_segmentation monailabel/app/monaibundle/model/em_segmentation
	test -d monailabel/studies || { $(LABEL)/bin/sectome phantom monailabel/phantom --shape 64,192,192 --voxel_size_nm 8,8,8 --suffix .nii.gz \
		&& mkdir -p monailabel/studies && cp monailabel/phantom/images/*.nii.gz monailabel/studies; }
	$(LABEL)/bin/python -m monailabel.main start_server --app monailabel/app/monaibundle --studies monailabel/studies --host 127.0.0.1 \
		--conf models em_segmentation --conf zoo_source local --conf sam2 false

bundles: install
	rm -rf dist/bundles && mkdir -p dist/bundles
	for name in mae_pretrain em_segmentation; do $(BIN)/sectome bundle bundles/$$name dist/bundles/$$name.zip; done
	$(BIN)/python -m pip wheel --disable-pip-version-check -q --no-deps -w dist .

pictures: install
	$(BIN)/sectome gallery docs/transforms

clean:
	rm -rf $(VENV) .venv-peers .venv-monailabel monailabel demo build dist
