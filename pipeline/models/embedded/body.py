"""The networks inside the package, YOLOX-tiny and RTMPose-s, which run in the same way as users' ONNX files."""

from __future__ import annotations

from pipeline.core.config import Config
from pipeline.models.onnx.family import build_detector, build_pose
from pipeline.models.onnx.rtmdet import OnnxDetector
from pipeline.models.onnx.simcc import TopDownOnnx
from pipeline.models.runtime import ASSETS, Device


def detector(device: Device, config: Config) -> OnnxDetector:
    """YOLOX-tiny, trained on people in photographs and in art, for pictures of any shape."""
    return build_detector(str(ASSETS / "yolox-tiny.onnx"), device, _as_they_are(config))


def pose(device: Device, config: Config) -> TopDownOnnx:
    """RTMPose-s: the 26 points of Halpe."""
    network = build_pose(str(ASSETS / "rtmpose-s.onnx"), device, _as_they_are(config))
    assert isinstance(network, TopDownOnnx)
    return network


def _as_they_are(config: Config) -> Config:
    """The config without the settings that describe users' files."""
    detect = config.detect.model_copy(update={"layout": "auto"})
    pose = config.pose.model_copy(update={"layout": "auto", "keypoints": "auto"})
    return config.model_copy(update={"detect": detect, "pose": pose})
