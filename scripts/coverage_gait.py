"""Coverage of the gait's times, lengths and figures, and of ways, on made walks whose errors are as they are taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.settings import SmoothConfig
from pipeline.core.types import Motion, Observations
from pipeline.measure import gait, gait_figures, scale
from pipeline.measure.gait_errors import METHOD_S
from pipeline.motion.lasting import lasting_px, shares
from pipeline.motion.person import body_length, build_motion
from tests import synthetic
from tests.motion.exchanges import halpe
from tests.motion.motions import exact

FPS, FINE_FPS = (30.0, 60.0), 120.0
SECONDS, PX_PER_M = 10.0, 230.0
TIMES = {"contact_time_s": "contact_time_std_s", "off_time_s": "off_time_std_s", "stance_s": "stance_std_s",
         "swing_s": "swing_std_s", "stride_s": "stride_std_s", "step_s": "step_std_s",
         "step_length_m": "step_length_std_m"}  # fmt: skip
FIGURES = {"cadence_steps_per_min": "cadence_std_steps_per_min", "step_time_s": "step_time_std_s",
           "stride_time_s": "stride_time_std_s", "stance_share": "stance_std_share",
           "symmetry_percent": "symmetry_std_percent"}  # fmt: skip


def walk(seed: int) -> dict[str, Any]:
    """A walker of some size, pace and place."""
    rng = np.random.default_rng(seed)
    pace = float(rng.uniform(0.8, 1.15))
    return {"stride_hz": pace, "hip_deg": float(rng.uniform(20, 30)), "phase": float(rng.uniform()),
            "velocity_px_s": (float(rng.uniform(200, 320)), 0.0)}  # fmt: skip


def points(t: np.ndarray, walker: dict[str, Any]) -> np.ndarray:
    """(L, 26, 2) px of a walker seen from the side."""
    return halpe(synthetic.from_the_side(synthetic.walker(t, **walker)), 400.0)


def seen(seed: int, t: np.ndarray, truth: np.ndarray) -> Motion:
    """The walk as a network has it, smoothed, with the errors that the deviations hold."""
    rng, config = np.random.default_rng(seed + 1000), Config()
    box = synthetic.boxes(truth).astype(np.float32)
    size, n = body_length(box), len(t)
    score = np.clip(rng.uniform(0.6, 0.9, 26) + 0.03 * rng.standard_normal((n, 26)), 0.35, 1.0)
    off = rng.standard_normal(truth.shape) * (SmoothConfig().noise_len * size[:, None] / score)[..., None]
    off += rng.standard_normal((1, 26, 2)) * lasting_px(shares(HALPE26), score, size)[..., None]
    observed = Observations(
        frame=np.arange(n),
        box_px=box,
        score=np.full(n, 0.8, np.float32),
        keypoints_px=(truth + off).astype(np.float32),
        keypoint_score=score.astype(np.float32),
        skeleton=HALPE26.name,
    )
    return build_motion(1, observed, t, HALPE26, config.track, config.smooth)


def steps_held(seed: int, fps: float) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Errors over their deviations: of each column of the table of steps, and of each figure.

    The truth is the same method on the exact walk at `FINE_FPS`, each event moved as the method errs on force plates.
    """
    rng, walker = np.random.default_rng(seed), walk(seed)
    t = synthetic.times(rng, SECONDS, fps, jitter=0.1)
    fine = np.arange(t[0], t[-1], 1 / FINE_FPS)
    exactly = _steps(exact(fine, points(fine, walker), HALPE26))
    found = _steps(seen(seed, t, points(t, walker)))
    near = np.abs(found["contact_time_s"][:, None] - exactly["contact_time_s"])
    near[found["side"][:, None] != exactly["side"]] = np.inf
    rows = np.flatnonzero(near.min(1) < 0.3)
    if len(rows) < gait.LEAST_CONTACTS:  # no steps were found
        return {name: np.zeros(0) for name in TIMES}, dict.fromkeys(FIGURES, np.nan)
    truth = _moved({name: values[near.argmin(1)[rows]] for name, values in exactly.items()}, rng)
    found = {name: values[rows] for name, values in found.items()}
    found["step_s"][:1] = found["stride_s"][-2:] = found["swing_s"][-2:] = np.nan  # of contacts at the ends, left out
    out = {}
    for name, std in TIMES.items():
        z = (found[name] - truth[name]) / found[std]
        out[name] = z[np.isfinite(z)]
    told, true = gait_figures.summary(found), gait_figures.summary(truth)
    return out, {name: (told[name] - true[name]) / told[std] for name, std in FIGURES.items()}


def _moved(steps: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    on, off = (steps[n] + METHOD_S * rng.standard_normal(len(steps["side"])) for n in ("contact_time_s", "off_time_s"))
    stride = np.append(on[2:] - on[:-2], [np.nan, np.nan])
    moved = {"contact_time_s": on, "off_time_s": off, "stance_s": off - on, "swing_s": stride - (off - on)}
    return steps | moved | {"stride_s": stride, "step_s": np.append(np.nan, np.diff(on))}


def _steps(motion: Motion) -> dict[str, np.ndarray]:
    return gait.contacts(motion, HALPE26, PX_PER_M, np.ones(len(motion)))[1]


def ways_held(seed: int, fps: float, kind: str) -> dict[str, np.ndarray]:
    """Errors over their deviations of speeds and distances in the picture plane, with the scale known."""
    rng = np.random.default_rng(seed)
    t = synthetic.times(rng, SECONDS, fps, jitter=0.1)
    px_s = float(rng.uniform(200, 320)) * {"walks": 1, "stands": 0, "runs": 3, "changes pace": 1}[kind]
    body = {"velocity_px_s": (px_s or 1e-9, 0.0)} | ({"hip_deg": 0.0, "knee_deg": 0.0} if kind == "stands" else {})
    sway = 60 * np.sin(1.2 * (t - t[0])) * (kind == "changes pace")
    truth = points(t, body)
    truth[..., 0] += sway[:, None]
    found = scale.path_columns(seen(seed, t, truth), HALPE26, PX_PER_M)
    way = (px_s * (t - t[0]) + sway) / PX_PER_M
    true = {"path_speed_m_s": np.abs(np.gradient(way, t)), "path_distance_m": way - way[0]}
    return {name: (found[name] - value) / found[f"{name}_std"] for name, value in true.items()}


def gait_rows(people: str = "30") -> Iterator[str]:
    """A row for each quantity."""
    yield "| quantity | frames/s | values | holds |"
    yield "| --- | --- | --- | --- |"
    for fps in FPS:
        told = [steps_held(seed, fps) for seed in range(int(people))]
        z = {n: np.concatenate([a[n] for a, _ in told]) for n in TIMES}
        z |= {n: np.array([b[n] for _, b in told]) for n in FIGURES}
        for kind in ("walks", "stands", "runs", "changes pace"):
            ways = [ways_held(seed, fps, kind) for seed in range(max(int(people) // 3, 1))]
            z |= {f"{n}, {kind}": np.concatenate([w[n] for w in ways]) for n in ways[0]}
            z |= {f"distance_m, {kind}": np.array([w["path_distance_m"][-1] for w in ways])}
        for name, values in z.items():
            known = values[np.isfinite(values)]
            yield f"| {name} | {fps:g} | {len(known)} | {100 * (np.abs(known) < 1.96).mean():.1f} % |"
