"""Drawing people into a picture: skeletons coloured by side, boxes and labels coloured by person.

Everything is sized by the picture's shorter side and the person's length, so that 480p and 4K look alike.
"""

from __future__ import annotations

import colorsys
import contextlib
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.skeleton import Skeleton
from pipeline.types import INTERPOLATED, MISSING

Colour = tuple[int, int, int]  # RGB

# Blue and orange stay apart for every kind of colour blindness (Okabe & Ito 2008).
SIDE_COLOURS: dict[int, Colour] = {-1: (64, 160, 255), 0: (240, 240, 240), 1: (255, 140, 30)}
OUTLINE: Colour = (25, 25, 25)
BRIDGED_OPACITY = 0.5  # of people who were not seen in this frame
_LIGHTNESS = np.array([0.299, 0.587, 0.114])  # of red, green and blue (BT.601 luma)
_LEAST_LIGHT = 120  # of a person's colour, so that boxes show on dark ground and dark letters on labels
_BODY = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_MINOR = 0.6  # size of face, hand and foot, relative to the body's limbs and joints
_HEAD = ("nose", "eye", "ear")
_FINE = 0.25  # of fingers and of the lines of a face
_FINE_PX = 150  # length of a person from which on these are more than a blot
_FINE_NAME = re.compile(r"face_\d+|.*(hand_root|(thumb|forefinger|middle_finger|ring_finger|pinky_finger)\d)")
_RING = 1.4  # radius of an interpolated joint's ring, relative to a measured joint's dot
_DETAIL = 70  # limb widths in a person's length from which on face, hands and feet are more than a blot
_BITS = 4  # cv2 takes coordinates in 1/16 px, so that slow movements do not jump from pixel to pixel


class Person(NamedTuple):
    """One person in one frame, as ``tables.people_by_frame`` yields it."""

    person_id: int
    box_px: np.ndarray  # (4,) x1 y1 x2 y2, NaN = missing
    keypoints_px: np.ndarray  # (K, 2), NaN = missing
    state: np.ndarray  # (K,) u8 provenance
    measured: bool  # False: bridged over a gap, nobody was seen in this frame


class Sizes(NamedTuple):
    """Lengths in px for one person in one picture."""

    limb: float  # width of a body limb
    joint: float  # radius of a body joint
    outline: float  # width of the dark edge
    box: int  # line width
    label: int  # height
    detail: bool  # whether there is room for face, hands and feet
    fine: bool  # whether there is room for fingers and the lines of a face


class _Plan(NamedTuple):
    """What of a skeleton is drawn: limbs, and the joints they connect."""

    limbs: np.ndarray  # (M, 2) keypoint indices
    limb_side: tuple[int, ...]
    limb_weight: np.ndarray  # (M,) relative width
    joints: tuple[int, ...]
    weight: np.ndarray  # (K,) relative radius
    fine: np.ndarray  # (K,) bool: fingers and the face's points, of which a whole body has a hundred
    face: np.ndarray  # (K,) bool: the face's points
    head: np.ndarray  # (K,) bool: nose, eyes and ears


def draw_people(image: np.ndarray, people: Iterable[Person], skeleton: Skeleton) -> None:
    """Draw people into a picture (H, W, 3) u8 RGB, in place; pixels away from them stay as they are.

    Nearer people, whose boxes end lower, are drawn over those behind them, and labels over everything.
    """
    size_px = (image.shape[1], image.shape[0])
    shown = [(p, extent) for p in people if (extent := visible_extent(p, size_px)) is not None]
    shown.sort(key=lambda item: float(item[1][3]))
    for person, extent in shown:
        draw_box(image, person, sizes_of(extent, size_px))
    for person, extent in shown:
        sizes = sizes_of(extent, size_px)
        with _faded(image, extent, 1.0 if person.measured else BRIDGED_OPACITY):
            draw_skeleton(image, person, skeleton, sizes)
    for person, extent in shown:
        draw_label(image, person, extent, sizes_of(extent, size_px), skeleton)


def visible_extent(person: Person, size_px: tuple[int, int]) -> np.ndarray | None:
    """The person's box (4,), or that of the known keypoints where it has none; None when outside the picture."""
    box = np.asarray(person.box_px, np.float64)
    if not np.isfinite(box).all():
        points = person.keypoints_px[np.isfinite(person.keypoints_px).all(1)]
        if not len(points):
            return None
        box = np.concatenate([points.min(0), points.max(0)]).astype(np.float64)
    width, height = size_px
    inside = box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0
    return box if inside else None


def sizes_of(extent: np.ndarray, size_px: tuple[int, int]) -> Sizes:
    """Line widths and label height for a person of this extent (4,) in a picture of this size."""
    picture = min(size_px)
    person = max(extent[2] - extent[0], extent[3] - extent[1])
    limb = max(min(max(0.0125 * person, 0.002 * picture), 0.0085 * picture), 1.2)
    label = max(min(max(0.075 * person, 0.021 * picture), 0.034 * picture), 14)
    box = max(1, round(0.0018 * picture))
    detail, fine = bool(person >= _DETAIL * limb), bool(person >= _FINE_PX)
    return Sizes(limb, 0.85 * limb + 0.4, max(0.22 * limb, 0.7), box, round(label), detail, fine)


