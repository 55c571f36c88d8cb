"""Install MMDetection and MMPose beside poseline, into the environment of the Python that runs this.

python scripts/install_openmm.py [--with-mmpretrain]

They are installed without their own dependency lists, which ask for packages that do not build (chumpy, which MMPose
never imports), were built for numpy 1 (xtcocotools), or would overwrite poseline's OpenCV with another one; what they
do import is installed by name. torch is left alone where there is one.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from importlib.metadata import distributions

TORCH = "torch==2.13.0"
IMPORTED = (
    "setuptools<81", "addict", "packaging", "pillow", "pyyaml", "yapf", "platformdirs", "matplotlib", "rich",
    "termcolor", "pycocotools", "scipy", "shapely", "six", "terminaltables", "tqdm", "json-tricks", "munkres",
    "onnx>=1.16",
)  # fmt: skip
PACKAGES = ("mmengine==0.10.7", "mmdet==3.3.0", "mmpose==1.3.2")
MMCV = "mmcv-lite==2.1.0"
MMPRETRAIN = ("mmpretrain==1.2.0", ("einops", "modelindex"))


CHECK = """
import sys
from pipeline.models.openmm.installed import checks
found = list(checks())
for good, what, detail in found:
    print(f"  {'' if good else 'WRONG: '}{what:20} {detail}")
sys.exit(not all(good for good, _, _ in found))
"""


def main() -> int:
    """Install, check, and say what is there; 1 when something does not work."""
    parser = argparse.ArgumentParser(description="Install MMDetection and MMPose beside poseline.")
    parser.add_argument("--with-mmpretrain", action="store_true", help="also MMPretrain, for ViTPose")
    options = parser.parse_args()
    if _missing("pipeline"):
        return _fail("this Python has no poseline: first python -m pip install . in poseline's folder")
    if _missing("torch"):
        _pip(TORCH)
    _pip(*IMPORTED)
    compiled = not _missing("mmcv") and not _missing("mmcv._ext")
    _pip("--no-deps", *PACKAGES, *(() if compiled else (MMCV,)))
    if options.with_mmpretrain:
        _pip(*MMPRETRAIN[1])
        _pip("--no-deps", MMPRETRAIN[0])
    opencv = sorted({d.metadata["Name"] for d in distributions() if (d.metadata["Name"] or "").startswith("opencv")})
    if len(opencv) > 1:
        return _fail(f"{', '.join(opencv)} overwrite one another: uninstall all, install opencv-python-headless")
    print("openmm: checking", flush=True)
    # In a process of its own: this one has not seen what was installed.
    if subprocess.run([sys.executable, "-W", "ignore", "-c", CHECK]).returncode:
        return _fail("installed, but something is wrong; see above")
    print("openmm: ready")
    return 0


def _fail(reason: str) -> int:
    print(f"openmm: {reason}", file=sys.stderr)
    return 1


def _missing(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is None
    except ImportError:
        return True


def _pip(*what: str) -> None:
    print(f"openmm: installing {' '.join(w for w in what if not w.startswith('-'))}", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    if subprocess.run(command).returncode:
        raise SystemExit("openmm: pip failed; see above")


if __name__ == "__main__":
    raise SystemExit(main())
