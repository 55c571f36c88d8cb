"""Install MMDetection and MMPose beside poseline, into the environment of the Python that runs this.

python scripts/install_openmm.py [--with-mmpretrain]

They are installed without their own dependency lists, which ask for packages that do not build (chumpy, which MMPose
never imports), were built for numpy 1 (xtcocotools), or would overwrite poseline's OpenCV with another one; what they
do import is installed by name. torch is left alone where there is one.
"""

from __future__ import annotations

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


def main() -> int:
    """Install, check, and say what is there; 1 when something does not work."""
    if _missing("torch"):
        _pip(TORCH)
    _pip(*IMPORTED)
    compiled = not _missing("mmcv") and not _missing("mmcv._ext")
    _pip("--no-deps", *PACKAGES, *(() if compiled else (MMCV,)))
    if "--with-mmpretrain" in sys.argv[1:]:
        _pip(*MMPRETRAIN[1])
        _pip("--no-deps", MMPRETRAIN[0])
    opencv = sorted({d.metadata["Name"] for d in distributions() if (d.metadata["Name"] or "").startswith("opencv")})
    if len(opencv) > 1:
        print(f"openmm: {', '.join(opencv)} overwrite one another: uninstall all, install opencv-python-headless")
        return 1
    # In a process of its own: this one has not seen what was installed.
    code = (
        "from pipeline.openmm.report import checks\nfor good, what, detail in checks(): print(f'  {what:20} {detail}')"
    )
    code += "\nfrom pipeline.openmm.compat import ensure\nensure()"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code])
    if done.returncode:
        print("openmm: installed, but does not import; see above")
    return done.returncode


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
