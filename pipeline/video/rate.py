"""Times and rates of a file that can be believed, and what its camera says about the time of day."""

from __future__ import annotations

import re
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.core.types import played_fps

MOST_RATE_HZ, MOST_SPAN_S = 1e5, 3.2e8  # more frames a second, or more than ten years, are invalid times


def believable(
    path: Path, rate: Fraction, guessed: Fraction | None, time_s: np.ndarray, seen: bool
) -> tuple[Fraction, list[str]]:
    """The rate that the header says, or that of the usual step where the two are apart; then a line says so.

    Args:
        guessed: FFmpeg's guess.
        seen: the file was indexed by decoding, so that its header knows neither frames nor times.
    """
    steps = np.diff(time_s)
    median_s = float(np.median(steps)) if len(steps) else 0.0
    if not median_s > 0 or (0.5 < rate * median_s < 2 and not seen):
        return rate, []
    usual = played_fps(time_s, rate)
    if seen or usual in (rate, guessed):
        return usual, []
    return usual, [
        f"{path}: has no frame rate of its own (its header says {float(rate):.6g}); {float(usual):.4g} frames/s, from"
        " its usual step, are taken where a rate must be written"
    ]


def times_of(path: Path, pts: np.ndarray, time_base: Fraction, rate: Fraction) -> tuple[np.ndarray, list[str]]:
    """Times (T,) of the frames in s, and a warning where the file's own times make no sense."""
    time_s = pts.astype(np.float64) * time_base.numerator / time_base.denominator
    steps = np.diff(time_s)
    if not len(steps) or (np.median(steps) >= 1 / MOST_RATE_HZ and time_s[-1] - time_s[0] <= MOST_SPAN_S):
        return time_s, []
    usual = rate if 1 <= rate <= 1000 else Fraction(25)
    return np.arange(len(pts)) * usual.denominator / usual.numerator, [
        f"{path}: its times make no sense ({time_s[0]:.6g} to {time_s[-1]:.6g} s); even steps at"
        f" {float(usual):.6g} frames/s are taken"
    ]


def timecode_of(container: av.container.InputContainer, stream: av.VideoStream) -> str:
    """The time code of the first frame, hh:mm:ss:ff (;ff: drop frame); empty where there is none."""
    said = (source.metadata.get("timecode", "") for source in (stream, container, *container.streams))
    return next((text for text in said if re.fullmatch(r"\d\d:\d\d:\d\d[:;.]\d\d\d?", text)), "")


def created_of(container: av.container.InputContainer, stream: av.VideoStream) -> str:
    """When the file was recorded, by the camera's clock, ISO 8601 in whole seconds; empty where it is not said."""
    for source in (container, stream):
        try:
            when = datetime.fromisoformat(source.metadata.get("creation_time", ""))
        except ValueError:
            continue
        return when.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return ""
