"""The share of keypoints within a fifth of the torso, or of the box, of where they are (Yang and Ramanan 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.core.skeleton import COCO17

PCK_FRACTION = 0.2  # of the torso


def _torso_px(points: np.ndarray, names: Sequence[str]) -> float:
    """The longer labelled diagonal between a shoulder and the opposite hip; 0 where none is labelled."""
    lengths = [0.0]
    for shoulder, hip in (("left_shoulder", "right_hip"), ("right_shoulder", "left_hip")):
        a, b = points[names.index(shoulder)], points[names.index(hip)]
        if a[2] > 0 and b[2] > 0:
            lengths.append(float(np.hypot(*(a - b)[:2])))
    return max(lengths)


def pck(
    evaluator: Any, category: dict[str, Any], annotations: dict[int, dict[str, Any]], found: dict[int, dict[str, Any]]
) -> float:
    """PCK@0.2 over the people matched at OKS ≥ .5; see `pipeline.evaluate.keypoints.score_keypoints`."""
    count = len(next(iter(annotations.values()), {}).get("keypoints", ())) // 3
    names = list(category.get("keypoints") or (COCO17.names if count == len(COCO17) else ()))
    has_torso = {"left_shoulder", "right_shoulder", "left_hip", "right_hip"} <= set(names)
    right = labelled = 0
    for entry in evaluator.evalImgs[: len(evaluator.params.imgIds)]:
        if entry is None:
            continue
        for found_id, truth_id, ignored in zip(
            entry["dtIds"], entry["dtMatches"][0], entry["dtIgnore"][0], strict=True
        ):
            if not truth_id or ignored:
                continue
            person = annotations[int(truth_id)]
            points = person["keypoints"].reshape(-1, 3)
            reach = PCK_FRACTION * (_torso_px(points, names) if has_torso else max(person["bbox"][2:]))
            seen = points[:, 2] > 0
            if reach == 0:
                continue
            gap = np.hypot(*(found[found_id]["keypoints"].reshape(-1, 3) - points)[seen, :2].T)
            right, labelled = right + int((gap <= reach).sum()), labelled + int(seen.sum())
    return right / labelled if labelled else float("nan")
