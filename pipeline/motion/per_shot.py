"""Motions over several shots: smoothing and 3D see times so far apart between shots that they join nothing."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.core.shots import Shots
from pipeline.core.types import Motion

APART_S = 1000.0  # between shots while motions are made: far above any gap that is bridged


def apart(real_s: np.ndarray, shots: Shots) -> np.ndarray:
    """(T,) s: the times of all frames, with `APART_S` between one shot and the next."""
    return real_s if len(shots) == 1 else real_s + APART_S * shots.of(np.arange(len(real_s)))


def in_time(motion: Motion, real_s: np.ndarray, shots: Shots) -> Motion:
    """The motion, made in the times of `apart`, at its real times (T,)."""
    if len(shots) == 1:
        return motion
    number, doubts = shots.of(motion.frame), []
    for at_s, why in motion.doubts:
        row = int(np.argmin(np.abs(motion.time_s - at_s)))
        doubts.append((at_s - APART_S * float(number[row]), why))
    return dataclasses.replace(motion, time_s=real_s[motion.frame], doubts=tuple(doubts))
