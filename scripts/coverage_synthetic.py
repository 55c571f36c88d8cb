"""Coverage on made walks, by filter: white noise alone, and errors of which a part lasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.core.settings import SmoothConfig
from pipeline.core.skeleton import COCO17
from pipeline.core.types import MEASURED, Observations
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


def _seen(seed: int, fps: float, lasting: bool) -> tuple[np.ndarray, np.ndarray, Observations]:
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
        off += rng.standard_normal((1, 17, 2)) * lasting_px(shares(COCO17), score, size)[..., None]
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
