"""Bodies of motion capture against published figures: python scripts/check_mocap.py FILE.npz|FOLDER

A line for each subject, as it is and corrected (`pipeline.evaluate.anatomy`): the knee in stance, the posture of people
who stand straight, the two sides' limbs, and what the joints reach in walking. A figure outside its range is marked *.
The exit status is 1 where the corrected recordings of somebody fail. Ranges:

- stance: the flexion below which a tenth of the stance lies; 0 to 8° (Winter 2009; Kadaba et al. 1990). Not
  judged where the swing is above 80°: such people climb or fight, and stand bent.
- swing: the largest flexion while walking at .7 to 1.9 m/s; 45 to 76°, two deviations (Winter 64 ± 6; Kadaba
  57 ± 6, not checked in the paper). Not judged above 80°, as before.
- hip, lean: trunk against thigh, and trunk, of people who stand with straight knees; -15 to 15°, -12 to 12°: the
  capture's trunk is the line from hips to shoulders, upright in quiet standing; limits of our own.
- thigh, shank: left against right; 6 %, a limit of our own; healthy legs differ by 5 mm on average (Knutson 2005).
- limits: share of the frames with a knee or elbow above 160°, which nobody reaches (Boone and Azen 1979); 0.1 %.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.evaluate.anatomy import SIDES, anatomical, flexion, offsets, pieces, stance
from pipeline.evaluate.mocap import joints_of, load
from pipeline.evaluate.mocap_types import AT, Mocap
from pipeline.lift.joints import JOINTS
from pipeline.measure.angles_3d import angles_3d

RANGES = {
    "stance": (0.0, 8.0), "swing": (45.0, 76.0), "hip": (-15.0, 15.0), "lean": (-12.0, 12.0), "thigh": (0.0, 0.06),
    "shank": (0.0, 0.06), "limits": (0.0, 0.001),
}  # fmt: skip
LEAST_FRAMES = 60  # fewer say nothing
WALKS_M_S, STRAIGHT_DEG, MOST_DEG, NO_WALK_DEG = (0.7, 1.9), 12.0, 160.0, 80.0


def figures(mocap: Mocap, subject: str) -> dict[str, float]:
    """The quantities of `RANGES` of one subject; NaN where nothing says so."""
    trials = [mocap.trial(int(i)) for i in np.flatnonzero(mocap.subject == subject) if mocap.length[i] > 1]
    points = np.concatenate(trials)
    knees = {side: flexion(points, side) for side in SIDES}
    stands = {side: np.concatenate([stance(p, mocap.fps, side) for p in trials]) for side in SIDES}
    walks = np.concatenate([_walks(p, mocap.fps) for p in trials])
    straight = np.all([(knees[s] < STRAIGHT_DEG) & stands[s] for s in SIDES], axis=0) & ~walks
    angles = angles_3d(joints_of(points[None])[0] * np.array([1, -1, -1], np.float32), JOINTS)
    limits = np.stack([*knees.values(), *(flexion(points, side, "elbow") for side in SIDES)])

    def uneven(a: str, b: str) -> float:
        left, right = (
            np.median(np.linalg.norm(points[:, AT[f"{s}_{a}"]] - points[:, AT[f"{s}_{b}"]], axis=-1)) for s in SIDES
        )
        return float(abs(left - right) / (left + right) * 2)

    return {
        "stance": max(_of(knees[s][stands[s]], lambda v: np.quantile(v, 0.1)) for s in SIDES),
        "swing": float(np.mean([_of(knees[s][walks], lambda v: np.quantile(v, 0.95)) for s in SIDES])),
        "hip": float(np.mean([_of(angles[f"{s}_hip_flexion_3d_deg"][straight], np.nanmedian) for s in SIDES])),
        "lean": _of(angles["trunk_lean_3d_deg"][straight], np.nanmedian),
        "thigh": uneven("hip", "knee"),
        "shank": uneven("knee", "ankle"),
        "limits": float((limits > MOST_DEG).mean()),
    }


def _walks(points: np.ndarray, fps: float) -> np.ndarray:
    """(n,) bool: the hips of a trial go at a walk, for a second around the frame."""
    move = np.gradient(points[:, AT["pelvis"]].astype(float), axis=0)[:, [0, 2]]
    reach = max(1, round(fps / 2))
    kernel = np.ones(2 * reach + 1)
    known = np.convolve(np.ones(len(move)), kernel)[reach:-reach]
    speed = np.linalg.norm([np.convolve(m, kernel)[reach:-reach] / known for m in move.T], axis=0) * fps
    upright = points[:, AT["pelvis"], 1] > 0.9 * np.quantile(points[:, AT["pelvis"], 1], 0.9)
    return (speed > WALKS_M_S[0]) & (speed < WALKS_M_S[1]) & upright


def _of(values: np.ndarray, what: Callable[[np.ndarray], np.floating]) -> float:
    return float(what(values)) if len(values) >= LEAST_FRAMES else float("nan")


def wrong(found: dict[str, float]) -> list[str]:
    """The quantities outside their ranges."""
    if found["swing"] > NO_WALK_DEG:
        found = found | {"stance": float("nan"), "swing": float("nan")}
    return [name for name, (low, high) in RANGES.items() if found[name] < low or found[name] > high]


def main() -> None:
    before = load(sys.argv[1])
    after, found = anatomical(before), offsets(pieces(before))
    failed = []
    print("subject  knee offsets  " + " ".join(f"{name:>14}" for name in RANGES))
    for subject in sorted(set(before.subject.tolist())):
        rows = [figures(mocap, subject) for mocap in (before, after)]
        marks = [["*" if name in wrong(row) else " " for name in RANGES] for row in rows]
        cells = [f"{rows[0][n]:6.3g}{marks[0][i]}{rows[1][n]:6.3g}{marks[1][i]}" for i, n in enumerate(RANGES)]
        print(f"{subject:7} " + " ".join(f"{found[subject, s].deg:6.1f}" for s in SIDES) + "   " + " ".join(cells))
        failed += [f"{subject} {name}" for name in wrong(rows[1])]
    print(f"{len(before.length)} trials, {len(after.length)} pieces, {len(after.points) / after.fps / 60:.1f} minutes")
    if failed:
        sys.exit(f"outside the ranges after the correction: {', '.join(failed)}")


if __name__ == "__main__":
    main()
