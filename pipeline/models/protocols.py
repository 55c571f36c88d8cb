"""The interfaces of networks to the rest of poseline, and the facts of a network before it is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from pipeline.core.config import Config
from pipeline.core.skeleton import Skeleton
from pipeline.models.detections import Detections, Poses
from pipeline.models.runtime import Device


class Timed(Protocol):
    """A network that knows how long it has run."""

    seconds: float
    calls: int


class Detector(Protocol):
    """Finds people in images (B, H, W, 3) u8 RGB. Its people have keypoints of ``skeleton``, if it knows any."""

    @property
    def sessions(self) -> Sequence[Timed]: ...

    @property
    def skeleton(self) -> Skeleton: ...

    def detect(self, images: np.ndarray) -> Detections: ...


class PoseNetwork(Protocol):
    """Estimates the pose of the people in boxes in images (B, H, W, 3) u8 RGB."""

    @property
    def sessions(self) -> Sequence[Timed]: ...

    @property
    def skeleton(self) -> Skeleton: ...

    def estimate(self, images: np.ndarray, people: Detections) -> Poses: ...


class NetworkFacts(NamedTuple):
    """What is known of a network before it is loaded."""

    digests: dict[str, str]  # name: digest of everything that the network's outputs depend on
    skeleton: Skeleton
    one_stage: bool = False  # finds people and poses together
    warnings: tuple[str, ...] = ()
    idle: Mapping[str, str] = MappingProxyType({})  # settings that it cannot follow, section.key: why
    computes: str = ""  # what the outputs' last bits depend on besides; "" for ONNX Runtime in f32


class Family(Protocol):
    """Networks in files, named PREFIX:REFERENCE. Facts raise PoselineError for a file that is missing or wrong."""

    def pick(self, name: str, threads: int, precision: str) -> Device:
        """The device for ``runtime.device`` and ``runtime.precision``."""
        ...

    def detector_facts(self, reference: str, config: Config) -> NetworkFacts: ...

    def pose_facts(self, reference: str, config: Config) -> NetworkFacts: ...

    def build_detector(self, reference: str, device: Device, config: Config) -> Detector: ...

    def build_pose(self, reference: str, device: Device, config: Config) -> Any:
        """A `PoseNetwork`; a `Detector` where the facts say one stage."""
        ...
