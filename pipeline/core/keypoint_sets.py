"""Keypoint sets for networks whose files name no set, by name and by the number of points.

Names, limbs and sigmas are those of MMPose's metadata (Apache-2.0). The data sets are COCO (Lin et al. 2014),
COCO-WholeBody (Jin et al. 2020) with its hands and faces, Halpe-26 (Li et al. 2020), LaPa's face of 106 points (Liu et
al. 2020), CrowdPose (Li et al. 2019), MPII (Andriluka et al. 2014), Human-Art (Ju et al. 2023), AP-10K (Yu et al. 2021)
and Animal-Pose (Cao et al. 2019). LaPa publishes no sigmas: each point has .05.
"""

from __future__ import annotations

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import BLAZEPOSE33, COCO17, Skeleton
from pipeline.core.wholebody_sets import FACE68, HANDS42, WHOLEBODY133

SIGMA = 0.05  # for sets without sigmas: COCO-WholeBody's hands and faces and COCO's joints lie around it


def _pairs(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in (pair.split("-") for pair in text.split()))


def _set(name: str, names: str, limbs: str, sigmas: str, swaps: str | None = None) -> Skeleton:
    """A set from space-separated words; sigmas are in thousandths."""
    thousandths = tuple(round(int(s) / 1000, 3) for s in sigmas.split())
    return Skeleton(name, tuple(names.split()), _pairs(limbs), thousandths, None if swaps is None else _pairs(swaps))


# Halpe's "head" is the top of the head, "neck" lies at the throat above the shoulder line, "hip" between the hips.
_BODY = " ".join(COCO17.names)
_BODY_SIGMAS = "26 25 25 35 35 79 79 72 72 62 62 107 107 87 87 89 89"
HALPE26 = _set(
    "halpe26",
    f"{_BODY} head neck hip left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel",
    # The trunk is its middle line; a foot is the triangle of ankle, heel and big toe, and from there to the small toe.
    "15-13 13-11 11-19 16-14 14-12 12-19 17-18 18-19 18-5 5-7 7-9 18-6 6-8 8-10 0-1 0-2 1-3 2-4 15-24 24-20 15-20 "
    "20-22 16-25 25-21 16-21 21-23",
    f"{_BODY_SIGMAS} 26 26 66 79 79 79 79 79 79",
)
HUMANART21 = _set(
    "humanart21",
    f"{_BODY} left_finger right_finger left_toe right_toe",
    "15-13 13-11 16-14 14-12 11-12 5-11 6-12 5-6 5-7 6-8 7-9 8-10 1-2 0-1 0-2 1-3 2-4 3-5 4-6 15-19 16-20 9-17 10-18",
    f"{_BODY_SIGMAS} 89 89 89 89",
)
CROWDPOSE14 = _set(
    "crowdpose14",
    "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip left_knee "
    "right_knee left_ankle right_ankle top_head neck",
    "10-8 8-6 11-9 9-7 6-7 0-6 1-7 0-1 0-2 1-3 2-4 3-5 12-13 1-13 0-13",
    "79 79 72 72 62 62 107 107 87 87 89 89 79 79",
)
MPII16 = _set(
    "mpii16",
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top right_wrist "
    "right_elbow right_shoulder left_shoulder left_elbow left_wrist",
    "0-1 1-2 2-6 6-3 3-4 4-5 6-7 7-8 8-9 8-12 12-11 11-10 8-13 13-14 14-15",
    "89 83 107 107 83 89 26 26 26 26 62 72 179 179 72 62",
)
AP10K = _set(
    "ap10k",
    "L_Eye R_Eye Nose Neck Root_of_tail L_Shoulder L_Elbow L_F_Paw R_Shoulder R_Elbow R_F_Paw L_Hip L_Knee L_B_Paw "
    "R_Hip R_Knee R_B_Paw",
    "0-1 0-2 1-2 2-3 3-4 3-5 5-6 6-7 3-8 8-9 9-10 4-11 11-12 12-13 4-14 14-15 15-16",
    "25 25 26 35 35 79 72 62 79 72 62 107 87 89 107 87 89",
    "0-1 5-8 6-9 7-10 11-14 12-15 13-16",
)
ANIMALPOSE20 = _set(
    "animalpose20",
    "L_Eye R_Eye L_EarBase R_EarBase Nose Throat TailBase Withers L_F_Elbow R_F_Elbow L_B_Elbow R_B_Elbow L_F_Knee "
    "R_F_Knee L_B_Knee R_B_Knee L_F_Paw R_F_Paw L_B_Paw R_B_Paw",
    "0-1 0-2 1-3 0-4 1-4 4-5 5-7 6-7 5-8 8-12 12-16 5-9 9-13 13-17 6-10 10-14 14-18 6-11 11-15 15-19",
    "25 25 26 35 35 100 100 100 107 107 107 107 87 87 87 87 89 89 89 89",
    "0-1 2-3 8-9 10-11 12-13 14-15 16-17 18-19",
)
HAND21 = Skeleton(
    "hand21",
    ("wrist", *(name.removeprefix("left_") for name in HANDS42.names[1:21])),
    tuple(limb for limb in HANDS42.limbs if max(limb) < 21),
    HANDS42.sigmas[:21],
    (),  # one hand, of either side
)

