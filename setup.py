"""What pyproject.toml cannot say: OpenCV is asked for only where no OpenCV is there, as one would overwrite the other.

opencv-python, -contrib, -headless and others' builds all hold the module cv2, and no dependency can mean any of them.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

from setuptools import setup

# Exit status 0 where cv2 is there; a folder without a module in it is what an uninstalled OpenCV leaves.
LOOK = "import importlib.util as u, sys; there = u.find_spec('cv2'); sys.exit(there is None or there.origin is None)"
told = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8"))["tool"]["poseline"]
# -I: pip hides the environment's packages from a build by variables, which this child does not follow.
there = subprocess.run([sys.executable, "-I", "-c", LOOK], check=False).returncode == 0
setup(install_requires=[*told["dependencies"], *([] if there else [told["opencv"]])])
