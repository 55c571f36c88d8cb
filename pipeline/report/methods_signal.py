"""Sentences about what was done to the keypoints' paths: left and right, filters, gaps."""

from __future__ import annotations

import math
from collections.abc import Callable

from pipeline.core.settings import SmoothConfig
from pipeline.motion.filters import SPEED_HZ
from pipeline.report.methods_facts import RunFacts, number

_SIZE = "body lengths (longer side of a person's box)"


def calm_cutoff_hz(noise_len: float, least_jerk: float, fps: float) -> float:
    """Frequency at which the Kalman smoother halves the amplitude of a calm keypoint of score 1."""
    return float((least_jerk**2 * fps / noise_len**2) ** (1 / 6) / math.tau)


def processing(facts: RunFacts) -> list[str]:
    """What was done to the keypoints' paths."""
    out = []
    unswap, least = facts.setting("smooth", "unswap"), facts.setting("smooth", "min_keypoint_score")
    if unswap:
        out.append("Exchanges of left and right limbs were found by the motion of the pairs of joints and undone.")
    elif unswap is False:
        out.append("Left and right were left as the network gave them.")
    if least is not None:
        out.append(f"Keypoints with a score below {number(least)} counted as missing.")
    write, needed = _FILTERS.get(facts.setting("smooth", "method") or "", (None, ()))
    smooth = {key: value for key in SmoothConfig.model_fields if (value := facts.setting("smooth", key)) is not None}
    if write is not None and set(needed) <= set(smooth):
        out += write(SmoothConfig.model_validate(smooth), facts.fps)
    return [*out, *_gaps(facts), *_shares(facts)]


def _model(smooth: SmoothConfig) -> str:
    return (
        "with a model of constant acceleration that white-noise jerk disturbs. The standard deviation of a measurement"
        f" was {number(smooth.noise_len)} {_SIZE} at a score of 1 and grew as 1 / score; the density of the jerk was"
        f" measured from each keypoint's own motion, at least ({number(smooth.least_jerk)} body lengths / s³)² / Hz"
    )


def _outliers(smooth: SmoothConfig) -> str:
    return (
        f"Measurements more than {number(smooth.gate_sigma)} standard deviations from their prediction were left out."
    )


def _kalman(smooth: SmoothConfig, fps: float) -> list[str]:
    calm = number(calm_cutoff_hz(smooth.noise_len, smooth.least_jerk, fps), 2)
    return [
        f"Coordinates were smoothed by a Kalman smoother [@rts] on the frames' own times, {_model(smooth)}. So there"
        " was no fixed cut-off: on a keypoint at rest with a score of 1 the smoother acted as a low-pass filter without"
        f" phase shift that halves the amplitude at {calm} Hz, and where a keypoint moved faster, at a higher"
        f" frequency.",
        _outliers(smooth),
    ]


def _fixed_lag(smooth: SmoothConfig, fps: float) -> list[str]:
    return [
        f"Coordinates were smoothed by a Kalman filter that looked {number(smooth.lag_s)} s ahead and no further,"
        f" {_model(smooth)}.",
        _outliers(smooth),
    ]


def _butterworth(smooth: SmoothConfig, fps: float) -> list[str]:
    share = smooth.cutoff_hz / (math.sqrt(2) - 1) ** (1 / smooth.order) / (fps / 2)
    if share >= 1:
        return [
            f"A Butterworth filter with a cut-off of {number(smooth.cutoff_hz)} Hz was chosen, which at {number(fps)}"
            " frames/s leaves coordinates as they are.",
            _outliers(smooth),
        ]
    return [
        f"Coordinates were low-pass filtered by a Butterworth filter of order {smooth.order} (forward and backward"
        f" passes"
        f" together, without phase shift) with a cut-off of {number(smooth.cutoff_hz)} Hz (−3 dB of both passes"
        f" together)"
        " [@winter].",
        _outliers(smooth),
    ]


def _savgol(smooth: SmoothConfig, fps: float) -> list[str]:
    rows = round(smooth.window_s * fps) // 2 * 2 + 1
    if rows <= 3:
        return [
            f"A Savitzky–Golay filter with a window of {number(smooth.window_s)} s was chosen, which at {number(fps)}"
            " frames/s leaves coordinates as they are.",
            _outliers(smooth),
        ]
    return [
        f"Coordinates were smoothed by a Savitzky–Golay filter [@savgol] of degree 3 with a window of"
        f" {number(smooth.window_s)} s ({rows} frames).",
        _outliers(smooth),
    ]


def _one_euro(smooth: SmoothConfig, fps: float) -> list[str]:
    return [
        "Coordinates were smoothed by the one euro filter [@one_euro], which looks at no later frame, with a least"
        " cut-off"
        f" of {number(smooth.cutoff_hz)} Hz that rose by {number(smooth.beta_len)} Hz for each body length / s, and a"
        f" cut-off of {number(SPEED_HZ)} Hz for the speed.",
        _outliers(smooth),
    ]


def _none(smooth: SmoothConfig, fps: float) -> list[str]:
    return ["Coordinates were not smoothed."]


_KALMAN = ("noise_len", "least_jerk", "gate_sigma")
# By `smooth.method`: what writes the sentences, and the settings that run.json must hold for it.
_FILTERS: dict[str, tuple[Callable[[SmoothConfig, float], list[str]], tuple[str, ...]]] = {
    "kalman": (_kalman, _KALMAN),
    "fixed_lag": (_fixed_lag, (*_KALMAN, "lag_s")),
    "butterworth": (_butterworth, ("cutoff_hz", "order", "gate_sigma")),
    "savgol": (_savgol, ("window_s", "gate_sigma")),
    "one_euro": (_one_euro, ("cutoff_hz", "beta_len", "gate_sigma")),
    "none": (_none, ()),
}


def _gaps(facts: RunFacts) -> list[str]:
    longest, bridge = facts.setting("track", "max_gap_s"), facts.setting("smooth", "bridge_s")
    if longest is None:
        return []
    if facts.setting("smooth", "method") in ("kalman", "fixed_lag") and bridge is not None and bridge < longest:
        return [
            f"Gaps of up to {number(bridge)} s were bridged by the filter, longer ones of up to {number(longest)} s by"
            " straight lines; still longer ones stayed empty."
        ]
    return [f"Gaps of up to {number(longest)} s were bridged by straight lines; longer ones stayed empty."]


def _shares(facts: RunFacts) -> list[str]:
    """How many of the keypoints' positions were bridged, and exchanged, by quality.csv."""
    rows = {
        str(p["person_id"]): (p.get("frames_measured") or 0) + (p.get("frames_interpolated") or 0) for p in facts.people
    }
    shares = []
    for name in ("interpolated_share", "swapped_share"):
        known = [(rows.get(row["person_id"], 0), float(row[name])) for row in facts.quality if row.get(name)]
        total = sum(n for n, _ in known)
        shares.append(sum(n * share for n, share in known) / total if total else None)
    bridged, swapped = shares
    if bridged is None:
        return []
    if not swapped:
        return [f"Of all positions of keypoints, {_percent(bridged)} were bridged."]
    return [
        f"Of all positions of keypoints, {_percent(bridged)} were bridged and {_percent(swapped)} put on the other"
        f" side."
    ]


def _percent(share: float) -> str:
    return "none" if share == 0 else "less than 0.1 %" if share < 0.001 else f"{number(100 * share, 2)} %"
