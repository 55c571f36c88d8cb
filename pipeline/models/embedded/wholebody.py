"""Whole bodies from the embedded networks: RTMPose's body and feet; hands and faces in crops placed by its points.

A point's score combines all evidence for the point. Hidden points are not invented: a hand behind the back, a face from
behind, a hand of a few px and a point outside the picture have a score of 0.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.keypoint_sets import HALPE26
from pipeline.core.skeleton import COCO17, Skeleton
from pipeline.core.wholebody_sets import BODY, FACE, FACE68, FEET, FOOT_NAMES, HANDS, HANDS42, WHOLEBODY133
from pipeline.models.detections import Detections, Poses
from pipeline.models.embedded.face import MARGIN, FaceNetwork, Faces, Heads, views_of_heads
from pipeline.models.embedded.hand import VIEW_M, Arms, HandNetwork, Hands
from pipeline.models.protocols import PoseNetwork
from pipeline.models.runtime import Device

K = len(WHOLEBODY133)
PARTS: dict[str, tuple[Skeleton, slice]] = {
    "wholebody": (WHOLEBODY133, slice(0, K)),
    "hands": (HANDS42, HANDS),
    "face": (FACE68, FACE),
}
# Sides of a crop in px, of which a hand or face takes two thirds. Crops below the first side are not looked at, a crop
# of the first side keeps a quarter of its score, and crops from the second side on keep their whole score.
LEAST_PX, FULL_PX = 17.0, 34.0
HIDDEN, VISIBLE = 0.2, 0.4  # score of a wrist or head: no hand or face is sought below, no score is lost above
NEAR_M, FAR_M = 0.1, 0.25  # hand's root to body's wrist: full agreement up to the first, none from the second
SAME_HAND_M = 0.07  # two hands of a person closer than this are one, seen twice
SIDE_PENALTY = 0.65  # share of its score that a hand of the other arm loses
ODD_SIZE = (0.4, 2.3)  # hand size over the size expected from the body: a hand outside is not this person's
FACE_NEAR, FACE_FAR = 0.15, 0.35  # from the mesh's eyes and nose to the body's, over the face's size
_AT = HALPE26.index
_FEET = [_AT(name) for name in FOOT_NAMES]
_HEAD = [COCO17.index(name) for name in ("nose", "left_eye", "right_eye")]
_HEAD_IN_FACE = ([30], [42, 43, 44, 45, 46, 47], [36, 37, 38, 39, 40, 41])  # mesh points whose means are nose and eyes
# Lengths of a body 1.70 m tall in metres, each between the middles of points: trunk and legs follow Winter
# (2009), the others RTMPose's points, measured against the trunk and the size of faces.
HEIGHT_M = 1.70
_SHOULDERS, _HIPS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
LENGTHS_M: tuple[tuple[tuple[str, ...], tuple[str, ...], float], ...] = (
    (_SHOULDERS, _HIPS, 0.288 * HEIGHT_M),
    *(((f"{side}_hip",), (f"{side}_knee",), 0.245 * HEIGHT_M) for side in ("left", "right")),
    *(((f"{side}_knee",), (f"{side}_ankle",), 0.246 * HEIGHT_M) for side in ("left", "right")),
    (("head",), ("neck",), 0.25),
    (("left_shoulder",), ("right_shoulder",), 0.34),
    (("left_ear",), ("right_ear",), 0.165),
)
SURE = 0.3  # least score of the end points of a length that is used
MOST = 1.3  # the largest scale from a length counts as at most this many times the second largest
BOX_M = 1.04 * HEIGHT_M  # longer side of a box around a whole person


class WholeBody:
    """133 points of each person, or only the hands' 42 or the face's 68 of them."""

    def __init__(self, device: Device, body: PoseNetwork, batch: int, part: str = "wholebody"):
        """``body`` gives the points HALPE26; ``batch`` faces are looked at together."""
        self.skeleton, self.columns = PARTS[part]
        self.body = body
        self.hand = HandNetwork(device) if part != "face" else None
        self.face = FaceNetwork(device, batch) if part != "hands" else None
        networks = (self.body, self.hand, self.face)
        self.sessions = [session for network in networks if network for session in network.sessions]

    def estimate(self, images: np.ndarray, people: Detections) -> Poses:
        """Keypoints (N, K, 2) f32 px and scores (N, K) f32 of people in images (B, H, W, 3) u8 RGB.

        The certainty (N,) is the body's mean score: a person is there, though hands and face may be hidden.
        """
        body = self.body.estimate(images, people)
        scale = px_per_metre(body, people.box_px)
        points, score = np.zeros((len(people), K, 2)), np.zeros((len(people), K))
        for part, columns in ((BODY, list(range(BODY.stop))), (FEET, _FEET)):
            points[:, part], score[:, part] = body.keypoints_px[:, columns], body.score[:, columns]
        if self.hand:
            points[:, HANDS], score[:, HANDS] = self._hands(self.hand, images, people.image, body, scale)
        if self.face:
            points[:, FACE], score[:, FACE] = self._face(self.face, images, people.image, body, scale)
        rest = slice(BODY.stop, K)
        score[:, rest] *= inside(points[:, rest], images.shape[1:3])
        return Poses(
            points[:, self.columns].astype(np.float32),
            score[:, self.columns].astype(np.float32),
            certainty=body.score[:, BODY].mean(1),
        )

    @staticmethod
    def _hands(
        network: HandNetwork, images: np.ndarray, image: np.ndarray, body: Poses, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 42, 2) and scores (N, 42) of both hands; an arm's hand that was not found lies at its wrist."""
        arms, visible = arms_of(image, body, scale)
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
        network: FaceNetwork, images: np.ndarray, image: np.ndarray, body: Poses, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 68, 2) and scores (N, 68) of faces; one that was not found lies at the nose."""
        points = np.repeat(body.keypoints_px[:, :1].astype(np.float64), 68, 1)
        score = np.zeros((len(image), 68))
        views = views_of_heads(heads_of(body, scale))
        rows = np.flatnonzero((visible_heads(body) >= HIDDEN) & (views.side >= LEAST_PX))
        found = network.find(images, image[rows], views.take(rows))
        points[rows], score[rows] = found.points_px, face_scores(found, body.take(rows))
        return points, score


def ramp(x: np.ndarray, zero: float, one: float) -> np.ndarray:
    """0 at ``zero``, 1 at ``one``, straight between and level outside."""
    return ((x - zero) / (one - zero)).clip(0, 1)


def px_per_metre(body: Poses, box_px: np.ndarray) -> np.ndarray:
    """(N,) px of the picture per metre at each person, as if 1.70 m tall; from the box (N, 4) where little is seen.

    The scale is the mean of the two largest scales from body lengths: a limb that points at the camera looks short, but
    no limb looks too long unless a point is misplaced.
    """
    said = np.zeros((len(body.score), len(LENGTHS_M)))
    for i, (ends_a, ends_b, metres) in enumerate(LENGTHS_M):
        a, b = [_AT(name) for name in ends_a], [_AT(name) for name in ends_b]
        apart = middle(body, a) - middle(body, b)
        sure = body.score[:, a + b].min(1) >= SURE
        said[:, i] = np.where(sure, np.linalg.norm(apart, axis=1) / metres, 0)
    second, first = np.sort(said, 1)[:, -2:].T
    box = (box_px[:, 2:] - box_px[:, :2]).max(1).astype(np.float64) / BOX_M
    both = (np.minimum(first, MOST * second) + second) / 2
    scale = np.where(second > 0, both, np.where(first > 0, first, box))
    return np.maximum(scale, 1e-3)


def middle(body: Poses, columns: list[int]) -> np.ndarray:
    """(N, 2) f64 mean of one or two points. ``np.take`` instead of indexing: the last bits must not depend on the
    number of people."""
    return np.take(body.keypoints_px, columns, 1).astype(np.float64).mean(1)


def large_enough(side: np.ndarray) -> np.ndarray:
    """(N,) 0…1: the factor of the score by a crop's ``side`` in px."""
    return ramp(side, LEAST_PX - (FULL_PX - LEAST_PX) / 3, FULL_PX)


