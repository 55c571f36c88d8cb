"""Networks whose scores are those that the embedded networks give at the same probability; where calibrations are kept.

Calibrations of the embedded networks stand here, those of the catalogue's networks in ``catalogue.toml``, and those
that the user measured (`poseline eval calibrate --keep`) in ``calibrations.json`` in the folder of kept networks.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.models.calibration import ScoreMap, as_embedded, read
from pipeline.models.catalogue import catalogue
from pipeline.models.detections import Detections, Poses
from pipeline.models.graded import Over
from pipeline.models.kept import place, told_of
from pipeline.models.protocols import Detector, NetworkFacts, PoseNetwork
from pipeline.models.runtime import ASSETS, file_digest
from pipeline.store.atomic import write_text

# What these and the catalogue's were fitted on.
ABOUT = "58 photographs of COCO, 60 of LSPe, frames of three MOT15 sequences"
EMBEDDED = {
    "detector": ScoreMap((0.0539, 0.163, 0.3767, 0.7083, 0.9653), ABOUT),  # YOLOX-tiny
    "pose": ScoreMap((0.2442, 0.6829, 0.878, 0.961, 0.9942), ABOUT),  # RTMPose-s
}
_FILES = {"detector": "yolox-tiny.onnx", "pose": "rtmpose-s.onnx"}  # the networks whose scores these are
LOWEST = 0.01  # raw score from which boxes of a detector without calibration are looked at


def known(role: str, name: str, digests: Mapping[str, str]) -> ScoreMap | None:
    """The calibration of a network: what the user measured, else the catalogue's; None where there is none.

    ``role`` is detector or pose, ``digests`` are those of the network's files by name. A file counts as the network of
    the catalogue by its digest, or by the name that it was kept as or like.
    """
    if file_digest(ASSETS / _FILES[role]) in digests.values():
        return EMBEDDED[role]
    mine = measured().get(key(digests), {}).get(role)
    if mine is not None:
        return mine
    named = None if ":" in name else told_of(name)
    for network in [named] if named else catalogue().values():
        same = {full[: len(short)] for full in network.digests for short in digests.values()} & set(digests.values())
        if network.probability and (named or same) and network.role in (role, "one-stage"):
            return ScoreMap(network.probability, "the catalogue's")
    return None


def scores_of(config: Config, boxes: NetworkFacts, points: NetworkFacts) -> dict[str, ScoreMap | None]:
    """The calibrations by role of the networks that give boxes and keypoints their scores; None where unknown."""
    if config.runtime.random_weights is not None:
        return dict(EMBEDDED)
    found = config.pose.name if points.one_stage else config.detect.name
    return {
        "detector": known("detector", found, boxes.digests),
        "pose": known("pose", config.pose.name, points.digests),
    }


def told(scores: Mapping[str, ScoreMap | None]) -> dict[str, str]:
    """What run.json and the digest of observations say of scores by role; nothing of the embedded networks'."""
    other = {role: own for role, own in scores.items() if own is not EMBEDDED[role]}
    return {f"{role} scores": str(list(own.probability_at)) if own else "estimated" for role, own in other.items()}


def warnings(config: Config, one_stage: bool, scores: Mapping[str, ScoreMap | None]) -> tuple[str, ...]:
    """A warning for each network whose scores have no known meaning."""
    names = {"detector": config.pose.name if one_stage else config.detect.name, "pose": config.pose.name}
    return tuple(
        f"{name}: what its scores mean was not measured; run estimates it from the video, live takes them for those of"
        " the embedded networks; poseline eval calibrate measures it"
        for name in dict.fromkeys(names[role] for role, own in scores.items() if own is None)
    )


def key(digests: Mapping[str, str]) -> str:
    """The name of a network in ``calibrations.json``: the digests of its files."""
    return " ".join(sorted(set(digests.values())))


def measured() -> dict[str, dict[str, ScoreMap]]:
    """The calibrations that the user measured, by `key` and role. PoselineError where the file is damaged."""
    file = place() / "calibrations.json"
    if not file.is_file():
        return {}
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return {digest: {role: read(own, "measured here") for role, own in by.items()} for digest, by in told.items()}
    except (ValueError, AttributeError) as error:
        raise PoselineError(f"{file}: these calibrations are damaged ({error}); delete the file") from error


def keep(digests: Mapping[str, str], found: Mapping[str, ScoreMap]) -> None:
    """Write a network's calibrations by role beside those that are kept."""
    every = {digest: dict(by) for digest, by in measured().items()}
    every[key(digests)] = {**every.get(key(digests), {}), **found}
    told = {digest: {role: list(own.probability_at) for role, own in by.items()} for digest, by in every.items()}
    place().mkdir(parents=True, exist_ok=True)
    write_text(place() / "calibrations.json", json.dumps(told, indent=1) + "\n")


def raw_score(own: ScoreMap | None, score: float) -> float:
    """A detector's own score for an embedded network's one."""
    if own is None:
        return min(score, LOWEST)
    if own is EMBEDDED["detector"]:
        return score
    return float(own.score(EMBEDDED["detector"].probability(np.array(score))))


def detecting(network: Detector, own: ScoreMap | None, points: ScoreMap | None, least: float) -> Detector:
    """The detector with embedded scores above ``least``; itself where its scores are those.

    ``points``: the calibration of the keypoints that it finds. None leaves scores as they are.
    """
    if own is EMBEDDED["detector"] and points in (None, EMBEDDED["pose"]):
        return network
    return Detecting(network, own, points, least)


def posing(network: PoseNetwork, own: ScoreMap | None) -> PoseNetwork:
    """The pose network with embedded scores; itself where its scores are those or are not known."""
    return network if own in (None, EMBEDDED["pose"]) else Posing(network, own)


class Detecting(Over):
    """A detector whose scores, and those of its keypoints, are the embedded networks' at the same probabilities."""

    def __init__(self, network: Detector, own: ScoreMap | None, points: ScoreMap | None, least: float) -> None:
        self.network: Detector = network
        self._own, self._points, self.least = own, points, least

    def detect(self, images: np.ndarray) -> Detections:
        """People in images (B, H, W, 3) u8 RGB that score more than ``least``."""
        found = self.network.detect(images)
        changed: dict[str, Any] = {}
        if self._own is not None:
            changed["score"] = as_embedded(found.score, self._own, EMBEDDED["detector"])
        if self._points is not None:
            changed["keypoint_score"] = as_embedded(found.keypoint_score, self._points, EMBEDDED["pose"])
        found = dataclasses.replace(found, **changed)
        return found.take(found.score > self.least)


class Posing(Over):
    """A pose network whose scores are RTMPose-s's at the same probabilities."""

    def __init__(self, network: PoseNetwork, own: ScoreMap) -> None:
        self.network: PoseNetwork = network
        self._own = own

    def estimate(self, images: np.ndarray, people: Detections) -> Poses:
        """The poses of people in images (B, H, W, 3) u8 RGB."""
        found = self.network.estimate(images, people)
        return found._replace(score=as_embedded(found.score, self._own, EMBEDDED["pose"]))
