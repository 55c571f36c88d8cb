"""Every network poseline can run: the embedded ones in two explicit dicts, families of files behind a prefix."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import numpy as np

from pipeline.config import Config, DetectConfig
from pipeline.errors import PoselineError
from pipeline.lift.joints import liftable
from pipeline.lift.lifter import PoselineLifter
from pipeline.lift.network import FILE as LIFTER_FILE
from pipeline.lift.network import HEIGHT_M
from pipeline.models import reid
from pipeline.models.base import People, Poses
from pipeline.models.blazepose import BlazePose
from pipeline.models.combined import Combined
from pipeline.models.movenet import MultiPose, SinglePose
from pipeline.models.nanodet import NanoDet
from pipeline.models.reid import ReId
from pipeline.models.runtime import ASSETS, Device, file_digest, pick_device
from pipeline.models.wholebody import WholeBody
from pipeline.models.wholebody_sets import FACE68, HANDS42, WHOLEBODY133
from pipeline.motion.lift import Lifter
from pipeline.skeleton import BLAZEPOSE33, COCO17, Skeleton


class Timed(Protocol):
    """A network that knows how long it has run."""

    seconds: float
    calls: int


class Detector(Protocol):
    """Finds people in images (B, H, W, 3) u8 RGB. Its people have keypoints of ``skeleton``, if it knows any."""

    @property
    def sessions(self) -> list[Any]: ...  # of Timed

    @property
    def skeleton(self) -> Skeleton: ...

    def detect(self, images: np.ndarray) -> People: ...


class PoseNetwork(Protocol):
    """Estimates the pose of people in images (B, H, W, 3) u8 RGB; ``people`` bring boxes, and COCO-17 if known."""

    @property
    def sessions(self) -> list[Any]: ...  # of Timed

    @property
    def skeleton(self) -> Skeleton: ...

    def estimate(self, images: np.ndarray, people: People) -> Poses: ...


class Entry(NamedTuple):
    """An embedded network. ``build`` is None for a one-stage network, whose poses are the detector's."""

    files: tuple[str, ...]
    skeleton: Skeleton
    about: str
    build: Callable[[Device, Config], Any] | None
    has_world: bool = False
    seconded: bool = False  # its body, the COCO-17 points in front, gains from the detector's own pose


class Facts(NamedTuple):
    """What is known of a network before it is loaded."""

    digests: dict[str, str]  # name: digest of all that decides its numbers
    skeleton: Skeleton
    one_stage: bool = False  # finds people and poses together
    has_world: bool = False
    warnings: tuple[str, ...] = ()


def _multipose(device: Device, config: Config) -> MultiPose:
    c: DetectConfig = config.detect
    return MultiPose(device, tuple((s.share, s.least_px, s.most_px) for s in c.multipose_input), c.multipose_score)


def _nanodet(device: Device, config: Config) -> NanoDet:
    c = config.detect
    s = c.nanodet_input
    return NanoDet(device, s.share, s.least_px, s.most_px, c.nanodet_score, c.nms_iou, c.classes)


def _combined(device: Device, config: Config) -> Combined:
    return Combined(_multipose(device, config), _nanodet(device, config))


def _single(name: str) -> Callable[[Device, Config], SinglePose]:
    return lambda device, c: SinglePose(device, name, c.runtime.batch_people, c.pose.decode == "crop")


def _part(name: str) -> Callable[[Device, Config], WholeBody]:
    return lambda device, c: WholeBody(device, c.runtime.batch_people, name, c.pose.decode == "crop")


