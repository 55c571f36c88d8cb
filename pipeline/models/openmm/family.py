"""mmdet: and mmpose: as families of networks, for `pipeline.models.registry`."""

from __future__ import annotations

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import COCO17
from pipeline.models.openmm import load
from pipeline.models.openmm.detector import MMDetector
from pipeline.models.openmm.meta import skeleton
from pipeline.models.openmm.onestage import OneStage
from pipeline.models.openmm.topdown import TopDown
from pipeline.models.protocols import NetworkFacts
from pipeline.models.runtime import Device, pick_device

TOP_DOWN, ONE_STAGE = "TopdownPoseEstimator", "BottomupPoseEstimator"
_CONFIG, _POINTS = "its own config tells", "its checkpoint or config tells"
DETECTOR_IDLE = dict.fromkeys(("detect.pixels", "detect.nms_iou", "detect.layout"), _CONFIG)
POSE_IDLE = dict.fromkeys(("pose.layout", "pose.keypoints"), _POINTS)


def pick(name: str, threads: int, precision: str = "f32") -> Device:
    """The device for torch: CUDA for auto where there is CUDA, and for cuda; PoselineError for cuda without CUDA."""
    import torch

    cpu = pick_device("cpu", threads)
    if name == "openvino":
        raise PoselineError("--device openvino: runs ONNX files; make one with poseline models export")
    if name == "cuda" and not torch.cuda.is_available():
        raise PoselineError("--device cuda: this torch has no CUDA; install one that has, or use --device cpu")
    cuda = name != "cpu" and torch.cuda.is_available()
    return Device(("CUDAExecutionProvider", *cpu.providers), cpu.threads) if cuda else cpu


def detector_facts(reference: str, config: Config) -> NetworkFacts:
    """What is known of an mmdet detector. PoselineError when it is not there, or is no detector."""
    found = load.find("mmdet", reference, config)
    return NetworkFacts(found.digests, COCO17, warnings=found.warnings, idle=DETECTOR_IDLE)


def pose_facts(reference: str, config: Config) -> NetworkFacts:
    """What is known of an mmpose network. PoselineError when it is not there, or estimates no poses in pictures."""
    found = load.find("mmpose", reference, config)
    points = skeleton(load.dataset_meta(found, config))
    one_stage = _kind(found) == ONE_STAGE
    idle = {**POSE_IDLE, "detect.nms_iou": _CONFIG} if one_stage else POSE_IDLE
    return NetworkFacts(found.digests, points, one_stage, found.warnings, idle)


def build_detector(reference: str, device: Device, config: Config) -> MMDetector:
    """Load an mmdet detector."""
    loaded = load.load(load.find("mmdet", reference, config), device, config)
    return MMDetector(loaded, config.detect.classes, config.detect.score)


def build_pose(reference: str, device: Device, config: Config) -> TopDown | OneStage:
    """Load an mmpose network."""
    found = load.find("mmpose", reference, config)
    kind = _kind(found)
    loaded = load.load(found, device, config)
    if kind == ONE_STAGE:
        return OneStage(loaded, config.pose.flip_test, config.detect.score)
    return TopDown(loaded, config.runtime.batch_people, config.pose.flip_test)


def _kind(found: load.Reference) -> str:
    """The type of an mmpose config's model; PoselineError for one that takes no pictures."""
    kind = str(load.read_config(found).model.type).rsplit(".")[-1]
    if kind == "PoseLifter":
        raise PoselineError(f"--pose mmpose:{found.config_file.stem}: lifts poses to 3D; use it as --lifter")
    if kind not in (TOP_DOWN, ONE_STAGE):
        raise PoselineError(f"--pose mmpose:{found.config_file.stem}: {kind} is neither top-down nor one-stage")
    return kind
