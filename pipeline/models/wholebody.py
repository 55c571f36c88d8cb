"""Whole bodies from the embedded networks: Thunder's body, BlazePose's feet, hands and faces in crops from BlazePose.

A point is as sure as all that speaks for it. What cannot be seen is not invented: a hand behind the back, a face from
behind, a hand of a few pixels, a point outside the picture have a score of 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.models.base import People, Poses
from pipeline.models.blazepose import BlazePose
from pipeline.models.face import MARGIN, FaceNetwork, Faces, views_of_heads
from pipeline.models.hand import VIEW_M, Arms, HandNetwork, Hands
from pipeline.models.movenet import SinglePose
from pipeline.models.runtime import Device
from pipeline.models.wholebody_sets import BODY, FACE, FACE68, FEET, HANDS, HANDS42, WHOLEBODY133
from pipeline.skeleton import BLAZEPOSE33, COCO17, Skeleton, mapping

K = len(WHOLEBODY133)
PARTS: dict[str, tuple[Skeleton, slice]] = {
    "wholebody": (WHOLEBODY133, slice(0, K)),
    "hands": (HANDS42, HANDS),
    "face": (FACE68, FACE),
}
# Side of a crop in px, of which a hand takes 0.6 and a face 0.67: not looked at below, and nothing taken from the score
# from the second one on; at the first one a quarter is left of it.
LEAST_PX, FULL_PX = 20.0, 40.0
HIDDEN, VISIBLE = 0.1, 0.3  # a wrist's or ankle's own score: nothing is looked for below, nothing taken away above
NEAR_M, FAR_M = 0.1, 0.25  # between two networks' opinions of a joint: full agreement up to, none from
SAME_HAND_M = 0.07  # two hands of a person closer than this are one, seen twice
SIDE_PENALTY = 0.65  # taken from the score of a hand that surely belongs to the other arm
ODD_SIZE = (0.35, 2.0)  # a hand's size over what the body lets expect: outside it is no hand of this person
FACE_NEAR, FACE_FAR = 0.2, 0.45  # of the face's size: between the mesh's eyes and nose and the body's
_BLAZE = BLAZEPOSE33.index
_COCO_IN_BLAZE = mapping(BLAZEPOSE33, COCO17)
_TRUNK = [_BLAZE(f"{side}_{joint}") for joint in ("shoulder", "hip", "elbow", "knee") for side in ("left", "right")]
_EYES = [k for k, name in enumerate(BLAZEPOSE33.names) if "_eye" in name]
_MOUTH = [_BLAZE("left_mouth"), _BLAZE("right_mouth")]
_HEAD = [COCO17.index(name) for name in ("nose", "left_eye", "right_eye")]
_HEAD_IN_FACE = ([30], [42, 43, 44, 45, 46, 47], [36, 37, 38, 39, 40, 41])  # whose means are these


class WholeBody:
    """133 points of each person, or only the hands' 42 or the face's 68 of them."""

    def __init__(self, device: Device, batch: int, part: str = "wholebody", prior_only: bool = False):
        self.skeleton, self.columns = PARTS[part]
        self.thunder = SinglePose(device, "movenet-thunder", batch, prior_only)
        self.blazepose = BlazePose(device, batch)
        self.hand = HandNetwork(device) if part != "face" else None
        self.face = FaceNetwork(device, batch) if part != "hands" else None
        networks = (self.thunder, self.blazepose, self.hand, self.face)
        self.sessions = [session for network in networks if network for session in network.sessions]

    def estimate(self, images: np.ndarray, people: People) -> Poses:
        """Keypoints (N, K, 2) f32 px and scores (N, K) f32 of people in images (B, H, W, 3) u8 RGB.

        The certainty (N,) is the body's mean score: a person is there, though hands and face may be hidden.
        """
        body = self.thunder.estimate(images, people)
        # BlazePose takes its crop from the best pose known.
        placed = replace(people, keypoints_px=body.keypoints_px, keypoint_score=body.score)
        blaze = self.blazepose.estimate(images, placed)
        scale = px_per_metre(blaze)
        points, score = np.zeros((len(people), K, 2)), np.zeros((len(people), K))
        points[:, BODY], score[:, BODY] = body.keypoints_px, body.score
        points[:, FEET], score[:, FEET] = feet(body, blaze, scale)
        if self.hand:
            points[:, HANDS], score[:, HANDS] = self._hands(self.hand, images, people.image, blaze, scale)
        if self.face:
            points[:, FACE], score[:, FACE] = self._face(self.face, images, people.image, body, blaze, scale)
        rest = slice(BODY.stop, K)
        score[:, rest] *= same_body(body, blaze, scale)[:, None] * inside(points[:, rest], images.shape[1:3])
        return Poses(
            points[:, self.columns].astype(np.float32),
            score[:, self.columns].astype(np.float32),
            certainty=body.score.mean(1),
        )

    @staticmethod
    def _hands(
        network: HandNetwork, images: np.ndarray, image: np.ndarray, blaze: Poses, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 42, 2) and scores (N, 42) of both hands; an arm's hand that was not found lies at its wrist."""
        arms, visible = arms_of(image, blaze, scale)
        points = np.repeat(arms.wrist[:, None], 21, 1)
        score = np.zeros(len(visible))
        rows = np.flatnonzero((visible >= HIDDEN) & (VIEW_M * arms.px_per_m >= LEAST_PX))
        some = Arms(*(a[rows] for a in arms))
        found = network.find(images, some)
        points[rows], score[rows] = found.points_px, hand_scores(found, some, visible[rows])
        # Of a hand that is mostly outside the picture the rest is a guess, too.
        score *= ramp(inside(points, images.shape[1:3]).mean(1), 0.3, 0.8)
        pairs = points.reshape(-1, 2, 21, 2)
        score = without_doubles(pairs, score.reshape(-1, 2), scale)
        return pairs.reshape(-1, 42, 2), np.repeat(score, 21, 1)

    @staticmethod
    def _face(
        network: FaceNetwork, images: np.ndarray, image: np.ndarray, body: Poses, blaze: Poses, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 68, 2) and scores (N, 68) of faces; one that was not found lies at the nose."""
        seen = blaze.keypoints_px.astype(np.float64)
        points = np.repeat(seen[:, :1], 68, 1)
        score = np.zeros((len(image), 68))
        views = views_of_heads(np.take(seen, _EYES, 1).mean(1), np.take(seen, _MOUTH, 1).mean(1), scale)
        rows = np.flatnonzero((blaze.score[:, 0] >= HIDDEN) & (views.side >= LEAST_PX))
        found = network.find(images, image[rows], views.take(rows))
        score[rows] = face_scores(found, _rows(body, rows), _rows(blaze, rows))
        points[rows] = found.points_px
        return points, score


def _rows(poses: Poses, rows: np.ndarray) -> Poses:
    return Poses(poses.keypoints_px[rows], poses.score[rows])


def ramp(x: np.ndarray, zero: float, one: float) -> np.ndarray:
    """0 at ``zero``, 1 at ``one``, straight between and level outside."""
    return ((x - zero) / (one - zero)).clip(0, 1)


def px_per_metre(blaze: Poses) -> np.ndarray:
    """(N,) px of the picture per metre of BlazePose's world at each person, by least squares over the trunk.

    Unlike lengths in the picture it does not shrink with limbs that point at the camera.
    """
    assert blaze.world_m is not None
    # Taken, not indexed: else the sums' last bits would depend on how many people there are.
    px = np.take(blaze.keypoints_px, _TRUNK, 1).astype(np.float64)
    metres = np.take(blaze.world_m[..., :2], _TRUNK, 1).astype(np.float64)
    px -= px.mean(1, keepdims=True)
    metres -= metres.mean(1, keepdims=True)
    scale = (px * metres).sum((1, 2)) / np.maximum((metres**2).sum((1, 2)), 1e-9)
    return np.maximum(scale, 1e-3)


def same_body(body: Poses, blaze: Poses, scale: np.ndarray) -> np.ndarray:
    """(N,) 0…1: both networks look at the same person; where two people overlap one may have the neighbour."""
    apart = np.linalg.norm(body.keypoints_px - np.take(blaze.keypoints_px, _COCO_IN_BLAZE, 1), axis=2) / scale[:, None]
    weight = body.score.astype(np.float64) ** 2
    near = (ramp(apart, 2 * FAR_M, NEAR_M) * weight).sum(1) / np.maximum(weight.sum(1), 1e-9)
    return ramp(near, 0.3, 0.6)


def large_enough(side: np.ndarray) -> np.ndarray:
    """(N,) 0…1: what a crop of ``side`` px lets see."""
    return ramp(side, LEAST_PX - (FULL_PX - LEAST_PX) / 3, FULL_PX)


def inside(points: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(N, K) bool: the points (N, K, 2) px lie in a picture of ``size`` (height, width)."""
    height, width = size
    return (points >= 0).all(2) & (points[..., 0] < width) & (points[..., 1] < height)


