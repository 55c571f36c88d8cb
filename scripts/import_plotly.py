"""Take plotly.js out of the wheel of the Python package plotly: `pip download plotly==7.1.0 --no-deps`, then this.

The report needs this one file; the package around it takes forty megabytes.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from pathlib import Path

INTO = Path(__file__).resolve().parents[1] / "pipeline" / "report" / "page" / "plotly.min.js.z"
INSIDE = "plotly/package_data/plotly.min.js"


def main() -> None:
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".whl"):
        sys.exit("usage: import_plotly.py plotly-VERSION-py3-none-any.whl")
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        script = wheel.read(INSIDE)
    if b"Licensed under the MIT license" not in script[:400]:
        sys.exit(f"{sys.argv[1]}: {INSIDE} does not say that its licence is MIT; look at it")
    INTO.write_bytes(zlib.compress(script, 9))
    print(f"{INTO}: {script[:60].decode().split()[2]}, {len(script)} bytes, {INTO.stat().st_size} packed")


main()
