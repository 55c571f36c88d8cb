"""What the points' errors alone cost: python scripts/lifting_floor.py MOCAP.npz

Mean absolute errors of the angles of `poseline eval lift --mocap FILE --noise detector` when every joint has its true
depth. Across the line of sight joints lie where the points of the picture say, less what such points are off the
joints' centres in the mean; each path is averaged over time by a Gaussian, the best of several. The last row has the
lifter's own places across, which know how bodies move, and the true depth.

Below, what the lifter makes of a share of the errors and of the rates at which points go astray, are lost and are
exchanged; where points lie on each body is not changed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.ndimage import gaussian_filter1d

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.core.config import Config
from pipeline.evaluate import cameras, lifting
from pipeline.evaluate.anatomy import anatomical
from pipeline.evaluate.lifting import NEAREST_M, angle_errors
from pipeline.evaluate.mocap import heights, joints_of, load
from pipeline.evaluate.mocap_types import Mocap
from pipeline.lift.joints import HIPS, JOINTS, K
from pipeline.lift.lifter import Lifted, PersonRays, finish_all
from pipeline.lift.network import HEIGHT_M, Network, lift
from pipeline.lift.pictured import lasting_shifts, pictured
from pipeline.measure.angles_3d import angles_3d
from pipeline.models.runtime import pick_device

LEAST_SCORE = 0.05
SMOOTH_FRAMES = (0, 2, 4, 6, 8)  # standard deviations of the Gaussian
SURE_M = 0.01  # standard deviation of a depth that is known
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
ANGLES = ("knee", "elbow", "ankle", "hip", "shoulder", "trunk")
NO_OUTLIERS: dict[str, Any] = {"BURST_PER_S": 0.0, "SWAP_PER_S": 0.0}


def scaled(factor: float, bias: float) -> dict[str, Any]:
    """The noise without outliers, its errors times ``factor``, of which the share ``bias`` stays."""
    return NO_OUTLIERS | {"ERROR": {kind: factor * e for kind, e in cameras.ERROR.items()}, "BIAS": bias}


KINDS: dict[str, tuple[bool, dict[str, Any]]] = {  # by name: whether bodies differ, and what else differs in the noise
    "all errors": (True, {"BIAS": cameras.BIAS}),
    "without points astray": (True, {"BURST_PER_S": 0.0}),
    "without exchanges": (True, {"SWAP_PER_S": 0.0}),
    "without either": (True, NO_OUTLIERS),
    "what lasts alone": (True, scaled(cameras.BIAS, 1.0)),
    "what changes alone": (False, scaled(np.sqrt(1 - cameras.BIAS**2), 0.0)),
}


class Scene:
    """One trial before its random camera, that of `eval lift`."""

    def __init__(self, mocap: Mocap, trial: int, differ: bool) -> None:
        rng, points = np.random.default_rng([0, trial]), mocap.trial(trial)
        joints = joints_of(points[None])
        camera = cameras.random_cameras(joints[:, :, HIPS].mean(2), rng)
        shifts = lasting_shifts(1, rng) * differ
        self.place = camera.see(joints)[0]  # (T, J, 3) m
        self.pictured = camera.see(pictured(joints))[0]  # (T, K, 3) m, of a usual body
        shown = camera.see(pictured(joints, shifts))
        rays = shown[..., :2] / np.maximum(shown[..., 2:], NEAREST_M)
        noisy, score = cameras.detector_noise(rays, np.array([mocap.fps]), rng, np.ones(1))
        self.rays, self.score = noisy[0], np.where(shown[0, ..., 2] > NEAREST_M, score[0], 0)
        self.size = float(np.median(heights(points))) / HEIGHT_M
        self.time_s = np.arange(len(points)) / mocap.fps

    @property
    def truth(self) -> np.ndarray:
        """(T, J, 3) m about the hips."""
        out: np.ndarray = self.place - self.place[:, HIPS].mean(1, keepdims=True)
        return out

    def by_points(self, smooth: float) -> np.ndarray:
        """(T, J, 3) m about the hips: true depths, across where the points say; lost points are interpolated."""
        rays, rows = self.rays.astype(float), np.arange(len(self.rays))
        for k in range(K):
            known = self.score[:, k] > LEAST_SCORE
            for axis in range(2) if known.any() else ():
                rays[:, k, axis] = np.interp(rows, rows[known], rays[known, k, axis])
        if smooth:
            rays = gaussian_filter1d(rays, smooth, axis=0)
        out = self.place.copy()
        out[:, :K, :2] = rays * self.pictured[..., 2:] - (self.pictured - self.place[:, :K])[..., :2]
        return out - out[:, HIPS].mean(1, keepdims=True)

    def by_lifter(self, network: Network) -> np.ndarray:
        """(T, J, 3) m about the hips: the lifter's joints, the network's depths replaced by the true ones."""
        joints, std, ray = lift(network, self.time_s, self.rays, self.score)
        sight = np.concatenate([ray, np.ones_like(ray[:, :1])], 1)
        sight = (sight / np.linalg.norm(sight, axis=1, keepdims=True))[:, None]
        joints = joints + sight * ((self.truth / self.size - joints) * sight).sum(-1, keepdims=True)
        std = np.stack([std[..., 0], std[..., 0], np.full_like(std[..., 0], SURE_M)], -1)
        seen = PersonRays(self.time_s, np.arange(len(joints)), self.rays, self.score, ray)
        return finish_all([Lifted(seen, joints.astype(np.float32), std)], Config())[0]


def row(name: str, pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, str]:
    """The mean error in degrees of found and true joints (T, J, 3) of all trials, and a row of the table."""
    told = angle_errors([(angles_3d(found, JOINTS), angles_3d(true, JOINTS)) for found, true in pairs])
    return told["angle_deg"], _line(name, told)


def _line(name: str, told: dict[str, Any]) -> str:
    by = [np.mean([v for n, v in told["angles_deg"].items() if kind in n]) for kind in ANGLES]
    return f"{name:42} {told['angle_deg']:6.1f} " + " ".join(f"{v:8.1f}" for v in by)


def at_level(mocap: Mocap, network: Network, level: float) -> dict[str, Any]:
    """What `poseline eval lift --noise detector` tells when the noise is ``level`` times as much."""

    def noisy(rays: np.ndarray, fps: np.ndarray, rng: np.random.Generator, one: np.ndarray) -> Any:
        return cameras.detector_noise(rays, fps, rng, level * one)

    with patch.object(lifting, "detector_noise", noisy):
        return lifting.evaluate_mocap(mocap, lambda *seen: lifting.lift_whole(network, *seen), 0, "detector")


def main() -> None:
    """Print both tables."""
    mocap = anatomical(load(sys.argv[1]))
    print(f"{'true depth, and':42}  angles     knee    elbow    ankle      hip shoulder    trunk")
    for name, (differ, changes) in KINDS.items():
        with patch.multiple(cameras, **changes):
            scenes = [Scene(mocap, i, differ) for i in range(len(mocap.length))]
        found = [row(f"{name} ({s} frames)", [(x.by_points(s), x.truth) for x in scenes]) for s in SMOOTH_FRAMES]
        print(min(found)[1], flush=True)
    network = Network(pick_device("cpu"))
    scenes = [Scene(mocap, i, True) for i in range(len(mocap.length))]
    print(row("all errors, the lifter's places across", [(x.by_lifter(network), x.truth) for x in scenes])[1])
    for level in LEVELS:
        told = at_level(mocap, network, level)
        end = f"   MPJPE {told['mpjpe_mm']:.1f}, PA {told['pa_mpjpe_mm']:.1f} mm"
        print(_line(f"{level:g} of the errors, the lifter alone", told) + end, flush=True)


if __name__ == "__main__":
    main()