@cache
def person_colour(person_id: int) -> Colour:
    """A colour of the person's own, far from those of the ids next to it and the same in every run."""
    hue = person_id * 0.61803399 % 1.0  # steps of the golden ratio never come close to each other soon
    rgb = 255 * np.array(colorsys.hls_to_rgb(hue, (0.5, 0.72, 0.6)[person_id % 3], 0.9))
    light = float(rgb @ _LIGHTNESS)
    if light < _LEAST_LIGHT:
        rgb += (255 - rgb) * (_LEAST_LIGHT - light) / (255 - light)
    return tuple(int(c) for c in rgb.round())  # type: ignore[return-value]


# --- skeleton --------------------------------------------------------------------------------------------------------


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
        np.array([name.rsplit("_", 1)[-1] in _HEAD for name in skeleton.names]),
    )


def draw_skeleton(image: np.ndarray, person: Person, skeleton: Skeleton, sizes: Sizes) -> None:
    """Limbs whose ends are both known, and joints: dots where measured, rings where interpolated.

    Face, hands and feet are left out where they would be a blot. Fingers and the lines of a face are thin, and their
    joints too small for rings.
    """
    plan = _plan(skeleton)
    known = _drawable(person, image.shape)
    if not sizes.detail:
        known &= plan.weight == 1
    if not sizes.fine:
        known &= ~plan.fine
    if known[plan.face].sum() > plan.face.sum() / 2:
        known &= ~plan.head  # the face says it better
    hollow = (person.state == INTERPOLATED) & ~plan.fine
    radius = sizes.joint * plan.weight
    edge = np.where(plan.fine, 0.5, 1.0) * sizes.outline
    rows = np.flatnonzero(known[plan.limbs].all(1))
    ends = person.keypoints_px[plan.limbs[rows]].astype(np.float64)  # (m, 2, 2)
    gap = np.where(hollow, _RING * radius, 0.0)[plan.limbs[rows]]  # rings stay empty inside
    half = 0.5 * sizes.limb * plan.limb_weight[rows]
    joints = [k for k in plan.joints if known[k]]
    at = _fixed(np.where(known[:, None], person.keypoints_px, 0.0))
    # All edges go below all fills, so that crossing limbs and joints read as one figure.
    for quad in _quads(ends, gap, half + edge[plan.limbs[rows]].min(1, initial=sizes.outline)):
        if quad is not None:
            cv2.fillConvexPoly(image, quad, OUTLINE, cv2.LINE_AA, _BITS)
    for k in joints:
        _draw_joint(image, at[k], radius[k], OUTLINE, bool(hollow[k]), edge[k])
    for row, quad in zip(rows, _quads(ends, gap, half), strict=True):
        if quad is not None:
            cv2.fillConvexPoly(image, quad, SIDE_COLOURS[plan.limb_side[row]], cv2.LINE_AA, _BITS)
    for k in joints:
        _draw_joint(image, at[k], radius[k], SIDE_COLOURS[skeleton.side(k)], bool(hollow[k]), 0.0)


def _drawable(person: Person, shape: tuple[int, ...]) -> np.ndarray:
    """(K,) bool: known, and not so far outside the picture that cv2's integers would overflow."""
    size = np.array([shape[1], shape[0]])
    with np.errstate(invalid="ignore"):
        near = (np.abs(person.keypoints_px - size / 2) < 2 * size.max()).all(1)  # False for NaN
    return near & (person.state != MISSING)


def _quads(ends: np.ndarray, gap: np.ndarray, half: np.ndarray) -> list[np.ndarray | None]:
    """Corners (4, 2) i32, in cv2's fixed point, of limbs between ends (m, 2, 2) that start ``gap (m, 2)`` inside.

    ``half (m,)`` is half the width. None where nothing is left between the gaps.
    """
    along = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(along, axis=1)
    unit = along / np.maximum(length, 1e-6)[:, None]
    start, stop = ends[:, 0] + unit * gap[:, :1], ends[:, 1] - unit * gap[:, 1:]
    # cv2's smooth edges reach about half a pixel beyond the polygon.
    across = np.stack([-unit[:, 1], unit[:, 0]], 1) * np.maximum(half - 0.5, 0.1)[:, None]
    corners = _fixed(np.stack([start + across, stop + across, stop - across, start - across], 1))
    return [c if n > 0 else None for c, n in zip(corners, length - gap.sum(1), strict=True)]


