#!/usr/bin/env bash
# Tries the package as a user gets it, on the newest Python here with the newest of all it depends on, or on the oldest
# Python with the oldest that pyproject.toml allows: try_versions.sh newest|oldest
# The main job on a part of the clip, a check of its tables and video, then the tests of video.
set -euo pipefail
cd "$(dirname "$0")/.."
which=$1
case $which in
  newest) python=$(scripts/find_python.sh 3.14 3.13 3.12 3.11) resolution=highest ;;
  oldest) python=$(scripts/find_python.sh 3.11 3.12 3.13 3.14) resolution=lowest-direct ;;
  *) echo "try_versions.sh $which: say newest or oldest" >&2; exit 2 ;;
esac
env=.venv-$which
"$python" -m venv --clear "$env"
"$env/bin/python" -m pip install --quiet --disable-pip-version-check uv
# uv finds the oldest versions, which pip does not.
"$env/bin/uv" pip install --quiet --python "$env/bin/python" --resolution "$resolution" --upgrade . 'pytest>=8' 'hypothesis>=6.100'
"$env/bin/python" -P scripts/check_package.py
"$env/bin/poseline" doctor
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$env/bin/poseline" run data/laboratory.mp4 --out "$out" --quiet
"$env/bin/python" scripts/check_run.py "$out/laboratory" data/laboratory.mp4
"$env/bin/python" -m pytest tests/video tests/cli/test_libraries.py -p no:cacheprovider
