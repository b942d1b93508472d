#!/bin/sh
# QGIS for `make gis-check`: installs it as root on Debian, else reports what is missing and stops.
set -eu
if /usr/bin/python3 -c "import qgis.core" 2>/dev/null; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing python3-qgis"
  apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-qgis >/dev/null
else
  echo "gis-check needs QGIS: install Debian's python3-qgis, then run it again" >&2
  exit 1
fi
