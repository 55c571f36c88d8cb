"""poseline eval."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pipeline.cli import wanted
from pipeline.cli.options import Given, Option, takes
from pipeline.core.errors import PoselineError
from pipeline.core.progress import Lines


@takes(
    Option("gt", Path, "COCO keypoint annotations.", default=...),
    Option("images", Path, "Folder of the images: run the networks."),
    Option("pred", Path, "COCO keypoint results: score these."),
    Option("gt_boxes", bool, "Give the pose network the true boxes.", default=False),
    f"config set detector pose {wanted.OPTIONS} json debug",
)
def eval_keypoints_command(given: Given) -> None:
    """Accuracy of poses in single pictures: OKS AP and AR as COCO computes them, PCK."""
    from pipeline.evaluate.images import evaluate_images
    from pipeline.evaluate.keypoints import read_truth, score_keypoints
    from pipeline.models.registry import run_facts

    if (given.images is None) == (given.pred is None):
        raise PoselineError("eval keypoints: give either --images DIR, to run the networks, or --pred RESULTS.json")
    if given.images is None:
        given.refuse("gt_boxes config set detector pose", "no networks run where --pred has results")
    for line in read_truth(given.gt).notes:
        Lines().say(line)
    if given.images is not None:
        settings = given.settings()
        wanted.provide(given, settings)
        for line in run_facts(settings).warnings:
            Lines().say(line)
        scores = evaluate_images(given.gt, given.images, settings, given.gt_boxes, Lines().say)
    else:
        scores = score_keypoints(given.gt, given.pred)
    _print_scores(scores, given.json)


@takes(
    Option(
        "gt", list[Path], "COCO keypoint annotations, or MOT's gt.txt. Repeatable, with --images each.", default=...
    ),
    Option("images", list[Path], "Folder of the images, or the video.", default=...),
    Option("every", int, "Of how many pictures one is looked at.", default=1, min=1),
    Option("keep", bool, "Use what is found in every later run with these networks.", default=False),
    f"config set detector pose {wanted.OPTIONS} json debug",
)
def eval_calibrate_command(given: Given) -> None:
    """What networks' scores mean: calibration errors, and the map from scores to probabilities, of boxes and points."""
    from pipeline.evaluate.calibrate import calibrate
    from pipeline.models.registry import keep_scores

    if len(given.gt) != len(given.images):
        raise PoselineError(f"--images: {len(given.gt)} --gt need as many; each truth has its pictures")
    settings = given.settings()
    wanted.provide(given, settings)
    figures = calibrate(list(zip(given.gt, given.images, strict=True)), settings, given.every, Lines().say)
    if given.keep:
        keep_scores(settings, {role: found["probability"] for role, found in figures.items()})
    _print_scores(figures, given.json)


@takes(
    Option("gt", Path, "MOTChallenge ground truth, gt.txt.", default=...),
    Option("pred", Path, "MOTChallenge results, as poseline export --format mot writes.", default=...),
    Option("classes", str, "Rules for the truth's classes: auto, mot15 (none), mot16, mot17, mot20.", default="auto"),
    "json debug",
)
def eval_mot_command(given: Given) -> None:
    """Accuracy of tracked boxes: HOTA, CLEAR MOT and IDF1 over IoU, as TrackEval computes them."""
    from pipeline.evaluate.mot import HARMLESS, benchmark_of, read_mot, score_mot

    truth = read_mot(given.gt)
    rules = benchmark_of(truth, given.classes)
    if HARMLESS[rules]:
        harmless = ", ".join(map(str, HARMLESS[rules]))
        Lines().say(
            f"{given.gt}: classes as {rules.upper()} has them: pedestrians (1) are scored, and predictions on classes"
            f" {harmless} do not count; --classes chooses other rules"
        )
    _print_scores(score_mot(truth, read_mot(given.pred), rules), given.json)


@takes(
    Option("gt", Path, "COCO keypoint annotations with track_id.", default=...),
    Option("pred", Path, "The same of the prediction, as export --format coco writes.", default=...),
    "json debug",
)
def eval_pose_track_command(given: Given) -> None:
    """Accuracy of tracked poses: HOTA, CLEAR MOT and IDF1 over OKS."""
    from pipeline.evaluate.mot import read_pose_tracks, score_pose_tracks

    truth = read_pose_tracks(given.gt)
    for line in truth.coco.notes:
        Lines().say(line)
    _print_scores(score_pose_tracks(truth, read_pose_tracks(given.pred, truth=truth)), given.json)


@takes(
    Option("mocap", Path, "Motion capture, .npz, seen at random."),
    Option("seed", int, "Of the random cameras.", default=0),
    Option("noise", str, "none, or detector: 2D as the networks have it.", default="none"),
    Option("live", bool, "Lift each frame from those before it alone.", default=False),
    Option("pred", Path, "A run folder: score its 3D."),
    Option("gt", Path, "Truth in space, .npz: names, frames, positions."),
    "json debug",
)
def eval_lift_command(given: Given) -> None:
    """Accuracy of 3D: MPJPE, after Procrustes (PA), and velocities, on motion capture or against truth of a video."""
    from pipeline.evaluate.lifting import NOISES, evaluate_embedded
    from pipeline.evaluate.lifting_run import score_run

    if (given.mocap is None) == (given.pred is None) or (given.pred is None) != (given.gt is None):
        raise PoselineError("eval lift: give either --mocap FILE.npz, or --pred RUN and --gt FILE.npz")
    if given.noise not in NOISES:
        raise PoselineError(f"--noise {given.noise}: no such noise; choose {' or '.join(NOISES)}")
    if given.mocap is not None:
        scores = evaluate_embedded(given.mocap, given.seed, given.noise, given.live)
    else:
        given.refuse("seed noise live", "it is for --mocap; the run of --pred is scored as it is")
        scores = score_run(given.pred, given.gt)
    _print_scores(scores, given.json)


def _print_scores(scores: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(_without_nan(scores), allow_nan=False))
        return
    for name, value in scores.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for part, number in value.items():
                print(f"  {part:20} {number}")
            continue
        shown = " … ".join(f"{v:.3f}" for v in value) if isinstance(value, list) else value
        print(f"{name:12} {shown:.3f}" if isinstance(shown, float) else f"{name:12} {shown}")


def _without_nan(value: Any) -> Any:
    """The same with None, JSON's null, for numbers that are not finite: JSON knows no NaN."""
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