ONE_STAGE = "movenet-multipose"
_BODY_FILES = ("movenet-thunder.onnx", "blazepose-heavy.onnx")  # of whole bodies
_HAND_FILES, _FACE_FILES = ("handlandmark-full.onnx",), ("facemesh.onnx",)
MOVENET_NANODET = ("movenet-multipose.onnx", "nanodet.onnx")
DETECTORS: dict[str, Entry] = {
    "movenet-multipose+nanodet": Entry(
        MOVENET_NANODET, COCO17, "both together: cleanest scores, best recall (default)", _combined
    ),
    "movenet-multipose": Entry(
        ("movenet-multipose.onnx",), COCO17, "clean on streets, cost independent of people", _multipose
    ),
    "nanodet": Entry(("nanodet.onnx",), COCO17, "people of every size, more false alarms; --classes", _nanodet),
}
POSES: dict[str, Entry] = {
    "movenet-thunder": Entry(
        ("movenet-thunder.onnx",), COCO17, "accurate (default)", _single("movenet-thunder"), seconded=True
    ),
    "movenet-lightning": Entry(
        ("movenet-lightning.onnx",), COCO17, "4 times cheaper", _single("movenet-lightning"), seconded=True
    ),
    "blazepose-heavy": Entry(
        ("blazepose-heavy.onnx",),
        BLAZEPOSE33,
        "feet, and single-frame 3D",
        lambda device, c: BlazePose(device, c.runtime.batch_people),
        has_world=True,
    ),
    "wholebody": Entry(
        (*_BODY_FILES, *_HAND_FILES, *_FACE_FILES),
        WHOLEBODY133,
        "body, feet, face and hands",
        _part("wholebody"),
        seconded=True,
    ),
    "hands": Entry((*_BODY_FILES, *_HAND_FILES), HANDS42, "both hands, 21 keypoints each", _part("hands")),
    "face": Entry((*_BODY_FILES, *_FACE_FILES), FACE68, "the face", _part("face")),
    ONE_STAGE: Entry(("movenet-multipose.onnx",), COCO17, "one stage: the detector's own poses", None),
}
# Networks in files, named PREFIX:REFERENCE. Each module has, imported when it is asked for,
# detector_facts(reference, config), pose_facts(reference, config), build_detector(reference, device, config) and
# build_pose(reference, device, config), which builds a detector where the facts say one stage; and, where its networks
# do not run in ONNX Runtime, pick(name, threads), which gives their device.
DETECTOR_FAMILIES = {"mmdet": "pipeline.openmm.family", "onnx": "pipeline.models.onnx_family"}
POSE_FAMILIES = {"mmpose": "pipeline.openmm.family", "onnx": "pipeline.models.onnx_family"}
FILES = (
    ("--detector", "mmdet:CONFIG@CHECKPOINT", "any detector of MMDetection (needs the OpenMMLab packages)"),
    ("--detector", "onnx:FILE", "RTMDet or YOLOX"),
    ("--pose", "mmpose:CONFIG@CHECKPOINT", "any pose network of MMPose (needs the OpenMMLab packages)"),
    ("--pose", "onnx:FILE", "RTMPose and other SimCC networks, RTMO"),
    ("--lifter", "poseline", "3D over time, of any body keypoints (default)"),
    ("--lifter", "blazepose", "the 3D of --pose blazepose-heavy, of single frames"),
    ("--lifter", "mmpose:CONFIG@CHECKPOINT", "VideoPose3D, SimpleBaseline3D, MotionBERT"),
    ("--lifter", "none", "no 3D"),
)


class Models(NamedTuple):
    """The networks of a run. ``pose`` is None for a one-stage run, whose poses are the detector's."""

    detector: Detector
    pose: PoseNetwork | None
    skeleton: Skeleton
    has_world: bool
    seconded: bool = False  # the detector's own poses correct those of ``pose``
    reid: ReId | None = None

    @property
    def sessions(self) -> list[Any]:
        posed = list(self.pose.sessions) if self.pose else []
        return list(self.detector.sessions) + posed + ([self.reid.session] if self.reid else [])


def _split(name: str, families: dict[str, str]) -> tuple[Any, str]:
    """(family's module, reference) of a name with a prefix; (None, name) of an embedded network."""
    prefix, colon, reference = name.partition(":")
    return (import_module(families[prefix]), reference) if colon and prefix in families else (None, name)


def _embedded_facts(option: str, name: str, known: dict[str, Entry], families: dict[str, str]) -> Facts:
    if name not in known:
        prefixes = ", ".join(f"{p}:…" for p in families)
        raise PoselineError(f"{option} {name}: no such network; choose one of {', '.join(known)}, {prefixes}")
    entry = known[name]
    digests = {file: file_digest(ASSETS / file) for file in entry.files}
    return Facts(digests, entry.skeleton, entry.build is None, entry.has_world)


def detector_facts(config: Config) -> Facts:
    """What is known of the config's detector. Raises PoselineError for one that is not there."""
    name = config.detect.name
    family, reference = _split(name, DETECTOR_FAMILIES)
    if family:
        return family.detector_facts(reference, config)
    facts = _embedded_facts("--detector", name, DETECTORS, DETECTOR_FAMILIES)
    if name != "nanodet" and config.detect.classes != ("person",):
        wanted = ",".join(config.detect.classes)
        raise PoselineError(f"--classes {wanted}: {name} knows persons only; add --detector nanodet")
    return facts


def pose_facts(config: Config) -> Facts:
    """What is known of the config's pose network. Raises PoselineError for one that is not there."""
    family, reference = _split(config.pose.name, POSE_FAMILIES)
    if family:
        return family.pose_facts(reference, config)
    return _embedded_facts("--pose", config.pose.name, POSES, POSE_FAMILIES)