def inside(points: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(N, K) bool: the points (N, K, 2) px lie in a picture of ``size`` (height, width)."""
    height, width = size
    return (points >= 0).all(2) & (points[..., 0] < width) & (points[..., 1] < height)


# --- hands -----------------------------------------------------------------------------------------------------------


def arms_of(image: np.ndarray, body: Poses, scale: np.ndarray) -> tuple[Arms, np.ndarray]:
    """Both arms of N people, in turn left and right, and how well each wrist is seen (2N,), 0…1."""
    elbows, wrists = ([_AT(f"{side}_{joint}") for side in ("left", "right")] for joint in ("elbow", "wrist"))
    elbow, wrist = (body.keypoints_px[:, c].reshape(-1, 2).astype(np.float64) for c in (elbows, wrists))
    right = np.tile([False, True], len(image))
    arms = Arms(np.repeat(image, 2), right, elbow, wrist, np.repeat(scale, 2))
    return arms, body.score[:, wrists].reshape(-1).astype(np.float64)


def hand_scores(hands: Hands, arms: Arms, visible: np.ndarray) -> np.ndarray:
    """(M,) 0…1: presence, lowered by all evidence against the hand.

    Such evidence is a hidden wrist, a hand too small to tell its fingers, a place or size that does not fit the arm, or
    a hand of the other side.
    """
    expected = VIEW_M * arms.px_per_m
    size = hands.side_px / expected
    apart = np.linalg.norm(hands.points_px[:, 0] - arms.wrist, axis=1) / arms.px_per_m
    wrong = ramp(np.where(arms.right, 1 - hands.right, hands.right), 0.5, 0.95)
    score = hands.presence * ramp(visible, HIDDEN, VISIBLE) * large_enough(expected)
    score *= ramp(apart, FAR_M, NEAR_M) * (1 - SIDE_PENALTY * wrong)
    return np.where((size > ODD_SIZE[0]) & (size < ODD_SIZE[1]), score, 0)


def without_doubles(points: np.ndarray, score: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Scores (N, 2) of both hands (N, 2, 21, 2); the weaker one gets 0 where both are the same hand."""
    apart = np.linalg.norm(points[:, 0] - points[:, 1], axis=2).mean(1) / scale
    same = (apart < SAME_HAND_M)[:, None] & (score > 0).all(1, keepdims=True)
    weaker = np.arange(2)[None] == score.argmin(1)[:, None]
    return np.where(same & weaker, 0, score)


# --- face ------------------------------------------------------------------------------------------------------------


def heads_of(body: Poses, scale: np.ndarray) -> Heads:
    """The heads of N people."""
    parts = ("left_eye", "right_eye", "left_ear", "right_ear", "head", "neck")
    return Heads._make((*(middle(body, [_AT(part)]) for part in parts), scale))


def visible_heads(body: Poses) -> np.ndarray:
    """(N,) 0…1: how well nose and eyes are seen. RTMPose also gives high scores to heads from behind."""
    return np.take(body.score, _HEAD, 1).astype(np.float64).mean(1)


def face_scores(faces: Faces, body: Poses) -> np.ndarray:
    """(M, 68) 0…1: presence, lowered by all evidence against each point.

    Such evidence is a hidden or very small face, eyes and nose away from the body's, or a side that is turned away.
    """
    size = np.maximum(faces.side_px / MARGIN, 1e-3)
    anchors = np.stack([np.take(faces.points_px, rows, 1).mean(1) for rows in _HEAD_IN_FACE], 1)  # (M, 3, 2)
    apart = np.linalg.norm(np.take(body.keypoints_px, _HEAD, 1) - anchors, axis=2) / size[:, None]
    sure = np.take(body.score, _HEAD, 1) >= VISIBLE
    mean = np.where(sure, apart, 0).sum(1) / np.maximum(sure.sum(1), 1)  # 0 where the body knows no point
    score = faces.presence * ramp(visible_heads(body), HIDDEN, VISIBLE) * large_enough(faces.side_px)
    score *= ramp(mean, FACE_FAR, FACE_NEAR)
    return score[:, None] * faces.facing
