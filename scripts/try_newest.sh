#!/usr/bin/env bash
# Tries the main job as a user gets it: the package on the newest Python here, with the newest of all it depends on.
# Says so and ends well where no Python is newer than that of `make test`, which has tried all of this.
set -euo pipefail
cd "$(dirname "$0")/.."
version='import sys; print("%d.%d" % sys.version_info[:2])'
newest=$("$(scripts/newest_python.sh)" -c "$version")
if [ -x .venv/bin/python ] && [ "$newest" = "$(.venv/bin/python -c "$version")" ]; then
  echo "The newest Python here is $newest, which make test uses: the main job is not tried on a newer one."
  exit 0
fi
make newest
.venv-newest/bin/python -P scripts/check_package.py
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
.venv-newest/bin/poseline run data/laboratory.mp4 --out "$out"
.venv-newest/bin/python scripts/check_run.py "$out/laboratory" data/laboratory.mp4