def _draw_joint(image: np.ndarray, at: np.ndarray, radius: float, colour: Colour, hollow: bool, grow: float) -> None:
    """A dot, or a ring around nothing, at a fixed-point position; ``grow`` widens it for the edge below."""
    x, y = int(at[0]), int(at[1])
    if hollow:
        line = max(1, round(0.4 * radius))
        middle = round((_RING * radius - 0.5 * line) * (1 << _BITS))
        cv2.circle(image, (x, y), middle, colour, line + round(2 * grow), cv2.LINE_AA, _BITS)
    else:
        cv2.circle(image, (x, y), round((radius - 0.3 + grow) * (1 << _BITS)), colour, -1, cv2.LINE_AA, _BITS)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Points in px, pixel centres at .5, as cv2's fixed-point integers, pixel centres at 0."""
    return np.round((points - 0.5) * (1 << _BITS)).astype(np.int32)


@contextlib.contextmanager
def _faded(image: np.ndarray, extent: np.ndarray, opacity: float) -> Iterator[None]:
    """What the block draws within reach of ``extent`` is mixed with what was there before."""
    if opacity >= 1:
        yield
        return
    height, width = image.shape[:2]
    reach = 0.5 * max(extent[2] - extent[0], extent[3] - extent[1]) + 8  # keypoints may leave the box
    x1, y1 = (int(v) for v in np.clip(extent[:2] - reach, 0, [width, height]))
    x2, y2 = (int(v) for v in np.clip(extent[2:] + reach, 0, [width, height]))
    part = image[y1:y2, x1:x2]
    before = part.copy()
    yield
    part[:] = cv2.addWeighted(part, opacity, before, 1 - opacity, 0)


# --- box and label ---------------------------------------------------------------------------------------------------


def draw_box(image: np.ndarray, person: Person, sizes: Sizes) -> None:
    """A thin box in the person's colour, dashed for a bridged person."""
    if not np.isfinite(person.box_px).all():
        return
    height, width = image.shape[:2]
    # Sides outside the picture stay outside, but near.
    low, high = np.full(2, -8.0 * sizes.box), np.array([width, height]) + 8.0 * sizes.box
    x1, y1, x2, y2 = (int(v) for v in np.round(np.clip(person.box_px.reshape(2, 2), low, high)).ravel())
    colour = person_colour(person.person_id)
    if person.measured:
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, sizes.box)
        return
    dash = 5 * sizes.box
    for x in range(x1, x2, 2 * dash):
        for y in (y1, y2):
            cv2.line(image, (x, y), (min(x + dash, x2), y), colour, sizes.box)
    for y in range(y1, y2, 2 * dash):
        for x in (x1, x2):
            cv2.line(image, (x, y), (x, min(y + dash, y2)), colour, sizes.box)


def draw_label(image: np.ndarray, person: Person, extent: np.ndarray, sizes: Sizes, skeleton: Skeleton) -> None:
    """The person's id on a small rounded plate above the head, moved as far as needed to lie in the picture."""
    plate, alpha = _label(str(person.person_id), sizes.label, person_colour(person.person_id))
    h, w = alpha.shape[:2]
    height, width = image.shape[:2]
    if h > height or w > width:
        return
    known = skeleton.names[0] == "nose" and _drawable(person, image.shape)[0]
    nose = person.keypoints_px[0] if known else None
    centre = (extent[0] + extent[2]) / 2 if nose is None else min(max(float(nose[0]), extent[0]), extent[2])
    x = int(min(max(round(centre - w / 2), 0), width - w))
    y = int(min(max(round(extent[1] - h - sizes.box), 0), height - h))
    part = image[y : y + h, x : x + w]
    part[:] = np.round(part * (1 - alpha) + plate)


@lru_cache(maxsize=256)
def _label(text: str, height: int, colour: Colour) -> tuple[np.ndarray, np.ndarray]:
    """A rounded plate with a text: RGB times alpha (h, w, 3) f32 and alpha (h, w, 1) f32 in 0…1."""
    fine = 4  # drawn larger and scaled down, which smooths text and corners alike
    h = height * fine
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(0.08 * h))
    scale = 0.58 * h / cv2.getTextSize("0", font, 1.0, 1)[0][1]
    (text_w, text_h), _ = cv2.getTextSize(text, font, scale, thick)
    w = -(-max(round(text_w + 0.5 * h), h) // fine) * fine
    mask = np.zeros((h, w), np.uint8)
    r = round(0.28 * h)
    cv2.rectangle(mask, (r, 0), (w - 1 - r, h - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (w - 1, h - 1 - r), 255, -1)
    for x in (r, w - 1 - r):
        for y in (r, h - 1 - r):
            cv2.circle(mask, (x, y), r, 255, -1)
    plate = np.full((h, w, 3), colour, np.uint8)
    cv2.putText(plate, text, ((w - text_w) // 2, (h + text_h) // 2), font, scale, OUTLINE, thick, cv2.LINE_AA)
    small = (w // fine, height)
    alpha = cv2.resize(mask, small, interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
    return cv2.resize(plate, small, interpolation=cv2.INTER_AREA).astype(np.float32) * alpha, alpha
