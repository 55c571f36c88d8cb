"""A person's skeleton: limbs and joints, sized by the picture and by the person."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.skeleton import Skeleton
from pipeline.core.types import INTERPOLATED, MISSING
from pipeline.render.draw.canvas import Canvas, Colour
from pipeline.render.draw.colours import OUTLINE

_BODY = ("neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_MINOR = 0.6  # size of face, hand and foot, relative to the body's limbs and joints
_HEAD = ("nose", "eye", "ear", "head")
_FINE = 0.25  # size of fingers and of the lines of a face, relative to the body's limbs and joints
_FINE_PX = 150  # px, least length of a person at which fingers and the lines of a face are drawn
_FINE_NAME = re.compile(r"face_\d+|.*(hand_root|(thumb|forefinger|middle_finger|ring_finger|pinky_finger)\d)")
_RING = 1.4  # radius of an interpolated joint's ring, relative to a measured joint's dot
_DETAIL = 70  # least length of a person, in limb widths, at which face, hands and feet are drawn


class Person(NamedTuple):
    """One person in one frame, as ``tables.people_by_frame`` yields it."""

    person_id: int
    box_px: np.ndarray  # (4,) x1 y1 x2 y2, NaN = missing
    keypoints_px: np.ndarray  # (K, 2), NaN = missing
    state: np.ndarray  # (K,) u8 provenance
    measured: bool  # False: bridged over a gap, nobody was seen in this frame
    further: np.ndarray = np.zeros(0, np.float32)  # values of the further columns asked for, NaN = missing


class Sizes(NamedTuple):
    """Lengths in px for one person in one picture."""

    limb: float  # width of a body limb
    joint: float  # radius of a body joint
    outline: float  # width of the dark edge
    box: int  # line width
    label: int  # height
    person: float  # longer side of the extent
    detail: bool  # whether there is room for face, hands and feet
    fine: bool  # whether there is room for fingers and the lines of a face


def sizes_of(extent: np.ndarray, size_px: tuple[int, int]) -> Sizes:
    """Line widths and label height for a person of this extent (4,) in a picture of this size."""
    picture = min(size_px)
    person = float(max(extent[2] - extent[0], extent[3] - extent[1]))
    limb = max(min(max(0.0125 * person, 0.002 * picture), 0.0085 * picture), 1.2)
    label = max(min(max(0.075 * person, 0.021 * picture), 0.034 * picture), 14)
    box = max(1, round(0.0018 * picture))
    detail, fine = bool(person >= _DETAIL * limb), bool(person >= _FINE_PX)
    return Sizes(limb, 0.85 * limb + 0.4, max(0.22 * limb, 0.7), box, round(label), person, detail, fine)


class _Plan(NamedTuple):
    """The drawn part of a skeleton: limbs, and the joints that they connect."""

    limbs: np.ndarray  # (M, 2) keypoint indices
    limb_side: tuple[int, ...]
    limb_weight: np.ndarray  # (M,) relative width
    joints: tuple[int, ...]
    weight: np.ndarray  # (K,) relative radius
    fine: np.ndarray  # (K,) bool: fingers and the face's points, of which a whole body has a hundred
    face: np.ndarray  # (K,) bool: the face's points
    head: np.ndarray  # (K,) bool: nose, eyes and ears, and the top of the head


@cache
def _plan(skeleton: Skeleton) -> _Plan:
    body = np.array([name.rsplit("_", 1)[-1] in _BODY for name in skeleton.names])
    limbs = np.array(skeleton.limbs, np.intp).reshape(-1, 2)
    # Points without a limb, such as corners of the eyes, are left out, unless the set is mostly made of them.
    linked = np.isin(np.arange(len(skeleton)), limbs)
    cloud = ~linked & (linked.mean() < 0.5)
    face = np.array([name.startswith("face_") for name in skeleton.names])
    fine = cloud | np.array([_FINE_NAME.fullmatch(name) is not None for name in skeleton.names])
    weight = np.where(body, 1.0, np.where(fine, _FINE, _MINOR))
    sides = []
    for a, b in skeleton.limbs:
        between = {skeleton.side(a), skeleton.side(b)}
        sides.append(0 if between >= {-1, 1} else sum(between))
    return _Plan(
        limbs,
        tuple(sides),
        weight[limbs].min(1, initial=1.0),
        tuple(int(k) for k in np.flatnonzero((linked & ~face) | cloud)),  # a face is lines only
        weight,
        fine,
        face,
        np.array([any(part in _HEAD for part in name.split("_")) for name in skeleton.names]),
    )


def draw_skeleton(
    canvas: Canvas, person: Person, skeleton: Skeleton, sizes: Sizes, colours: dict[int, Colour], heads: bool = True
) -> None:
    """Limbs whose ends are both known, and joints: dots where measured, rings where interpolated.

    Face, hands and feet of small people are left out. Fingers and the lines of a face are thin, and their joints are
    too small for rings. ``heads=False`` leaves out all points of heads, for blurred heads.
    """
    plan = _plan(skeleton)
    known = drawable(person, canvas.size_px)
    if not sizes.detail:
        known &= plan.weight == 1
    if not sizes.fine:
        known &= ~plan.fine
    if not heads:
        known &= ~(plan.face | plan.head)
    elif known[plan.face].sum() > plan.face.sum() / 2:
        known &= ~plan.head  # the face is drawn instead
    hollow = (person.state == INTERPOLATED) & ~plan.fine
    radius = sizes.joint * plan.weight
    edge = np.where(plan.fine, 0.5, 1.0) * sizes.outline
    rows = np.flatnonzero(known[plan.limbs].all(1))
    ends = person.keypoints_px[plan.limbs[rows]].astype(np.float64)  # (m, 2, 2)
    gap = np.where(hollow, _RING * radius, 0.0)[plan.limbs[rows]]  # rings stay empty inside
    half = 0.5 * sizes.limb * plan.limb_weight[rows]
    joints = [k for k in plan.joints if known[k]]
    at = np.where(known[:, None], person.keypoints_px, 0.0)
    # All edges go below all fills, so that crossing limbs and joints read as one figure.
    dark, light = [OUTLINE] * len(rows), [colours[plan.limb_side[row]] for row in rows]
    quads, there = _quads(ends, gap, half + edge[plan.limbs[rows]].min(1, initial=sizes.outline))
    canvas.polygons(quads[there], dark[: there.sum()])
    _draw_joints(canvas, at[joints], radius[joints], edge[joints], hollow[joints], [OUTLINE] * len(joints))
    quads, there = _quads(ends, gap, half)
    canvas.polygons(quads[there], [c for c, t in zip(light, there, strict=True) if t])
    fills = [colours[skeleton.side(k)] for k in joints]
    _draw_joints(canvas, at[joints], radius[joints], np.zeros(len(joints)), hollow[joints], fills)


def drawable(person: Person, size_px: tuple[int, int]) -> np.ndarray:
    """(K,) bool: known, and not so far outside the picture that cv2's integers would overflow."""
    size = np.array(size_px)
    with np.errstate(invalid="ignore"):
        near = (np.abs(person.keypoints_px - size / 2) < 2 * size.max()).all(1)  # False for NaN
    return near & (person.state != MISSING)


