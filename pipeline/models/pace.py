"""How fast the default networks run here, in ONNX Runtime and in OpenVINO: for `poseline doctor --measure`."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.models import openvino
from pipeline.models.runtime import ASSETS, Device, Session, in_lanes, pick_device

PICTURE, CROPS = (1, 3, 256, 416), (4, 3, 256, 192)  # inputs of one call: a wide picture, four people
SECONDS = 10.0  # of a whole measurement


class Speeds(NamedTuple):
    """What the networks do in a second on a device, all threads at work."""

    device: Device
    pictures: float  # looked at by the detector
    people: float  # posed

    def frames(self, people: int) -> float:
        """Frames a second with so many people in each, where people are looked for in every frame."""
        return 1 / (1 / self.pictures + people / self.people)

    @property
    def name(self) -> str:
        """Device and precision."""
        return f"{self.device.name} {self.device.precision}"


def devices() -> list[Device]:
    """What can be compared on this machine's CPU."""
    found = [pick_device("cpu")]
    for precision in ("f32", "bf16"):
        try:
            found.append(pick_device(openvino.NAME, 0, precision))
        except PoselineError:
            continue  # it is not there, and there is nothing to compare
    return [device.laned() for device in found]


def measured(seconds: float = SECONDS) -> list[Speeds]:
    """The pace of each device, fastest first. Takes about so many ``seconds``."""
    some = devices()
    each = seconds / len(some) / 2
    paces = [
        Speeds(
            device,
            _rate("yolox-tiny.onnx", device, PICTURE, each),
            _rate("rtmpose-s.onnx", device, CROPS, each),
        )
        for device in some
    ]
    return sorted(paces, key=lambda pace: -pace.frames(5))


def _rate(name: str, device: Device, shape: tuple[int, ...], seconds: float) -> float:
    """Inputs a second, loading not counted; at least one call in each lane is."""
    began = time.perf_counter()
    session, inputs = Session(ASSETS / name, device), np.zeros(shape, np.float32)
    calls = [inputs] * device.lanes
    in_lanes(device, session.run, calls)  # the first call takes longer
    start, rounds = time.perf_counter(), 0
    while not rounds or time.perf_counter() - began < seconds:
        in_lanes(device, session.run, calls)
        rounds += 1
    return rounds * device.lanes * shape[0] / (time.perf_counter() - start)
