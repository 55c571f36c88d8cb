"""Coverage on annotated photographs, and the fit of the errors that last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from coverage_angle import angle_errors
from scipy.optimize import minimize
from scipy.stats import t as student

from pipeline.core.config import Config, load_config
from pipeline.core.similarity import iou
from pipeline.core.skeleton import COCO17, mapping
from pipeline.core.types import MEASURED
from pipeline.evaluate.keypoints import KeypointTruth, read_truth
from pipeline.models.registry import Models, build_models
from pipeline.motion.lasting import LASTING, SCORES, USUAL
from pipeline.motion.person import body_length, build_motion
from pipeline.observe.poses import pose_people
from pipeline.video.images import read_image

SAME = 0.5  # IoU of a found and an annotated box from which they are one person
TAILS = 4.0  # degrees of freedom of Student's t, to which errors are fitted
KINDS = [name.removeprefix("left_").removeprefix("right_") for name in COCO17.names]


class Pairs(NamedTuple):
    """P people that were found, beside what annotators say of them, on COCO's 17 points."""

    off_px: np.ndarray  # (P, 17, 2) found less annotated; NaN where one of them is not there
    std_px: np.ndarray  # (P, 17) as the tables have it
    annotators_px: np.ndarray  # (P, 17) standard deviation of an annotator's point, per axis, by COCO's sigmas
    score: np.ndarray  # (P, 17)
    size_px: np.ndarray  # (P,)
    found_px: np.ndarray  # (P, 17, 2)
    jitter_px: np.ndarray  # (P, 17) the part of std_px that changes between frames


def read(folder: Path) -> Pairs:
    """The people of FOLDER/images that detector and pose network find, by the boxes beside the annotated ones."""
    files = sorted(folder.glob("*.json"))
    if len(files) != 1:
        raise SystemExit(f"{folder}: has {len(files)} .json files; give a folder with one COCO file and images/")
    truth, config = read_truth(files[0]), load_config("default")
    models = build_models(config)
    images = {i["id"]: i["file_name"] for i in json.loads(files[0].read_text(encoding="utf-8"))["images"]}
    rows = [row for i, name in images.items() for row in _image(folder / "images" / name, i, truth, models, config)]
    return Pairs(*(np.array(column) for column in zip(*rows, strict=True)))


def _image(file: Path, image_id: int, truth: KeypointTruth, models: Models, config: Config) -> Iterator[tuple]:
    pixels = read_image(file)[None]
    found = pose_people(pixels, np.zeros(1, np.int64), models.detector.detect(pixels), models, config)
    here = [a for a in truth.annotations.values() if a["image_id"] == image_id and a["num_keypoints"]]
    here = [a for a in here if not a["iscrowd"]]
    if not here or not len(found):
        return
    boxes = np.array([a["bbox"] for a in here])
    boxes[:, 2:] += boxes[:, :2]
    same, columns = iou(found.box_px, boxes), mapping(models.skeleton, COCO17)
    while same.max() >= SAME:
        i, j = np.unravel_index(same.argmax(), same.shape)
        same[i], same[:, j] = -1, -1
        motion = build_motion(1, found.take(np.array([i])), np.zeros(1), models.skeleton, config.track, config.smooth)
        said = here[j]["keypoints"].reshape(-1, 3)
        used = (said[:, 2] > 0) & (motion.provenance[0, columns] == MEASURED)
        at = motion.keypoints_px[0, columns].astype(float)
        size = float(body_length(motion.box_px)[0])
        by = np.array(COCO17.sigmas) * np.sqrt(here[j]["area"] / 2)
        off = np.where(used[:, None], at - said[:, :2], np.nan)
        jitter = motion.jitter_px()[0, columns]
        yield off, motion.keypoint_std_px[0, columns], by, motion.keypoint_score[0, columns], size, at, jitter


def photographs(*folders: str) -> Iterator[str]:
    """A row for each folder and kind of joint, and for each kind of angle."""
    yield "| photographs | joints | points | holds | with the annotators' errors by COCO's sigmas | these alone |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for folder in folders:
        pairs = read(Path(folder))
        known = np.isfinite(pairs.off_px[..., 0])
        for kind in ("all", *dict.fromkeys(KINDS)):
            some = known & np.array([kind in ("all", k) for k in KINDS])
            if some.any():
                yield _row(Path(folder).name, kind, pairs, some)
        for kind, (off, std) in errors(pairs).items():
            yield f"| {Path(folder).name} | {kind} | {len(off)} | {100 * (np.abs(off) < 1.96 * std).mean():.1f} % | | |"


def _row(folder: str, kind: str, pairs: Pairs, some: np.ndarray) -> str:
    off, own, by = (values[some] for values in (np.abs(pairs.off_px), pairs.std_px, pairs.annotators_px))
    held = [(off < 1.96 * std[:, None]).mean() for std in (own, np.hypot(own, by), by)]
    return f"| {folder} | {kind} | {some.sum()} | " + " | ".join(f"{100 * h:.1f} %" for h in held) + " |"


def errors(pairs: Pairs, independent: bool = False) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Errors of each kind of angle, and their deviations, in degrees; where these are above 30°, nothing is told.

    ``independent``: deviations as if the points' errors were independent.
    """
    found = angle_errors(pairs.found_px, pairs.found_px - pairs.off_px, pairs.std_px, pairs.jitter_px, independent)
    return {kind: (off[std < 30], std[std < 30]) for kind, (off, std) in found.items()}


def fit(folder: str) -> Iterator[str]:
    """Shares of the body length at the score USUAL by kind of joint, the power of the score, and shares of angles."""
    pairs = read(Path(folder))
    known = np.isfinite(pairs.off_px[..., 0])
    kinds = list(LASTING)
    kind = np.broadcast_to([kinds.index(k) for k in KINDS], known.shape)[known]
    score = np.clip(pairs.score, *SCORES)[known]
    off = np.abs(pairs.off_px / pairs.size_px[:, None, None])[known]

    def share(p: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(p[kind]) * (USUAL / score) ** p[-1])[:, None]

    def cost(p: np.ndarray) -> float:
        near = 2 * np.square(p[:-1] - p[:-1].mean()).sum()  # kinds with few points lean on the others
        return float((np.log(share(p)) - student.logpdf(off / share(p), TAILS)).sum() + near)

    best = minimize(cost, np.append(np.full(len(kinds), -4.0), 1.0), method="L-BFGS-B").x
    wider = np.quantile(off / share(best), 0.95) / 1.96  # so that 95 % of the errors lie within
    yield f"{known.sum()} points, score power {best[-1]:.2f}"
    for name, value in zip(kinds, np.exp(best[:-1]) * wider, strict=True):
        yield f"{name:10} {value:.4f}"
    yield "share of an angle's deviation by independent errors within which, times 1.96, 95 % of the errors lie"
    for kind, (wrong, std) in errors(pairs, independent=True).items():
        yield f"{kind:20} {np.quantile(np.abs(wrong) / std, 0.95) / 1.96:.2f} of {len(std)}"