def _quads(ends: np.ndarray, gap: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners (m, 4, 2) of limbs between ends (m, 2, 2), shortened by ``gap (m, 2)``, and (m,) whether a limb is left.

    ``half (m,)`` is half the width.
    """
    along = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(along, axis=1)
    unit = along / np.maximum(length, 1e-6)[:, None]
    start, stop = ends[:, 0] + unit * gap[:, :1], ends[:, 1] - unit * gap[:, 1:]
    # cv2's smooth edges reach about half a pixel beyond the polygon.
    across = np.stack([-unit[:, 1], unit[:, 0]], 1) * np.maximum(half - 0.5, 0.1)[:, None]
    return np.stack([start + across, stop + across, stop - across, start - across], 1), length > gap.sum(1)


def _draw_joints(
    canvas: Canvas, at: np.ndarray, radius: np.ndarray, grow: np.ndarray, hollow: np.ndarray, colours: list[Colour]
) -> None:
    """Dots, or rings around nothing, at (n, 2); ``grow`` (n,) widens them for the edge below."""
    dots = ~hollow
    canvas.discs(at[dots], (radius + grow)[dots], [c for c, dot in zip(colours, dots, strict=True) if dot])
    for k in np.flatnonzero(hollow):
        canvas.ring(at[k], _RING * radius[k] + grow[k], max(0.4 * radius[k], 1) + 2 * grow[k], colours[k])


@contextlib.contextmanager
def faded(canvas: Canvas, extent: np.ndarray, opacity: float) -> Iterator[None]:
    """Blend the block's drawing near ``extent`` with the picture before the block, at ``opacity``."""
    if opacity >= 1:
        yield
        return
    reach = 0.5 * max(extent[2] - extent[0], extent[3] - extent[1]) + 8  # keypoints may leave the box
    size = np.array(canvas.size_px)
    x1, y1 = (int(v) for v in np.clip(extent[:2] - reach, 0, size))
    x2, y2 = (int(v) for v in np.clip(extent[2:] + reach, 0, size))
    parts = canvas.parts(x1, y1, x2, y2)
    before = [part.copy() for part in parts]
    yield
    for part, old in zip(parts, before, strict=True):
        if part.size:
            part[:] = cv2.addWeighted(part, opacity, old, 1 - opacity, 0)
