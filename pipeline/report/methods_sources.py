"""What the methods text cites, and where the embedded networks come from (as `pipeline/assets/NOTICE` says)."""

from __future__ import annotations

from typing import NamedTuple


class CitedWork(NamedTuple):
    """A work that is cited."""

    short: str  # in the text
    full: str  # in the list of references


class Weights(NamedTuple):
    """An embedded network's file."""

    name: str
    origin: str  # who made it, from which data, under which licence
    cites: str  # key of `SOURCES`


FILES: dict[str, Weights] = {
    "yolox-tiny.onnx": Weights(
        "YOLOX-tiny", "weights of OpenMMLab, trained on people of COCO and Human-Art, Apache-2.0", "yolox"
    ),
    "rtmpose-s.onnx": Weights(
        "RTMPose-s",
        "weights of OpenMMLab, trained on AI Challenger, COCO, CrowdPose, MPII, sub-JHMDB, Halpe and PoseTrack18,"
        " Apache-2.0",
        "rtmpose",
    ),
    "handlandmark-full.onnx": Weights(
        "the hand landmark network of MediaPipe", "weights of Google, Apache-2.0", "hands"
    ),
    "facemesh.onnx": Weights("the face mesh network of MediaPipe", "weights of Google, Apache-2.0", "facemesh"),
}
# The files of embedded networks by the names that settings have for them.
EMBEDDED: dict[str, tuple[str, ...]] = {
    "yolox-tiny": ("yolox-tiny.onnx",),
    "rtmpose-s": ("rtmpose-s.onnx",),
    "wholebody": ("rtmpose-s.onnx", "handlandmark-full.onnx", "facemesh.onnx"),
    "hands": ("rtmpose-s.onnx", "handlandmark-full.onnx"),
    "face": ("rtmpose-s.onnx", "facemesh.onnx"),
}
POINTS = {  # keypoint sets in words
    "halpe26": "Halpe: the 17 points of COCO, top of the head, neck, middle of the hips, heels, big and small toes",
    "coco17": "COCO",
    "wholebody133": "COCO-WholeBody: body, feet, face and hands",
    "hands42": "21 a hand",
    "face68": "the face",
}
POSELINE = "poseline: one motion time series per person from long videos"  # as CITATION.cff says
AUTHORS = "The poseline developers"

SOURCES: dict[str, CitedWork] = {
    "yolox": CitedWork(
        "Ge et al. 2021", "Ge Z, Liu S, Wang F, Li Z, Sun J. YOLOX: Exceeding YOLO series in 2021. arXiv:2107.08430,"
        " 2021."
    ),
    "rtmpose": CitedWork(
        "Jiang et al. 2023",
        "Jiang T, Lu P, Zhang L, Ma N, Han R, Lyu C, Li Y, Chen K. RTMPose: Real-time multi-person pose estimation"
        " based"
        " on MMPose. arXiv:2303.07399, 2023.",
    ),
    "hands": CitedWork(
        "Zhang et al. 2020",
        "Zhang F, Bazarevsky V, Vakunov A, Tkachenka A, Sung G, Chang CL, Grundmann M. MediaPipe Hands: On-device"
        " real-time hand tracking. arXiv:2006.10214, 2020.",
    ),
    "facemesh": CitedWork(
        "Kartynnik et al. 2019",
        "Kartynnik Y, Ablavatski A, Grishchenko I, Grundmann M. Real-time facial surface geometry from monocular"
        " video on"
        " mobile GPUs. arXiv:1907.06724, 2019.",
    ),
    "cmu": CitedWork(
        "mocap.cs.cmu.edu",
        "CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu; created with funding from NSF EIA-0196217.",
    ),
    "rts": CitedWork(
        "Rauch et al. 1965",
        "Rauch HE, Tung F, Striebel CT. Maximum likelihood estimates of linear dynamic systems. AIAA Journal"
        " 3:1445-1450, 1965.",
    ),
    "savgol": CitedWork(
        "Savitzky and Golay 1964",
        "Savitzky A, Golay MJE. Smoothing and differentiation of data by simplified least squares procedures."
        " Analytical"
        " Chemistry 36:1627-1639, 1964.",
    ),
    "one_euro": CitedWork(
        "Casiez et al. 2012",
        "Casiez G, Roussel N, Vogel D. 1€ filter: a simple speed-based low-pass filter for noisy input in interactive"
        " systems. Proc. CHI 2012:2527-2530.",
    ),
    "winter": CitedWork(
        "Winter 2009", "Winter DA. Biomechanics and Motor Control of Human Movement, 4th ed. Wiley, 2009."
    ),
    "hartley": CitedWork(
        "Hartley and Zisserman 2004",
        "Hartley R, Zisserman A. Multiple View Geometry in Computer Vision, 2nd ed. Cambridge University Press, 2004.",
    ),
    "wu2002": CitedWork(
        "Wu et al. 2002",
        "Wu G et al. ISB recommendation on definitions of joint coordinate system of various joints for the reporting"
        " of"
        " human joint motion. Part I: ankle, hip, and spine. J. Biomech. 35:543-548, 2002.",
    ),
    "wu2005": CitedWork(
        "Wu et al. 2005",
        "Wu G et al. ISB recommendation on definitions of joint coordinate systems of various joints for the"
        " reporting of"
        " human joint motion. Part II: shoulder, elbow, wrist and hand. J. Biomech. 38:981-992, 2005.",
    ),
    "grood": CitedWork(
        "Grood and Suntay 1983",
        "Grood ES, Suntay WJ. A joint coordinate system for the clinical description of three-dimensional motions:"
        " application to the knee. J. Biomech. Eng. 105:136-144, 1983.",
    ),
    "willson": CitedWork(
        "Willson and Davis 2008",
        "Willson JD, Davis IS. Utility of the frontal plane projection angle in females with patellofemoral pain."
        " J. Orthop. Sports Phys. Ther. 38:606-615, 2008.",
    ),
    "leva": CitedWork(
        "de Leva 1996",
        "de Leva P. Adjustments to Zatsiorsky-Seluyanov's segment inertia parameters. J. Biomech. 29:1223-1230, 1996.",
    ),
    "zeni": CitedWork(
        "Zeni et al. 2008",
        "Zeni JA, Richards JG, Higginson JS. Two simple methods for determining gait events during treadmill and"
        " overground walking using kinematic data. Gait & Posture 27:710-714, 2008.",
    ),
    "bosco": CitedWork(
        "Bosco et al. 1983",
        "Bosco C, Luhtanen P, Komi PV. A simple method for measurement of mechanical power in jumping. Eur. J. Appl."
        " Physiol. 50:273-282, 1983.",
    ),
    "bradley": CitedWork(
        "Bradley et al. 2009",
        "Bradley PS, Sheldon W, Wooster B, Olsen P, Boanas P, Krustrup P. High-intensity running in English FA Premier"
        " League soccer matches. J. Sports Sci. 27:159-168, 2009.",
    ),
}  # fmt: skip