def check_names(config: Config) -> None:
    """Raise PoselineError when the config names networks that are not there or do not go together."""
    facts = pose_facts(config)
    if not facts.one_stage:
        detector_facts(config)
        return
    name, detector = config.pose.name, config.detect.name
    fitting = ("movenet-multipose+nanodet", "movenet-multipose") if name == ONE_STAGE else (DetectConfig().name,)
    if detector not in fitting:
        raise PoselineError(f"--pose {name} finds its people by itself: leave out --detector {detector}")
    if config.observe.detect_every > 1:
        raise PoselineError(f"--pose {name} has poses where it detects only: set observe.detect_every=1")


def build_models(config: Config) -> Models:
    """Load the networks that the config names. Raises PoselineError for unknown names, missing files, missing CUDA."""
    check_names(config)
    facts = pose_facts(config)
    family, reference = _split(config.pose.name, POSE_FAMILIES)
    device = _device(family, config)
    if facts.one_stage:
        alone = family.build_pose(reference, device, config) if family else _multipose(device, config)
        return Models(alone, None, facts.skeleton, facts.has_world, reid=_reid(config))
    pose = family.build_pose(reference, device, config) if family else _build(POSES[reference], device, config)
    family_of_boxes, boxes = _split(config.detect.name, DETECTOR_FAMILIES)
    device = _device(family_of_boxes, config)
    detector: Detector
    if family_of_boxes:
        detector = family_of_boxes.build_detector(boxes, device, config)
    else:
        detector = _build(DETECTORS[boxes], device, config)
    seconded = not family and POSES[reference].seconded
    return Models(detector, pose, facts.skeleton, facts.has_world, seconded, _reid(config))


def _reid(config: Config) -> ReId | None:
    if config.observe.reid == reid.NONE:
        return None
    return reid.build(config.observe.reid, pick_device(config.runtime.device, config.runtime.threads))


def _device(family: Any, config: Config) -> Device:
    """Where a network runs: torch and ONNX Runtime need not have the same devices."""
    pick = getattr(family, "pick", pick_device)
    return pick(config.runtime.device, config.runtime.threads)


def _build(entry: Entry, device: Device, config: Config) -> Any:
    assert entry.build is not None
    return entry.build(device, config)


LIFTERS = ("poseline", "blazepose", "none")  # ours, the pose network's own, or none; else mmpose:…
_LIFTER_FAMILY = "pipeline.openmm.lifter"


def _lifter_reference(config: Config) -> str:
    prefix, _, reference = config.lift.name.partition(":")
    if prefix != "mmpose" or not reference:
        raise PoselineError(
            f"--lifter {config.lift.name}: no such lifter; choose one of {', '.join(LIFTERS)}, mmpose:CONFIG@CHECKPOINT"
        )
    return reference


def lifter_facts(config: Config) -> Facts:
    """Digests and warnings of the config's lifter, which has no keypoint set of its own."""
    if config.lift.name == LIFTERS[0]:
        return Facts({"lifter": file_digest(LIFTER_FILE)}, COCO17, warnings=tuple(_assumed(config)))
    if config.lift.name in LIFTERS:
        return Facts({}, COCO17)
    digests, warnings = import_module(_LIFTER_FAMILY).facts(_lifter_reference(config), config)
    return Facts(digests, COCO17, warnings=tuple(warnings))


def _assumed(config: Config) -> list[str]:
    """What the 3D stands on that nobody has said."""
    metres, lines = config.metres, []
    if metres.height_m is None and not metres.heights_m:
        lines.append(f"3D: people are taken to be {HEIGHT_M:.2f} m tall; give --height")
    return lines


def build_lifter(config: Config, skeleton: Skeleton = COCO17) -> Lifter | None:
    """Load the config's lifter; None where the pose network's own 3D, or nothing, is wanted, or bodies are not seen."""
    if config.lift.name == LIFTERS[0]:
        if not liftable(skeleton):
            return None
        device = pick_device(config.runtime.device, config.runtime.threads)
        return PoselineLifter(device, skeleton, config)
    if config.lift.name in LIFTERS:
        return None
    device = _device(import_module(POSE_FAMILIES["mmpose"]), config)
    return import_module(_LIFTER_FAMILY).build(_lifter_reference(config), device, config)


def run_facts(config: Config) -> Facts:
    """Digests of every network that a run with this config uses, its keypoint set and what there is to warn of."""
    check_names(config)
    pose = pose_facts(config)
    boxes = Facts({}, COCO17) if pose.one_stage else detector_facts(config)
    digests = dict(sorted({**boxes.digests, **pose.digests, **reid.digests(config.observe.reid)}.items()))
    return pose._replace(digests=digests, warnings=boxes.warnings + pose.warnings)
