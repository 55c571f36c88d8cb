"""How often 95 % intervals hold the truth, in rows of the tables of docs/accuracy.md. One thin command each.

python scripts/coverage.py photographs FOLDER…    annotated photographs: FOLDER/images and one COCO file
python scripts/coverage.py fit FOLDER             the errors that last, as pipeline/motion/lasting.py holds them
python scripts/coverage.py views RUN_A RUN_B CALIBRATION   two calibrated views of one person (Qualisys)
python scripts/coverage.py synthetic              smoothed paths of made walks, by filter
python scripts/coverage.py gait [PEOPLE]          steps, figures of the gait, speeds and distances of made walks
python scripts/coverage.py space MOCAP.npz        3D of motion capture seen by random cameras, before the camera
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout need not be installed

import coverage_gait
import coverage_photographs
import coverage_space
import coverage_synthetic
import coverage_views


def main() -> int:
    """Run the command that is named."""
    commands = {
        "photographs": coverage_photographs.photographs,
        "fit": coverage_photographs.fit,
        "views": coverage_views.views,
        "synthetic": coverage_synthetic.synthetic_rows,
        "gait": coverage_gait.gait_rows,
        "space": coverage_space.space,
    }
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        print(__doc__)
        return 2
    for line in commands[sys.argv[1]](*sys.argv[2:]):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
