"""poseline eval calibrate: what the scores of a detector and a pose network mean, on annotated pictures.

Calibration error (ECE): pictures are cut into halves, every other one; a calibration fitted on one half is judged on
the other. Each truth that is given has the same weight in a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.evaluate.judged import Judged, both, judged, pictures
from pipeline.models.calibrated import LOWEST
from pipeline.models.calibration import ScoreMap, error, error_by_chance, fitted
from pipeline.models.registry import raw_models, scores_of

LEAST = 20  # judged boxes or keypoints, and right ones among them, from which a calibration is fitted
_WEIGHT = 750.0  # of all boxes or keypoints of a truth together, beside the prior of `pipeline.models.calibration`


def calibrate(
    truths: Sequence[tuple[Path, Path]], config: Config, every: int, say: Callable[[str], None] = lambda line: None
) -> dict[str, dict[str, Any]]:
    """Figures of the config's detector and, where the truths have keypoints, of its pose network, by role.

    ``judged`` boxes or points, the share ``right``; the calibration error of the raw scores (``error_raw``), of the
    calibration that poseline has (``error_known``, None for none) and, on the halves that did not choose them, of those
    fitted here (``error``); ``error_by_chance``: the error that so few would show with the fitted calibration if it
    were the truth; ``probability``: the calibration fitted on everything. ``every``: of how many pictures one is looked
    at. ``say`` is told of truths whose boxes cannot be judged. Raises PoselineError where too little can be judged.
    """
    detector, pose = raw_models(config, LOWEST)
    by_role: dict[str, list[list[Judged]]] = {"detector": [], "pose": []}
    for gt, images in truths:
        found = judged(detector, pose, pictures(gt, images, every), config.pose.turned)
        if found.single:
            say(f"{gt}: names one person in each picture, maybe of several; its keypoints are judged, no boxes")
        by_role["detector"].append(found.boxes)
        by_role["pose"].append(found.points)
    known = scores_of(config)
    out = {role: _figures(sets, known[role]) for role, sets in by_role.items() if _enough(sets)}
    if not out or ("detector" not in out and any(sum(len(part.score) for part in s) for s in by_role["detector"])):
        raise PoselineError(
            f"{truths[0][0]}: fewer than {LEAST} boxes of people were found and judged right; give more pictures, or"
            " check the network (an onnx: file may need detect.layout)"
        )
    return out


def fit(sets: Sequence[Judged]) -> ScoreMap:
    """The calibration of judged scores; each set has the same weight."""
    weight = np.concatenate([np.full(len(part.score), _WEIGHT / max(len(part.score), 1)) for part in sets])
    every = both(list(sets))
    return fitted(every.score, every.right.astype(np.float64), weight)


def _enough(sets: list[list[Judged]]) -> bool:
    every = both([part for parts in sets for part in parts])
    return int(every.right.sum()) >= LEAST


def _figures(sets: list[list[Judged]], known: ScoreMap | None) -> dict[str, Any]:
    sets = [parts for parts in sets if sum(len(part.score) for part in parts)]
    halves = [[both(parts[start::2]) for parts in sets if parts[start::2]] for start in (0, 1)]
    every = both([part for half in halves for part in half])
    stated, right = [], []
    for train, test in (halves, halves[::-1]):
        if train and test:
            unseen = both(test)
            stated.append(fit(train).probability(unseen.score))
            right.append(unseen.right)
    probability = fit([both(parts) for parts in sets])
    return {
        "judged": len(every.score),
        "right": float(every.right.mean()),
        "error_raw": error(every.score, every.right),
        "error_known": error(known.probability(every.score), every.right) if known else None,
        "error": error(np.concatenate(stated), np.concatenate(right)) if stated else float("nan"),
        "error_by_chance": error_by_chance(probability.probability(every.score)),
        "probability": list(probability.probability_at),
    }
