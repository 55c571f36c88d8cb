"""Who is found: recall and precision of the people of single frames against MOTChallenge boxes, before any tracking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.core.config import load_config
from pipeline.core.similarity import iou
from pipeline.models.registry import build_models
from pipeline.observe.poses import pose_people
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


def measure(clip: Path, gt: Path, every: int, config: str, sets: list[str]) -> None:
    """Print recall and precision at a box IoU of .5, at rising score thresholds, on every Nth frame."""
    settings = load_config(config, sets)
    models, info = build_models(settings), index_video(clip)
    rows = np.loadtxt(gt, delimiter=",")
    rows = rows[rows[:, 6] != 0]  # not scored
    found, right, true = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS)), 0
    with open_reader(info) as reader:
        for frame in range(0, len(info), every):
            image = next(reader.read(frame, frame + 1, 1)).image
            people = pose_people(image, np.array([frame]), models.detector.detect(image), models, settings)
            here = rows[rows[:, 0] == frame + 1]
            corners = np.concatenate([here[:, 2:4] - 1, here[:, 2:4] - 1 + here[:, 4:6]], 1)
            true += len(corners)
            for t, threshold in enumerate(THRESHOLDS):
                boxes = people.box_px[people.score >= threshold]
                overlap = iou(boxes, corners)
                i, j = linear_sum_assignment(np.where(overlap >= 0.5, -overlap, 0))
                found[t] += len(boxes)
                right[t] += int((overlap[i, j] >= 0.5).sum())
    print(f"{clip}: {true} people in {-(-len(info) // every)} frames, {config} {' '.join(sets)}")
    for threshold, f, r in zip(THRESHOLDS, found, right, strict=True):
        print(f"  score ≥ {threshold:.1f}   recall {r / max(true, 1):.2f}   precision {r / max(f, 1):.2f}")
