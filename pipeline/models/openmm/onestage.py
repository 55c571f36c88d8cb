"""mmpose's one-stage and bottom-up networks: people and their poses together from the whole picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.models.detections import Detections
from pipeline.models.openmm.inference import Stopwatch, bgr, inference, pipeline_of
from pipeline.models.openmm.load import Loaded
from pipeline.models.openmm.meta import skeleton

BATCHED = ("RTMOHead", "YOLOXPoseHead")  # heads that take several pictures at once
MIRRORED = ("AssociativeEmbeddingHead",)  # heads of mmpose 1.3 that fail without the flip test
SEEN = 0.05  # keypoint score from which a point counts for a box drawn around points
MARGIN = 0.1  # of the points' extent, on each side of such a box


class OneStage:
    """RTMO, YOLOX-Pose, associative embedding, CID, DEKR. People are those of `mmpose.apis.inference_bottomup`."""

    def __init__(self, loaded: Loaded, flip_test: bool, score: float):
        self.loaded, self.score = loaded, score
        self.skeleton = skeleton(loaded.meta)
        self.sessions = [Stopwatch()]
        head = loaded.config.model.head.type
        loaded.model.test_cfg["flip_test"] = flip_test or head in MIRRORED
        if "score_thr" in loaded.model.test_cfg:
            loaded.model.test_cfg["score_thr"] = max(float(loaded.model.test_cfg["score_thr"]), score)
        _, self.prepare = pipeline_of(loaded, "mmpose")
        self.batched = head in BATCHED

    def detect(self, images: np.ndarray) -> Detections:
        """People with poses in images (B, H, W, 3) u8 RGB."""
        from mmengine.dataset import pseudo_collate

        size = len(images) if self.batched else 1
        parts = []
        for start in range(0, len(images), size):
            group = images[start : start + size]
            batch = pseudo_collate([self.prepare({"img": bgr(image), **self.loaded.meta}) for image in group])
            with inference(self.loaded, "mmpose", self.sessions[0]):
                results = self.loaded.model.test_step(batch)
            parts += [self._people(i, result.pred_instances) for i, result in enumerate(results, start)]
        found = Detections.concat(parts) if parts else Detections.empty(len(self.skeleton))
        return found.clipped(*images.shape[1:3])

    def _people(self, image: int, found: Any) -> Detections:
        """The people of one picture, best first."""
        k = len(self.skeleton)
        keypoints = _array(found.keypoints)[..., :2].reshape(-1, k, 2)
        seen = np.nan_to_num(_array(found.keypoint_scores)).reshape(-1, k).clip(0, 1)
        score = _array(found.bbox_scores).reshape(-1) if "bbox_scores" in found else seen.mean(1)
        box = _array(found.bboxes).reshape(-1, 4) if "bboxes" in found else around(keypoints, seen)
        order = np.argsort(-score, kind="stable")
        order = order[(score[order] >= self.score) & np.isfinite(keypoints[order]).all((1, 2))]
        score = score[order].clip(0, 1).astype(np.float32)
        return Detections(np.full(len(order), image), box[order], score, keypoints[order], seen[order])


def around(keypoints: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) f32 around the points (N, K, 2) that are seen, with a margin; around all where no point is seen."""
    seen = (score >= SEEN) | ~(score >= SEEN).any(1, keepdims=True)
    low = np.where(seen[..., None], keypoints, np.inf).min(1)
    high = np.where(seen[..., None], keypoints, -np.inf).max(1)
    margin = MARGIN * (high - low)
    return np.concatenate([low - margin, high + margin], 1).astype(np.float32)


def _array(values: Any) -> np.ndarray:
    """A tensor or an array as f32."""
    values = values.float().cpu().numpy() if hasattr(values, "cpu") else values
    return np.asarray(values, np.float32)
