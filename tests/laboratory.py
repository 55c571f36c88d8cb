"""The demo clip for tests that run the real networks: a few of its frames at half size, and who stands where in them.

Everything is made once and shared by all test modules.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from pipeline.core.config import Config
from pipeline.core.types import VideoInfo
from pipeline.models.registry import Models, build_models
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video

CLIP = Path(__file__).resolve().parents[1] / "data" / "laboratory.mp4"
FRAMES = (0, 33, 66, 99)
# Boxes of the woman in front, the man who walks and the woman behind, drawn by eye at half size.
BOXES_PX = {
    0: ((11, 158, 90, 368), (101, 98, 187, 282), (189, 120, 212, 221)),
    33: ((14, 158, 108, 367), (88, 112, 184, 283), (188, 120, 212, 220)),
    66: ((0, 155, 93, 367), (90, 117, 187, 288), (188, 120, 212, 220)),
    99: ((3, 156, 95, 368), (51, 111, 201, 307), (189, 120, 212, 220)),
}
FRONT, MAN, BEHIND = range(3)


@cache
def clip() -> VideoInfo:
    return index_video(CLIP)


@cache
def half_size(*frames: int) -> np.ndarray:
    """The frames of the clip (B, 480, 272, 3) u8 RGB, by default ``FRAMES``; not to be written to."""
    info, pictures = clip(), []
    with open_reader(info) as reader:
        for i in frames or FRAMES:
            (batch,) = reader.read(i, i + 1, 1)
            pictures.append(cv2.resize(batch.image[0], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    images = np.stack(pictures)
    images.flags.writeable = False
    return images


def config(**runtime: int) -> Config:
    """The default config, on one CPU thread unless told otherwise."""
    return Config.model_validate({"runtime": {"device": "cpu", "threads": 1, **runtime}})


@cache
def models(**runtime: int) -> Models:
    """The networks of ``config`` with the same arguments, loaded."""
    return build_models(config(**runtime))
