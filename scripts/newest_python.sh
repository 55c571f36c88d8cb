#!/usr/bin/env bash
# Prints the path of the newest Python that is found, runs and can make virtual environments; fails where there is none.
# A name on the PATH is not enough: pyenv's python3.13 may stand there and not run.
set -uo pipefail
root=$(pyenv root 2>/dev/null) || root=
for name in python3.14 python3.13 python3.12 python3.11; do
  for python in $(type -ap "$name") ${root:+"$root"/versions/"${name#python}"*/bin/"$name"}; do
    if "$python" -c 'import ensurepip, sys; print(sys.executable)' 2>/dev/null; then exit 0; fi
  done
done
echo "newest_python.sh: no Python from 3.11 to 3.14 runs here" >&2
exit 1