# --- feet ------------------------------------------------------------------------------------------------------------


def feet(body: Poses, blaze: Poses, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 6, 2) and scores (N, 6): big toe, small toe and heel, left and right.

    BlazePose is sure of feet that nobody sees, so the ankle has to be seen by Thunder, and at the same place. It knows
    one tip of the foot, taken as the big toe; of the small toe nothing is known.
    """
    points, score = np.zeros((len(scale), 6, 2)), np.zeros((len(scale), 6))
    seen = blaze.keypoints_px.astype(np.float64)
    for i, side in enumerate(("left", "right")):
        ankle, toe, heel = (_BLAZE(f"{side}_{part}") for part in ("ankle", "foot_index", "heel"))
        own = COCO17.index(f"{side}_ankle")
        gap = body.keypoints_px[:, own] - seen[:, ankle]
        apart = np.linalg.norm(gap, axis=1) / scale
        trust = ramp(body.score[:, own], HIDDEN, VISIBLE) * ramp(apart, FAR_M, NEAR_M)
        # The foot hangs on the mean of both networks' ankles.
        points[:, 3 * i : 3 * i + 3] = seen[:, [toe, ankle, heel]] + gap[:, None] / 2
        score[:, [3 * i, 3 * i + 2]] = blaze.score[:, [toe, heel]] * trust[:, None]
    return points, score


# --- hands -----------------------------------------------------------------------------------------------------------


def arms_of(image: np.ndarray, blaze: Poses, scale: np.ndarray) -> tuple[Arms, np.ndarray]:
    """Both arms of N people, in turn left and right, and how well each wrist is seen (2N,), 0…1."""

    def both(joint: str) -> np.ndarray:
        columns = [_BLAZE(f"left_{joint}"), _BLAZE(f"right_{joint}")]
        return blaze.keypoints_px[:, columns].reshape(-1, 2).astype(np.float64)

    knuckles = (2 * both("index") + both("pinky")) / 3  # above the middle finger's root
    right = np.tile([False, True], len(image))
    arms = Arms(np.repeat(image, 2), right, both("elbow"), both("wrist"), knuckles, np.repeat(scale, 2))
    return arms, blaze.score[:, [_BLAZE("left_wrist"), _BLAZE("right_wrist")]].reshape(-1).astype(np.float64)


def hand_scores(hands: Hands, arms: Arms, visible: np.ndarray) -> np.ndarray:
    """(M,) 0…1: presence, less what speaks against it.

    A hidden wrist, a hand too small to tell its fingers, at another place or of another size than the arm's, or
    the other side's hand.
    """
    expected = VIEW_M * arms.px_per_m
    size = hands.side_px / expected
    apart = np.linalg.norm(hands.points_px[:, 0] - arms.wrist, axis=1) / arms.px_per_m
    wrong = ramp(np.where(arms.right, 1 - hands.right, hands.right), 0.5, 0.95)
    score = hands.presence * ramp(visible, 0, VISIBLE) * large_enough(expected)
    score *= ramp(apart, FAR_M, NEAR_M) * (1 - SIDE_PENALTY * wrong)
    return np.where((size > ODD_SIZE[0]) & (size < ODD_SIZE[1]), score, 0)


def without_doubles(points: np.ndarray, score: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Scores (N, 2) of both hands (N, 2, 21, 2); the weaker one gets 0 where both are the same hand."""
    apart = np.linalg.norm(points[:, 0] - points[:, 1], axis=2).mean(1) / scale
    same = (apart < SAME_HAND_M)[:, None] & (score > 0).all(1, keepdims=True)
    weaker = np.arange(2)[None] == score.argmin(1)[:, None]
    return np.where(same & weaker, 0, score)


