"""Every lifter poseline can run: our own, and those of mmpose in files."""

from __future__ import annotations

from pipeline.core.config import Config
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.lift.joints import liftable
from pipeline.lift.lifter import PoselineLifter
from pipeline.lift.network import FILE, HEIGHT_M
from pipeline.lift.protocol import Lifter
from pipeline.models.protocols import NetworkFacts
from pipeline.models.registry import unknown
from pipeline.models.runtime import file_digest, pick_device

LIFTERS = ("poseline", "none")  # else mmpose:…
_GONE = {"blazepose": "poseline"}  # lifters that earlier versions had, and what replaces them


def _lifter_reference(config: Config) -> str:
    prefix, _, reference = config.lift.name.partition(":")
    if prefix != "mmpose" or not reference:
        raise unknown("--lifter", config.lift.name, (*LIFTERS, "mmpose:CONFIG@CHECKPOINT"), _GONE)
    return reference


def lifter_facts(config: Config) -> NetworkFacts:
    """Digests and warnings of the config's lifter, which has no keypoint set of its own."""
    if config.lift.name == LIFTERS[0]:
        return NetworkFacts({"lifter": file_digest(FILE)}, COCO17, warnings=tuple(_assumed(config)))
    idle = _idle(config)
    if config.lift.name in LIFTERS:
        return NetworkFacts({}, COCO17, warnings=idle)
    from pipeline.lift import mmpose

    digests, warnings = mmpose.facts(_lifter_reference(config), config)
    return NetworkFacts(digests, COCO17, warnings=(*warnings, *idle))


def _idle(config: Config) -> tuple[str, ...]:
    """Warnings about settings that only our own lifter follows."""
    if config.lift.fov_deg is None:
        return ()
    name, fov = config.lift.name, config.lift.fov_deg
    return (f"lift.fov_deg={fov:g} has no effect on the lifter {name}: {LIFTERS[0]} alone follows it; leave it out",)


def _assumed(config: Config) -> list[str]:
    """The assumptions on which the 3D rests where the user gave no values."""
    metres, lines = config.metres, []
    if metres.height_m is None and not metres.heights_m:
        lines.append(f"3D: people are taken to be {HEIGHT_M:.2f} m tall; give --height")
    return lines


def _device(config: Config, instead: str) -> str:
    """The name of the lifter's device: OpenVINO is for networks that look at pictures."""
    return instead if config.runtime.device == "openvino" else config.runtime.device


def build_lifter(config: Config, skeleton: Skeleton = COCO17) -> Lifter | None:
    """Load the config's lifter; None where no lifter is wanted, or the keypoint set has no body."""
    if config.lift.name == LIFTERS[0]:
        if not liftable(skeleton):
            return None
        device = pick_device(_device(config, "cpu"), config.runtime.threads, "f32")
        return PoselineLifter(device, skeleton, config)
    if config.lift.name in LIFTERS:
        return None
    reference = _lifter_reference(config)
    from pipeline.lift import mmpose
    from pipeline.models.openmm import family

    device = family.pick(_device(config, "auto"), config.runtime.threads)
    return mmpose.build(reference, device, config)
