#!/bin/sh
# make_bundle.sh FOLDER: wheels of the project and its dependencies for this platform and Python, and
# how to install them.
set -eu
bundle=$1
python=${PYTHON:-python3}
rm -rf "$bundle"
mkdir -p "$bundle/wheels"
"$python" -m pip wheel --quiet --disable-pip-version-check -c constraints.txt -w "$bundle/wheels" .
cp constraints.txt settings.toml README.md LICENSE "$bundle/"
mkdir -p "$bundle/project"
cp -r pipeline benchmarks docs notebooks tests tools pyproject.toml Makefile constraints.txt settings.toml README.md CHANGELOG.md LICENSE "$bundle/project/"
find "$bundle/project" -name __pycache__ -prune -exec rm -rf {} +
cat > "$bundle/INSTALL.txt" <<'TEXT'
Lõm Sóng – cài đặt không cần internet / installing without internet

Python 3.11+ (cùng phiên bản và hệ điều hành với máy đã tạo gói / same version and system as the machine that made the bundle)

  Linux:    python3 -m venv lomsong && lomsong/bin/pip install --no-index --find-links wheels lomsong && lomsong/bin/lomsong --help
  Windows:  py -m venv lomsong && lomsong\Scripts\pip install --no-index --find-links wheels lomsong && lomsong\Scripts\lomsong --help
TEXT
echo "$bundle: $(ls "$bundle/wheels" | wc -l) wheels, $(du -sh "$bundle" | cut -f1); copy the folder, then see INSTALL.txt in it"
