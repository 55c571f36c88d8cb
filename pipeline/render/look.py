"""Looks of the annotated video: what is drawn, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pipeline.core.settings import RenderConfig
from pipeline.render.privacy import Privacy

Colouring = Literal["side", "person"]


@dataclass(frozen=True)
class Look:
    """What is drawn. Every field is a setting of [render] of the same name, which wins over the style's."""

    colour: Colouring = "side"  # of skeletons
    skeleton: bool = True
    boxes: bool = True
    labels: bool = True  # ids, or names where people have some
    speed: bool = False  # on the labels
    trail_s: float = 0.0  # seconds of everybody's path
    angles: tuple[str, ...] = ()  # at the joints: columns without side and unit, such as knee_flexion
    clock: bool = False  # time and frame
    ground: bool = False  # inset: everybody's path from above
    space: bool = False  # inset: skeletons in space
    heads: bool = True  # points of heads in skeletons; not a setting: off where heads are blurred


STYLES: dict[str, Look] = {
    "default": Look(),
    "clean": Look(colour="person", boxes=False, labels=False),
    "analysis": Look(
        boxes=False, speed=True, trail_s=1.0, angles=("knee_flexion", "hip_flexion", "elbow_flexion"), clock=True,
        ground=True, space=True,
    ),
    "surveillance": Look(colour="person", skeleton=False, trail_s=4.0, speed=True, clock=True, ground=True),
    "presentation": Look(colour="person", boxes=False, trail_s=1.5, space=True),
}  # fmt: skip
SETTINGS = ("colour", "skeleton", "boxes", "labels", "speed", "trail_s", "angles", "clock", "ground", "space")


def look_of(settings: RenderConfig) -> Look:
    """The style with the settings that differ from it."""
    given = {name: getattr(settings, name) for name in SETTINGS if getattr(settings, name) is not None}
    return replace(STYLES[settings.style], heads=Privacy.of(settings).draws_heads, **given)