# Lines of LaPa's face, (first, last, closed): jaw, brows, bridge and wings of the nose, eyes, lips.
_LAPA_LINES = (
    (0, 32, False), (33, 41, True), (42, 50, True), (51, 54, False), (55, 65, False), (66, 73, True), (75, 82, True),
    (84, 95, True), (96, 103, True),
)  # fmt: skip


def _lapa() -> Skeleton:
    limbs = []
    for first, last, closed in _LAPA_LINES:
        limbs += [(i, i + 1) for i in range(first, last)] + [(last, first)] * closed
    swaps = _pairs(
        "32-0 31-1 30-2 29-3 28-4 27-5 26-6 25-7 24-8 23-9 22-10 21-11 20-12 19-13 18-14 17-15 46-33 45-34 44-35 43-36 "
        "42-37 50-38 49-39 48-40 47-41 65-55 64-56 63-57 62-58 61-59 79-66 78-67 77-68 76-69 75-70 82-71 81-72 80-73 "
        "83-74 90-84 89-85 88-86 91-95 92-94 100-96 99-97 101-103 105-104"
    )
    return Skeleton("face106", tuple(f"kpt_{i}" for i in range(106)), tuple(limbs), (SIGMA,) * 106, swaps)


FACE106 = _lapa()
SETS: dict[str, Skeleton] = {
    s.name: s
    for s in (
        *(COCO17, BLAZEPOSE33, HALPE26, WHOLEBODY133, HAND21, HANDS42, FACE68, FACE106),
        *(HUMANART21, CROWDPOSE14, MPII16, AP10K, ANIMALPOSE20),
    )
}
# The set assumed for a number of points when neither file nor setting names one: the published networks' sets.
_USUAL = {len(s): s for s in (COCO17, HALPE26, WHOLEBODY133, HAND21, FACE68, FACE106)}


def by_name(name: str, k: int) -> Skeleton:
    """The set called ``name``. PoselineError for an unknown name or when the set has not ``k`` points."""
    if name not in SETS:
        raise PoselineError(f"pose.keypoints={name}: no such keypoint set; choose one of {', '.join(SETS)}")
    if len(SETS[name]) != k:
        fitting = [s.name for s in SETS.values() if len(s) == k]
        wanted = f"choose {' or '.join(fitting)}, or" if fitting else "no known set has so many;"
        raise PoselineError(
            f"pose.keypoints={name}: has {len(SETS[name])} points where the network has {k}; {wanted} leave it out"
        )
    return SETS[name]


def by_count(k: int) -> tuple[Skeleton, str]:
    """The set that a network of ``k`` points usually has, and a warning; the warning is "" for a usual ``k``.

    For another ``k`` the points are called point_0 … and the set has no left/right pairs.
    """
    if k in _USUAL:
        return _USUAL[k], ""
    names = tuple(f"point_{i}" for i in range(k))
    fitting = [s.name for s in SETS.values() if len(s) == k]
    tell = f"; --set pose.keypoints={' or '.join(fitting)} names them" if fitting else ""
    return Skeleton(f"points{k}", names, (), (SIGMA,) * k, ()), f"its {k} keypoints have no names{tell}"
