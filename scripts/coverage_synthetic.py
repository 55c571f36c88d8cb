"""Coverage on made walks, by filter: white noise alone, and errors of which a part lasts; and of angles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from coverage_angle import angle_errors

from pipeline.core.config import Config
from pipeline.core.settings import SmoothConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import MEASURED, Observations
from pipeline.measure.deviations import SHARE
from pipeline.motion.lasting import lasting_px, shares
from pipeline.motion.online import Smoother
from pipeline.motion.person import body_length, build_motion
from tests import synthetic

METHODS = ("kalman", "butterworth", "savgol", "one_euro", "fixed_lag", "none")
LIVE = ("fixed_lag", "one_euro")
FPS = (25.0, 60.0)
PEOPLE, SECONDS = 10, 6.0
GAITS: tuple[dict[str, Any], ...] = (
    {},
    {"velocity_px_s": (0.0, 0.0), "hip_deg": 0.0, "knee_deg": 0.0},
    {"stride_hz": 1.4, "hip_deg": 40, "knee_deg": 95, "velocity_px_s": (900.0, 0.0)},
)


# Lines between left and right: on photographs both sides err together, here each limb by itself.
LINES = ("pelvis_lean", "shoulders_lean", "hip_abduction")
LIMBS = tuple(
    [COCO17.index(f"{s}_{n}") for n in limb]
    for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    for s in ("left", "right")
)


def _drawn(rng: np.random.Generator, limbs: bool) -> np.ndarray:
    """(1, 17, 2) normal errors; with ``limbs``, of each limb a part is common, so that angles have `SHARE` of what
    independent errors would give."""
    out = rng.standard_normal((1, 17, 2))
    for limb in LIMBS if limbs else ():
        out[:, limb] = SHARE * out[:, limb] + np.sqrt(1 - SHARE**2) * rng.standard_normal((1, 1, 2))
    return out


def _seen(seed: int, fps: float, lasting: bool, limbs: bool = False) -> tuple[np.ndarray, np.ndarray, Observations]:
    """Times (L,), truth (L, 17, 2), and a walk, a stand or a run as a network has it; 3 % of the points are not seen.

    Errors are drawn as large as they are taken to be, in body lengths of the true boxes.
    """
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, SECONDS, fps, jitter=0.2)
    truth = synthetic.walker(t, **GAITS[seed % len(GAITS)])
    box = synthetic.boxes(truth).astype(np.float32)
    size, n = body_length(box), len(t)
    score = np.clip(rng.uniform(0.5, 0.95, 17) + 0.03 * rng.standard_normal((n, 17)), 0.35, 1.0)
    off = rng.standard_normal(truth.shape) * (SmoothConfig().noise_len * size[:, None] / score)[..., None]
    if lasting:
        off += _drawn(rng, limbs) * lasting_px(shares(COCO17), score, size)[..., None]
    score[rng.uniform(size=score.shape) < 0.03] = 0.1
    seen = (truth + off).astype(np.float32)
    return t, truth, Observations(np.arange(n), box, np.full(n, 0.8, np.float32), seen, score.astype(np.float32))


def _live(method: str, t: np.ndarray, seen: Observations, lasting: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, deviations and states as a stream says them."""
    config = SmoothConfig(method=method)  # type: ignore[arg-type]
    share = shares(COCO17) * lasting
    smoother, points = Smoother(share, config, 1.0), []
    step, size = float(np.median(np.diff(t))), body_length(seen.box_px)
    lag = round(config.lag_s / step) if method == "fixed_lag" else 0
    for i, time_s in enumerate(t):
        smoother.add(float(time_s), step, seen.keypoints_px[i], seen.keypoint_score[i], float(size[i]))
        if len(smoother) > lag:
            points.append(smoother.pop())
    while len(smoother):
        points.append(smoother.pop())
    place, std, state = zip(*points, strict=True)
    return np.stack(place), np.stack(std), np.stack(state)


def _held(method: str, fps: float, lasting: bool, live: bool) -> tuple[float, float]:
    """Share of measured, and of bridged, coordinates within 1.96 deviations."""
    inside: list[list[np.ndarray]] = [[], []]
    for seed in range(PEOPLE):
        t, truth, seen = _seen(seed, fps, lasting)
        if live:
            place, std, state = _live(method, t, seen, lasting)
        else:
            config = Config(smooth=SmoothConfig(method=method))  # type: ignore[arg-type]
            motion = build_motion(1, seen, t, COCO17, config.track, config.smooth)
            place, std = motion.keypoints_px, motion.keypoint_std_px if lasting else motion.jitter_px()
            state = motion.provenance
        known = np.isfinite(place[..., 0])
        for i, some in enumerate((known & (state == MEASURED), known & (state != MEASURED))):
            inside[i].append((np.abs(place - truth) < 1.96 * std[..., None])[some].ravel())
    measured, bridged = (np.concatenate(parts) for parts in inside)
    return float(measured.mean()), float(bridged.mean()) if len(bridged) else float("nan")


def synthetic_rows() -> Iterator[str]:
    """A row for each filter."""
    yield "| filter | frames/s | noise alone: measured | bridged | with errors that last: measured | bridged |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for method, live in [*((m, False) for m in METHODS), *((m, True) for m in LIVE)]:
        for fps in FPS:
            held = [value for lasting in (False, True) for value in _held(method, fps, lasting, live)]
            shown = " | ".join("–" if np.isnan(v) else f"{100 * v:.1f} %" for v in held)
            yield f"| {method}{', live' if live else ''} | {fps:g} | {shown} |"
    yield from _angle_rows()


def _angle_rows() -> Iterator[str]:
    """A row for each kind of angle: white noise alone beside what changes between frames, and lasting errors beside the
    whole deviation, those of one limb partly in common."""
    yield "| angle | frames/s | noise alone, by `_deg_jitter` | with errors that last, by `_deg_std` |"
    yield "| --- | --- | --- | --- |"
    for fps in FPS:
        held: dict[str, list[list[np.ndarray]]] = {}
        for seed in range(4 * PEOPLE):
            for i, lasting in enumerate((False, True)):
                t, truth, seen = _seen(seed, fps, lasting, limbs=True)
                config = Config()
                motion = build_motion(1, seen, t, COCO17, config.track, config.smooth)
                std = motion.keypoint_std_px if lasting else motion.jitter_px()
                for kind, (off, deviation) in angle_errors(motion.keypoints_px, truth, std, motion.jitter_px()).items():
                    held.setdefault(kind, [[], []])[i].append(np.abs(off) < 1.96 * deviation)
        for kind, both in held.items():
            told = [parts if not (i and kind in LINES) else [] for i, parts in enumerate(both)]
            shares = " | ".join(f"{100 * np.concatenate(parts).mean():.1f} %" if parts else "–" for parts in told)
            yield f"| {kind} | {fps:g} | {shares} |"
