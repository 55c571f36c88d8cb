"""mmdet's detectors: boxes of the wanted classes, in batches through the model's own forward."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17
from pipeline.models.detections import Detections, class_rows
from pipeline.models.openmm.inference import Stopwatch, bgr, inference, pipeline_of
from pipeline.models.openmm.load import Loaded


class MMDetector:
    """Any detector of mmdet. Boxes are those of `mmdet.apis.inference_detector`."""

    skeleton = COCO17

    def __init__(self, loaded: Loaded, classes: tuple[str, ...], score: float):
        self.loaded, self.score = loaded, score
        self.labels = class_rows(classes, _classes(loaded, classes), loaded.config.model.type)
        self.sessions = [Stopwatch()]
        _raise_threshold(loaded.model, score)
        _, self.prepare = pipeline_of(loaded, "mmdet")

    def detect(self, images: np.ndarray) -> Detections:
        """People, or whatever the classes are, in images (B, H, W, 3) u8 RGB."""
        from mmengine.dataset import pseudo_collate

        batch = pseudo_collate([self.prepare({"img": bgr(image), "img_id": 0}) for image in images])
        with inference(self.loaded, "mmdet", self.sessions[0]):
            results = self.loaded.model.test_step(batch)
        parts = []
        for i, result in enumerate(results):
            found = result.pred_instances
            score = found.scores.float().cpu().numpy()
            keep = np.isin(found.labels.cpu().numpy(), self.labels) & (score > self.score)
            box = found.bboxes.float().cpu().numpy()[keep]
            parts.append(Detections.from_boxes(np.full(len(box), i), box, score[keep]))
        return Detections.concat(parts).clipped(*images.shape[1:3])


def _classes(loaded: Loaded, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a detector's classes; a detector with a single unnamed class finds the first wanted class."""
    told = loaded.meta.get("classes") or ()
    known = (told,) if isinstance(told, str) else tuple(str(name) for name in told)
    if known:
        return known
    number = getattr(getattr(loaded.model, "bbox_head", None), "num_classes", None)
    if number != 1:
        raise PoselineError(
            f"--detector mmdet:…: {loaded.config.model.type} does not say what its classes are; give a "
            "checkpoint with dataset_meta, or a config whose test data set has metainfo.classes"
        )
    return wanted[:1]


def _raise_threshold(model: Any, score: float) -> None:
    """Drop boxes of low score before suppression compares all boxes, which takes most of the time on noisy pictures.

    Suppression goes from the best box down, so that weaker boxes never change what happens to better ones.
    """
    for owner in (model, getattr(model, "bbox_head", None), *_roi_heads(model)):
        settings = getattr(owner, "test_cfg", None)
        for node in (settings, (settings or {}).get("rcnn")):
            if node is not None and "score_thr" in node and _is_hard(node.get("nms")):
                node["score_thr"] = max(float(node["score_thr"]), score)


def _roi_heads(model: Any) -> list[Any]:
    head = getattr(model, "roi_head", None)
    return [] if head is None else [head]


def _is_hard(nms: Any) -> bool:
    """Whether suppression drops boxes rather than lowering their scores."""
    return nms is not None and nms.get("type", "nms") == "nms"
