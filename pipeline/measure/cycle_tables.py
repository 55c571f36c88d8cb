"""Strides and repetitions of one person into the run's tables: curves, means and standard deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from pipeline.core.types import Motion
from pipeline.measure.cycles import PERCENT, Cycles, curves, quantities_of
from pipeline.store.cycles_table import CyclesFiles, angles_of

_KNOWN = 0.5  # share of the cycles that must be known at a percent for a mean there


class _Sums:
    """Sums over the cycles of one movement and side."""

    def __init__(self, quantities: int) -> None:
        shape = (quantities, len(PERCENT))
        self.cycles, self.known = 0, np.zeros(shape, np.int64)
        self.first, self.second = np.zeros(shape), np.zeros(shape)

    def add(self, values: np.ndarray) -> None:
        """Add curves (Q, C, 101)."""
        there, values = np.isfinite(values), np.nan_to_num(values.astype(np.float64))
        self.cycles += values.shape[1]
        self.known += there.sum(1)
        self.first += values.sum(1)
        self.second += np.square(values).sum(1)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (Q, 101): NaN where fewer than half of the cycles, or than two, are known."""
        n = self.known
        enough = (n >= _KNOWN * self.cycles) & (n > 0)
        mean = np.where(enough, self.first / np.maximum(n, 1), np.nan)
        square = np.maximum(self.second - np.square(self.first) / np.maximum(n, 1), 0.0)
        return mean, np.where(enough & (n > 1), np.sqrt(square / np.maximum(n - 1, 1)), np.nan)

    def mean_std(self, quantities: Sequence[str]) -> np.ndarray:
        """(A, 101) deviations of the means of the `angles_of` these quantities; NaN where two cycles are not known.

        A mean over n cycles has 1/√n of what differs between them, and all of what lasts of an angle's error.
        """
        at = {name: i for i, name in enumerate(quantities)}
        n, (_, sd), none = np.maximum(self.known, 1), self.result(), np.zeros(len(PERCENT))
        square = self.second / n
        out = []
        for name in angles_of(quantities):
            whole, jitter = (square[at[c]] if (c := f"{name}_{end}") in at else none for end in ("std", "jitter"))
            out.append(np.sqrt(np.square(sd[at[name]]) / n[at[name]] + np.maximum(whole - jitter, 0.0)))
        return np.array(out).reshape(-1, len(PERCENT))


def write_cycles(files: CyclesFiles, motion: Motion, cycles: Cycles, metric: bool) -> None:
    """Write the curves of a person's cycles, and of each movement and side their mean and standard deviation.

    ``metric``: somebody in the run has a scale, so that there are columns in metres.
    """
    quantities = files.begin(quantities_of(tuple(motion.quantities), metric))
    sums: dict[tuple[str, str], _Sums] = {}
    for some, time_s, values in curves(motion, cycles, quantities):
        files.add(motion.person_id, {f.name: getattr(some, f.name) for f in fields(some)}, time_s, values)
        total = sums.setdefault((str(some.movement[0]), str(some.side[0])), _Sums(len(quantities)))
        total.add(values[:, some.in_mean])
    for (movement, side), total in sums.items():
        if total.cycles:
            figures = (*total.result(), total.mean_std(quantities))
            files.add_mean(motion.person_id, movement, side, total.cycles, *figures)
