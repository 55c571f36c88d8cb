"""Whose head is not hidden: heads of annotated photographs that `--blur` would leave to be seen, wholly or in part."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.config import load_config
from pipeline.models.registry import build_models
from pipeline.observe.cadence import PeopleSearch
from pipeline.render.draw.canvas import Canvas
from pipeline.render.privacy import Privacy
from pipeline.render.strays import inside
from pipeline.video.images import read_image

FACE = 5  # of COCO's keypoints: nose, eyes, ears
VISIBLE = 2  # COCO's flag of a keypoint that is seen
SIZES_PX = (0, 80, 160, 10_000)  # of people, the longer side of the box


class Head(NamedTuple):
    """A head that can be seen in a photograph."""

    name: str
    size_px: float  # of the person
    covered: np.ndarray  # (n,) bool, of its labelled points that are visible


def measure(folders: list[Path], config: str, sets: list[str], blur: str, verbose: bool) -> None:
    """Print the share of heads of which a labelled visible point of the face lies outside all regions that are hidden.

    A folder holds ``person_keypoints_*.json`` of COCO's kind, and ``images/``.
    """
    settings = load_config(config, sets)
    models, privacy = build_models(settings), Privacy(blur)
    print(f"{config} {' '.join(sets)}, blur {blur}, {', '.join(folder.name for folder in folders)}")
    for what, faint in (("observations alone", False), ("and where somebody may be", True)):
        heads, hidden = [], []
        for folder in folders:
            for name, some, share in _photographs(folder, PeopleSearch(models, settings), privacy, faint):
                heads += [Head(name, size, covered) for size, covered in some]
                hidden.append(share)
        _print(what, heads, float(np.mean(hidden)))
        if verbose:
            for head in heads:
                if not head.covered.all():
                    print(f"    {head.name}: person of {head.size_px:.0f} px, points covered {head.covered.tolist()}")


def _photographs(folder: Path, search: PeopleSearch, privacy: Privacy, faint: bool):
    """Of each photograph its name, (size, which points are covered) of its heads, and what share is hidden."""
    truth = json.loads(next(folder.glob("person_keypoints_*.json")).read_text(encoding="utf-8"))
    for number, photograph in enumerate(truth["images"]):
        pixels = read_image(folder / "images" / photograph["file_name"])
        search.forget()
        obs = search.look(pixels[None], np.array([number]), np.array([float(number)]))
        shapes = privacy.shapes(obs, search._models.skeleton)
        if faint:
            shapes = np.concatenate([shapes, privacy.faint_shapes(search.faint.of(number))])
        search.faint.cut()
        shapes = shapes[np.isfinite(shapes).all(1)]
        heads = []
        for person in truth["annotations"]:
            points = np.array(person.get("keypoints") or np.zeros(51), float).reshape(-1, 3)[:FACE]
            points = points[points[:, 2] == VISIBLE, :2]
            if person["image_id"] == photograph["id"] and not person.get("iscrowd") and len(points):
                places = np.concatenate([points, points], 1)
                places = np.concatenate([places, np.zeros((len(places), shapes.shape[1] - 4))], 1)
                heads.append((max(person["bbox"][2:]), inside(places, shapes)))
        yield photograph["file_name"], heads, _hidden(pixels, shapes, privacy)


def _hidden(pixels: np.ndarray, shapes: np.ndarray, privacy: Privacy) -> float:
    """The share of a picture that is changed."""
    picture = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
    before = picture.copy()
    privacy.hide(Canvas.of(picture), list(shapes))
    return float((cv2.absdiff(picture, before).max(2) > 0).mean())


def _print(what: str, heads: list[Head], hidden: float) -> None:
    size = np.array([head.size_px for head in heads])
    some = np.array([not head.covered.all() for head in heads])
    every = np.array([not head.covered.any() for head in heads])
    print(f"  {what}: {hidden:.1%} of the pictures hidden")
    for low, high in [(0, SIZES_PX[-1]), *pairwise(SIZES_PX)]:
        rows = (size >= low) & (size < high)
        n = int(rows.sum())
        if n:
            a, b = _interval(int(some[rows].sum()), n)
            print(
                f"    people of {low} to {high} px: {n} heads; not hidden in part {some[rows].mean():.1%}"
                f" ({a:.1%} to {b:.1%}), at all {every[rows].mean():.1%}"
            )


def _interval(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    middle, half = k + z * z / 2, z * np.sqrt(k * (n - k) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)
