"""One contestant of `bench.py peers`, in a process of its own: prints one JSON line with what it took.

python bench_peers_worker.py NAME FOLDER CLIP PEOPLE      see CONTESTANTS
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench_peers_networks import NMS_IOU, SCORE

BEGAN = float(os.environ.get("BENCH_BEGAN", time.time()))  # when this process was started


class Told:
    """What a contestant took: frames and the poses in them, seconds without loading, seconds to its first poses."""

    def __init__(self) -> None:
        self.frames = self.people = 0
        self.load_s = self.first_s = self.seconds = 0.0

    def loading(self, start: float) -> None:
        """The networks are there; they began to load at ``start``."""
        self.load_s += time.perf_counter() - start

    def posed(self, people: int) -> None:
        """Poses of so many people are there."""
        self.first_s = self.first_s or time.time() - BEGAN
        self.people += people

    def ended(self, start: float) -> Told:
        """Everything is done that began at ``start``; loading is not counted where it lay in between."""
        self.seconds = time.perf_counter() - start
        return self


def inferencer(folder: Path, clip: Path, people: int) -> Told:
    """MMPose's own: MMPoseInferencer on the video, without drawing, at its defaults but for the thresholds."""
    from pipeline.models.openmm import compat

    compat.ensure()
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # it knows no other way; the file is our own
    from mmpose.apis import MMPoseInferencer

    told, start = Told(), time.perf_counter()
    ask = MMPoseInferencer(
        pose2d=str(folder / "pose.py"),
        pose2d_weights=str(folder / "pose.pth"),
        det_model=str(folder / "det.py"),
        det_weights=str(folder / "det.pth"),
        det_cat_ids=[0],
        device="cpu",
    )
    told.loading(start)
    start = time.perf_counter()
    for result in ask(str(clip), bbox_thr=SCORE, nms_thr=NMS_IOU):
        told.frames += 1
        told.posed(len(result["predictions"][0]))
    return told.ended(start)


def rtmlib(folder: Path, clip: Path, people: int) -> Told:
    """rtmlib's PoseTracker on ONNX Runtime, at its defaults."""
    import cv2
    from rtmlib import Custom, PoseTracker

    told, start = Told(), time.perf_counter()
    solution = partial(
        Custom,
        det_class="RTMDet",
        det=str(folder / "det.onnx"),
        det_input_size=(320, 320),
        pose_class="RTMPose",
        pose=str(folder / "pose.onnx"),
        pose_input_size=(192, 256),
    )
    ask = PoseTracker(solution, backend="onnxruntime", device="cpu")
    told.loading(start)
    capture, start = cv2.VideoCapture(str(clip)), time.perf_counter()
    while True:
        good, image = capture.read()
        if not good:
            break
        keypoints, _ = ask(image)
        told.frames += 1
        told.posed(len(keypoints))
    return told.ended(start)


def sports2d(folder: Path, clip: Path, people: int) -> Told:
    """Sports2D with the same files: poses, tracking, filtering, angles, tables; no drawing, no metres.

    Its thresholds are 0, since random weights are never sure, and it detects on every frame as the others do.
    """
    os.environ["MPLBACKEND"] = "agg"
    import Sports2D.process as story
    from Pose2Sim import poseEstimation as estimation  # noqa: N813
    from Sports2D import Sports2D

    told, plain = Told(), estimation.setup_pose_tracker

    def build(*args: Any, **named: Any) -> Any:
        start = time.perf_counter()
        tracker = plain(*args, **named)
        told.loading(start)

        def ask(image: Any) -> Any:
            keypoints, scores = tracker(image)
            told.frames += 1
            told.posed(len(keypoints))
            return keypoints, scores

        return ask

    story.setup_pose_tracker = build
    mode = {"det_class": "RTMDet", "det_model": str(folder / "det.onnx"), "det_input_size": [320, 320]}
    mode |= {"pose_class": "RTMPose", "pose_model": str(folder / "pose.onnx"), "pose_input_size": [192, 256]}
    switches = ("show_realtime_results", "save_vid", "save_img")
    with tempfile.TemporaryDirectory() as out:
        base = {"video_input": clip.name, "video_dir": str(clip.parent), "result_dir": out}
        base |= {"person_ordering_method": "highest_likelihood", **dict.fromkeys(switches, False)}
        pose = {"pose_model": "Body", "mode": repr(mode), "det_frequency": 1, "device": "cpu", "backend": "onnxruntime"}
        pose |= {f"{name}_threshold": 0.0 for name in ("keypoint_likelihood", "average_likelihood", "keypoint_number")}
        metres = {"to_meters": False, "make_c3d": False, "save_calib": False}
        graphs = {"show_graphs": False, "save_graphs": False}
        start = time.perf_counter()
        Sports2D.process({"base": base, "pose": pose, "px_to_meters_conversion": metres, "post-processing": graphs})
        told.ended(start + told.load_s)
    return told


