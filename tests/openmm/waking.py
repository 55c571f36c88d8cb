"""Networks of random weights that say something: through such weights alone, signals die out before the last layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch.nn.modules.batchnorm import _BatchNorm


def awake(model: Any, scope: str, call: Callable[[], Any]) -> None:
    """Give all normalisations of a model the statistics of what passes through them in a call of mmdet or mmpose."""
    from mmengine.registry import DefaultScope

    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    for layer in layers:
        layer.momentum = 1.0
        layer.train()
    with DefaultScope.overwrite_default_scope(scope):
        call()
    model.eval()


def keep_above(model: Any, score: float) -> None:
    """Make a detector or one-stage network keep everything above a score."""
    for owner in (model, getattr(model, "bbox_head", None)):
        settings = getattr(owner, "test_cfg", None) or {}
        if "score_thr" in settings:
            settings["score_thr"] = score


def between(scores: list[np.ndarray], count: int) -> float:
    """A threshold that ``count`` of the scores exceed, half way to the next one."""
    ranked = np.sort(np.concatenate(scores))[::-1]
    assert len(ranked) > count
    assert ranked[count - 1] > ranked[count]
    return float(ranked[count - 1] + ranked[count]) / 2


def bgr(image: np.ndarray) -> np.ndarray:
    """As cv2 reads files."""
    return np.ascontiguousarray(image[..., ::-1])
