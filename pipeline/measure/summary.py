"""A person's row of people.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.core.types import MEASURED, Motion
from pipeline.store.people_csv import shown


def person_summary(
    motion: Motion,
    mean_step_s: float,
    doubts: Sequence[tuple[float, str]] = (),
    name: str = "",
    figures: Mapping[str, float | str] | None = None,
    further: Sequence[str] = (),
) -> dict[str, Any]:
    """One row of people.csv: when a person was there, how much of that time was measured, and how sure the person is.

    ``doubts`` are the times at which the person may be somebody else, and why; ``name`` is the user's name for them;
    ``figures`` are further columns and ``further`` warnings, as `pipeline.measure.measure` has them.
    """
    seen = motion.state == MEASURED
    span_s = float(motion.time_s[-1] - motion.time_s[0])
    steps = np.diff(motion.time_s[seen])
    gaps = steps[np.diff(motion.frame[seen]) > 1]
    frames = int(motion.frame[-1] - motion.frame[0]) + 1
    coverage = float(seen.sum()) / frames
    low = float(np.mean(motion.score[seen]))
    warnings = []
    if coverage < 0.5:
        warnings.append(f"measured in only {coverage:.0%} of the frames between first and last sighting")
    if low < 0.4:
        warnings.append("low mean score: may be no person, or hardly visible")
    if mean_step_s > 1 / 20:
        warnings.append(f"low frame rate ({1 / mean_step_s:.3g} per second): fast movements are under-sampled")
    return {
        "person_id": motion.person_id,
        "name": name,
        "first_time_s": round(float(motion.time_s[0]), 6),
        "last_time_s": round(float(motion.time_s[-1]), 6),
        "duration_s": round(span_s, 6),
        "frames_measured": int(seen.sum()),
        "frames_interpolated": int((~seen).sum()),
        "coverage": round(coverage, 4),
        "gaps": len(gaps),
        "longest_gap_s": round(float(gaps.max()), 6) if len(gaps) else 0.0,
        "mean_score": round(low, 4),
        "suspicious": "; ".join(f"{t:.2f} s: {what}" for t, what in doubts),
        **{key: shown(value) for key, value in (figures or {}).items()},
        "warnings": "; ".join([*warnings, *further]),
    }


def also_warned(rows: Sequence[Mapping[str, Any]], further: Mapping[int, str]) -> list[dict[str, Any]]:
    """The rows with further warnings, by person."""
    joined = ("; ".join(filter(None, (row["warnings"], further.get(row["person_id"], "")))) for row in rows)
    return [{**row, "warnings": warnings} for row, warnings in zip(rows, joined, strict=True)]
