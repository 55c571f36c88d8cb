"""poseline eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import ConfigOption, DebugOption, DetectorOption, JsonOption, PoseOption, SetOption, config_of
from pipeline.core.errors import PoselineError


def eval_keypoints_command(
    gt: Annotated[Path, typer.Option("--gt", help="COCO keypoint annotations.")],
    images: Annotated[Path | None, typer.Option("--images", help="Folder of the images: run the networks.")] = None,
    pred: Annotated[Path | None, typer.Option("--pred", help="COCO keypoint results: score these.")] = None,
    gt_boxes: Annotated[bool, typer.Option("--gt-boxes", help="Give the pose network the true boxes.")] = False,
    config: ConfigOption = "default",
    sets: SetOption = None,
    detector: DetectorOption = None,
    pose: PoseOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy of poses in single pictures: OKS AP and AR as COCO computes them, PCK."""
    from pipeline.evaluate.images import evaluate_images
    from pipeline.evaluate.keypoints import score_keypoints

    if (images is None) == (pred is None):
        raise PoselineError("eval keypoints: give either --images DIR, to run the networks, or --pred RESULTS.json")
    if images is not None:
        settings = config_of(config, sets, detector=("detect.name", detector), pose=("pose.name", pose))
        scores = evaluate_images(gt, images, settings, gt_boxes)
    else:
        assert pred is not None
        scores = score_keypoints(gt, pred)
    _print_scores(scores, as_json)


def eval_mot_command(
    gt: Annotated[Path, typer.Option("--gt", help="MOTChallenge ground truth, gt.txt.")],
    pred: Annotated[Path, typer.Option("--pred", help="MOTChallenge results, as poseline export --format mot writes.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy of tracked boxes: HOTA, CLEAR MOT and IDF1 over IoU, as TrackEval computes them."""
    from pipeline.evaluate.mot import read_mot, score_mot

    _print_scores(score_mot(read_mot(gt), read_mot(pred)), as_json)


def eval_pose_track_command(
    gt: Annotated[Path, typer.Option("--gt", help="COCO keypoint annotations with track_id.")],
    pred: Annotated[Path, typer.Option("--pred", help="The same of the prediction, as export --format coco writes.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy of tracked poses: HOTA, CLEAR MOT and IDF1 over OKS."""
    from pipeline.evaluate.mot import read_pose_tracks, score_pose_tracks

    truth = read_pose_tracks(gt)
    _print_scores(score_pose_tracks(truth, read_pose_tracks(pred, truth=truth)), as_json)


def eval_lift_command(
    mocap: Annotated[Path | None, typer.Option("--mocap", help="Motion capture, .npz, seen at random.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the random cameras.")] = 0,
    noise: Annotated[str, typer.Option("--noise", help="none, or detector: 2D as the networks have it.")] = "none",
    live: Annotated[bool, typer.Option("--live", help="Lift each frame from those before it alone.")] = False,
    pred: Annotated[Path | None, typer.Option("--pred", help="A run folder: score its 3D.")] = None,
    gt: Annotated[Path | None, typer.Option("--gt", help="Truth in space, .npz: names, frames, positions.")] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accuracy of 3D: MPJPE, after Procrustes (PA), and velocities, on motion capture or against truth of a video."""
    from pipeline.evaluate.lifting import NOISES, evaluate_embedded
    from pipeline.evaluate.lifting_run import score_run

    if (mocap is None) == (pred is None) or (pred is None) != (gt is None):
        raise PoselineError("eval lift: give either --mocap FILE.npz, or --pred RUN and --gt FILE.npz")
    if noise not in NOISES:
        raise PoselineError(f"--noise {noise}: no such noise; choose {' or '.join(NOISES)}")
    if mocap is not None:
        _print_scores(evaluate_embedded(mocap, seed, noise, live), as_json)
        return
    assert pred is not None
    assert gt is not None
    _print_scores(score_run(pred, gt), as_json)


def _print_scores(scores: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(scores))
        return
    for name, value in scores.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for part, number in value.items():
                print(f"  {part:20} {number}")
            continue
        shown = " … ".join(f"{v:.3f}" for v in value) if isinstance(value, list) else value
        print(f"{name:12} {shown:.3f}" if isinstance(shown, float) else f"{name:12} {shown}")
