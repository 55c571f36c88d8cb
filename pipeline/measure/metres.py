"""Columns in metres that are others in px over a scale, worked out when they are asked for: they take no memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

ENDS = {"_speed_px_s": "_speed_m_s", "_acceleration_px_s2": "_acceleration_m_s2", "_speed_px_s_std": "_speed_m_s_std"}


class InMetres(Mapping[str, np.ndarray]):
    """Columns (L,) f32 by name, and behind each speed and acceleration in px the same in metres.

    Args:
        stored: the columns in px, and any others.
        px_per_m: the scale.
    """

    def __init__(self, stored: Mapping[str, np.ndarray], px_per_m: float) -> None:
        self._stored, self._px_per_m = stored, np.float32(px_per_m)
        self._source = {metric: name for name in stored if (metric := metric_name(name))}

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._stored:
            return self._stored[name]
        return self._stored[self._source[name]] / self._px_per_m

    def __iter__(self) -> Iterator[str]:
        for name in self._stored:
            yield name
            if metric := metric_name(name):
                yield metric

    def __len__(self) -> int:
        return len(self._stored) + len(self._source)


def metric_name(name: str) -> str:
    """The name of a column in px when it is in metres; empty where there is none."""
    return next((name.removesuffix(px) + m for px, m in ENDS.items() if name.endswith(px)), "")