def ultralytics(folder: Path, clip: Path, people: int) -> Told:
    """ultralytics' track with a pose network of its own, random weights: so many boxes a frame, of any score."""
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(folder)}
    import torch
    from ultralytics import YOLO, settings

    settings.update({"sync": False})
    torch.manual_seed(0)
    told, start = Told(), time.perf_counter()
    network = YOLO("yolo11n-pose.yaml")
    told.loading(start)
    start = time.perf_counter()
    asked = {"stream": True, "conf": 1e-9, "iou": 1.0, "max_det": people, "device": "cpu", "verbose": False}
    for result in network.track(str(clip), tracker="bytetrack.yaml", save=False, **asked):
        told.frames += 1
        told.posed(len(result.boxes))
    return told.ended(start)


def poseline(folder: Path, clip: Path, detector: str, pose: str) -> Told:
    """poseline run --no-render: decoding, networks, identities, smoothing, lifting, tables."""
    from importlib import import_module
    from unittest import mock

    from pipeline.core.config import load_config

    story, work, told = import_module("pipeline.workflow"), import_module("pipeline.engines.work"), Told()
    plain = work.build_models

    def build(config: Any) -> Any:
        start = time.perf_counter()
        models = plain(config)
        estimate = models.pose.estimate

        def counted(images: Any, people: Any) -> Any:
            poses = estimate(images, people)
            told.posed(len(people))
            return poses

        models.pose.estimate = counted
        told.loading(start)
        return models

    sets = [f"detect.name={detector}", f"pose.name={pose}", f"detect.score={SCORE}", f"detect.nms_iou={NMS_IOU}"]
    config = load_config("default", sets)
    story.run_facts(config)  # the peers have read their configs by now, too
    with tempfile.TemporaryDirectory() as out, mock.patch.object(work, "build_models", build):
        start = time.perf_counter()
        made = story.run([str(clip)], out, config, render=False, report=False)[0]
        told.ended(start + told.load_s)
        low, high = made.manifest()["frames_observed"]
    told.frames = high - low
    return told


def poseline_torch(folder: Path, clip: Path, people: int) -> Told:
    """poseline with the same configs and checkpoints, in torch."""
    names = (f"mmdet:{folder}/det.py@{folder}/det.pth", f"mmpose:{folder}/pose.py@{folder}/pose.pth")
    return poseline(folder, clip, *names)


def poseline_onnx(folder: Path, clip: Path, people: int) -> Told:
    """poseline with the ONNX files that rtmlib runs."""
    return poseline(folder, clip, f"onnx:{folder}/det.onnx", f"onnx:{folder}/pose.onnx")


CONTESTANTS: dict[str, Callable[[Path, Path, int], Told]] = {
    "MMPoseInferencer": inferencer,
    "poseline torch": poseline_torch,
    "rtmlib PoseTracker": rtmlib,
    "Sports2D": sports2d,
    "poseline onnx": poseline_onnx,
    "ultralytics track": ultralytics,
}

if __name__ == "__main__":
    name, where, video, count = sys.argv[1:]
    print("RESULT " + json.dumps(vars(CONTESTANTS[name](Path(where), Path(video), int(count)))), flush=True)