# --- face ------------------------------------------------------------------------------------------------------------


def face_scores(faces: Faces, body: Poses, blaze: Poses) -> np.ndarray:
    """(M, 68) 0…1: presence, less what speaks against it.

    A hidden or very small face, eyes and nose at another place than both bodies', and the side turned away.
    """
    size = np.maximum(faces.side_px / MARGIN, 1e-3)
    anchors = np.stack([np.take(faces.points_px, rows, 1).mean(1) for rows in _HEAD_IN_FACE], 1)  # (M, 3, 2)

    def agreement(points: np.ndarray, score: np.ndarray) -> np.ndarray:
        apart = np.linalg.norm(points - anchors, axis=2) / size[:, None]
        sure = score >= VISIBLE
        mean = np.where(sure, apart, 0).sum(1) / np.maximum(sure.sum(1), 1)  # 0 where it knows nothing
        return ramp(mean, FACE_FAR, FACE_NEAR)

    columns = _COCO_IN_BLAZE[_HEAD]
    score = faces.presence * ramp(blaze.score[:, 0], 0, VISIBLE) * large_enough(faces.side_px)
    score *= agreement(np.take(blaze.keypoints_px, columns, 1), np.take(blaze.score, columns, 1))
    score *= agreement(np.take(body.keypoints_px, _HEAD, 1), np.take(body.score, _HEAD, 1))
    return score[:, None] * faces.facing
