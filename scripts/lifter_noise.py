"""Errors of the pose network on annotated photographs: python scripts/lifter_noise.py ANNOTATIONS.json IMAGES [...]

Of the visible points of people whose longer side is at least LEAST_PX, given their true boxes: by kind of point the
spread per axis as a share of the box's longer side, robust (the 68th percentile of the distances over 1.515, the same
of a normal distribution in a plane), the share astray by more than ASTRAY, and the median score. The annotations' own
errors are in it. The noise of `pipeline.evaluate.cameras` comes from this.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.core.config import load_config
from pipeline.core.skeleton import COCO17, mapping
from pipeline.models.detections import Detections
from pipeline.models.registry import build_models
from pipeline.observe.poses import pose_people
from pipeline.video.images import read_image

LEAST_PX, VISIBLE, ASTRAY = 96, 2, 0.1
OF_68 = 1.515  # 68th percentile of the length of a standard normal vector in a plane


def errors(annotations: Path, images: Path) -> tuple[np.ndarray, np.ndarray]:
    """(n, 17, 2) errors as shares of the box's longer side, NaN where not visible, and (n, 17) scores."""
    config = load_config(sets=["pose.duplicate_oks=1.0", "pose.min_score=0.0"])
    models = build_models(config)
    columns = mapping(models.skeleton, COCO17)
    data = json.loads(annotations.read_text(encoding="utf-8"))
    off, scores = [], []
    for image in data["images"]:
        here = [a for a in data["annotations"] if a["image_id"] == image["id"] and not a["iscrowd"]]
        here = [a for a in here if a["num_keypoints"] and max(a["bbox"][2:]) >= LEAST_PX and min(a["bbox"][2:]) > 0]
        if not here:
            continue
        corners = np.array([a["bbox"] for a in here], np.float32)
        corners[:, 2:] += corners[:, :2]
        pixels = read_image(images / image["file_name"])[None]
        people = Detections.from_boxes(np.zeros(len(here)), corners, np.ones(len(here)))
        found = pose_people(pixels, np.zeros(1, np.int64), people, models, config)
        for px, score in zip(found.keypoints_px[:, columns], found.keypoint_score[:, columns], strict=True):
            truths = [np.array(a["keypoints"], float).reshape(-1, 3) for a in here]
            apart = [np.nanmedian(np.where(t[:, 2] > 0, np.linalg.norm(px - t[:, :2], axis=1), np.nan)) for t in truths]
            best = int(np.argmin(apart))
            truth, size = truths[best], max(here[best]["bbox"][2:])
            off.append(np.where(truth[:, 2:] == VISIBLE, (px - truth[:, :2]) / size, np.nan))
            scores.append(score)
    return np.array(off), np.array(scores)


def main() -> None:
    pairs = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    parts = [errors(Path(annotations), Path(images)) for annotations, images in pairs]
    off, score = (np.concatenate(values) for values in zip(*parts, strict=True))
    print("kind        n  spread  astray  score  spread of scores .3-.6, .6-.8, .8-1")
    for kind in ("nose", "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        at = [i for i, name in enumerate(COCO17.names) if name.endswith(kind)]
        far, said = np.linalg.norm(off[:, at], axis=-1).ravel(), score[:, at].ravel()
        known = np.isfinite(far)
        bands = [known & (said >= low) & (said < high) for low, high in ((0.3, 0.6), (0.6, 0.8), (0.8, 1.01))]
        by_score = [f"{np.quantile(far[b], 0.68) / OF_68:.4f} ({b.sum()})" if b.sum() > 9 else "-" for b in bands]
        spread = np.quantile(far[known], 0.68) / OF_68
        row = f"{kind:10} {known.sum():3}  {spread:.4f}  {(far[known] > ASTRAY).mean():.3f}"
        print(f"{row}   {np.median(said[known]):.2f}", *by_score)


if __name__ == "__main__":
    main()
