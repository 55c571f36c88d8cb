"""Every network poseline can run, in two explicit dicts, and the calls that build them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from pipeline.config import Config, DetectConfig, PoseConfig
from pipeline.errors import PoselineError
from pipeline.models.base import People
from pipeline.models.blazepose import BlazePose
from pipeline.models.combined import Combined
from pipeline.models.movenet import MultiPose, SinglePose
from pipeline.models.nanodet import NanoDet
from pipeline.models.runtime import ASSETS, Device, Session, file_digest, pick_device
from pipeline.skeleton import BLAZEPOSE33, COCO17, Skeleton


class Detector(Protocol):
    """Finds people in images (B, H, W, 3) u8 RGB."""

    sessions: list[Session]

    def detect(self, images: np.ndarray) -> People: ...


class PoseNetwork(Protocol):
    """Estimates the pose of people in images: keypoints (N, K, 2) px, scores (N, K), world (N, K, 3) m or None."""

    sessions: list[Session]

    @property
    def skeleton(self) -> Skeleton: ...

    def estimate(self, images: np.ndarray, people: People) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]: ...


class Entry(NamedTuple):
    """What `poseline models` prints of a network."""

    files: tuple[str, ...]
    skeleton: Skeleton | None
    about: str


ONE_STAGE = "movenet-multipose"
DETECTORS: dict[str, Entry] = {
    "movenet-multipose+nanodet": Entry(
        ("movenet-multipose.onnx", "nanodet.onnx"), COCO17, "both together: cleanest scores, best recall (default)"
    ),
    "movenet-multipose": Entry(("movenet-multipose.onnx",), COCO17, "clean on streets, cost independent of people"),
    "nanodet": Entry(("nanodet.onnx",), None, "people of every size, more false alarms"),
}
POSES: dict[str, Entry] = {
    "movenet-thunder": Entry(("movenet-thunder.onnx",), COCO17, "accurate (default)"),
    "movenet-lightning": Entry(("movenet-lightning.onnx",), COCO17, "4 times cheaper"),
    "blazepose-heavy": Entry(("blazepose-heavy.onnx",), BLAZEPOSE33, "feet, and single-frame 3D"),
    ONE_STAGE: Entry(("movenet-multipose.onnx",), COCO17, "one stage: the detector's own poses"),
}


class Models(NamedTuple):
    """The networks of a run. ``pose`` is None for a one-stage run, whose poses are the detector's."""

    detector: Detector
    pose: PoseNetwork | None
    skeleton: Skeleton
    has_world: bool

    @property
    def sessions(self) -> list[Session]:
        return self.detector.sessions + (self.pose.sessions if self.pose else [])


def _multipose(device: Device, c: DetectConfig) -> MultiPose:
    return MultiPose(device, tuple((s.share, s.least_px, s.most_px) for s in c.multipose_input), c.multipose_score)


def _nanodet(device: Device, c: DetectConfig) -> NanoDet:
    s = c.nanodet_input
    return NanoDet(device, s.share, s.least_px, s.most_px, c.nanodet_score, c.nms_iou)


_BUILD_DETECTOR: dict[str, Callable[[Device, DetectConfig], Detector]] = {
    "movenet-multipose+nanodet": lambda d, c: Combined(_multipose(d, c), _nanodet(d, c)),
    "movenet-multipose": _multipose,
    "nanodet": _nanodet,
}
_BUILD_POSE: dict[str, Callable[[Device, PoseConfig, int], PoseNetwork]] = {
    "movenet-thunder": lambda d, c, batch: SinglePose(d, "movenet-thunder", batch, c.decode == "crop"),
    "movenet-lightning": lambda d, c, batch: SinglePose(d, "movenet-lightning", batch, c.decode == "crop"),
    "blazepose-heavy": lambda d, c, batch: BlazePose(d, batch),
}


def check_names(config: Config) -> None:
    """Raise PoselineError when the config names a network that is not there."""
    for option, name, known in (("detector", config.detect.name, DETECTORS), ("pose", config.pose.name, POSES)):
        if name not in known:
            raise PoselineError(f"--{option} {name}: no such network; choose one of {', '.join(known)}")
    if config.pose.name == ONE_STAGE and config.detect.name == "nanodet":
        raise PoselineError(f"--pose {ONE_STAGE} takes its people from MultiPose: leave out --detector nanodet")
    if config.pose.name == ONE_STAGE and config.observe.detect_every > 1:
        raise PoselineError(f"--pose {ONE_STAGE} has poses where it detects only: set observe.detect_every=1")


def build_models(config: Config) -> Models:
    """Load the networks that the config names. Raises PoselineError for unknown names, missing files, missing CUDA."""
    check_names(config)
    device = pick_device(config.runtime.device, config.runtime.threads)
    if config.pose.name == ONE_STAGE:
        return Models(_multipose(device, config.detect), None, COCO17, False)
    detector = _BUILD_DETECTOR[config.detect.name](device, config.detect)
    pose = _BUILD_POSE[config.pose.name](device, config.pose, config.runtime.batch_people)
    return Models(detector, pose, pose.skeleton, config.pose.name == "blazepose-heavy")


def network_digests(config: Config) -> dict[str, str]:
    """File name: short digest, of every network that a run with this config uses; nothing is loaded."""
    check_names(config)
    one_stage = config.pose.name == ONE_STAGE
    files = POSES[config.pose.name].files + (() if one_stage else DETECTORS[config.detect.name].files)
    return {name: file_digest(ASSETS / name) for name in sorted(set(files))}


def skeleton_of(config: Config) -> Skeleton:
    """The keypoint set that a run with this config produces."""
    check_names(config)
    skeleton = POSES[config.pose.name].skeleton
    assert skeleton is not None
    return skeleton
