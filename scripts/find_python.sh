#!/usr/bin/env bash
# Prints the path of the first Python of these versions that is found, runs and can make virtual environments; fails
# where there is none: find_python.sh 3.14 3.13
# A name on the PATH is not enough: pyenv's python3.13 may stand there and not run.
set -uo pipefail
root=$(pyenv root 2>/dev/null) || root=
for version in "$@"; do
  for python in $(type -ap "python$version") ${root:+"$root"/versions/"$version"*/bin/"python$version"}; do
    if "$python" -c 'import ensurepip, sys; print(sys.executable)' 2>/dev/null; then exit 0; fi
  done
done
echo "find_python.sh: no Python of $* runs here" >&2
exit 1
