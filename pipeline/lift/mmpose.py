"""mmpose's lifters: one person's 2D motion to 3D joints about the pelvis.

These lifters were trained on Human3.6M: 17 joints of people about 400 px long in pictures of 1000 px. A person of any
other size and place is scaled by the median size over a stretch, and moved so that the pelvis lies where Human3.6M has
it. The pelvis of smoothed keypoints, unlike a box's centre, does not jump. Time is not resampled: a window spans as
many frames as in training, whatever the frame rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import Motion
from pipeline.lift.lifter import stretches
from pipeline.lift.protocol import InSpace
from pipeline.models.openmm import load
from pipeline.models.openmm.inference import Stopwatch, inference
from pipeline.models.runtime import Device

OPTION = "--lifter mmpose:"
# Human3.6M's joints by our names, each with its weights of the keypoints of other sets. The middle of the eyes for the
# head and the nose for the upper neck are MMPose's own choice for COCO.
JOINTS: dict[str, dict[str, float]] = {
    "pelvis": {"left_hip": 0.5, "right_hip": 0.5},
    "right_hip": {"right_hip": 1},
    "right_knee": {"right_knee": 1},
    "right_ankle": {"right_ankle": 1},
    "left_hip": {"left_hip": 1},
    "left_knee": {"left_knee": 1},
    "left_ankle": {"left_ankle": 1},
    "spine": {"left_hip": 0.25, "right_hip": 0.25, "left_shoulder": 0.25, "right_shoulder": 0.25},
    "thorax": {"left_shoulder": 0.5, "right_shoulder": 0.5},
    "neck_base": {"nose": 1},
    "head": {"left_eye": 0.5, "right_eye": 0.5},
    "left_shoulder": {"left_shoulder": 1},
    "left_elbow": {"left_elbow": 1},
    "left_wrist": {"left_wrist": 1},
    "right_shoulder": {"right_shoulder": 1},
    "right_elbow": {"right_elbow": 1},
    "right_wrist": {"right_wrist": 1},
}
NAMES = tuple(JOINTS)
PICTURE_PX, PELVIS_PX, BODY_PX = 1000, (528.0, 427.0), 400.0  # MMPose's statistics of Human3.6M
HEIGHT_M = 1.70
# Thigh, shank and trunk (hips to shoulders) as shares of the height (Drillis & Contini 1966).
CHAIN_SHARE = 0.245 + 0.246 + 0.288
BATCH = 64  # windows at once


def facts(reference: str, config: Config) -> tuple[dict[str, str], tuple[str, ...]]:
    """Digests and warnings of an mmpose lifter. Raises PoselineError when the reference names no mmpose lifter."""
    found = load.find("mmpose", reference, config, OPTION)
    settings = load.read_config(found)
    name = found.config_file.stem
    if str(settings.model.type).rsplit(".")[-1] != "PoseLifter":
        raise PoselineError(f"{OPTION}{name}: is no lifter but a {settings.model.type}; use it as --pose")
    if len(load.dataset_meta(found, config).get("keypoint_id2name") or ()) != len(NAMES):
        raise PoselineError(f"{OPTION}{name}: lifts other joints than Human3.6M's 17; choose a lifter of those")
    scaled = (f"{name} knows no metres: people are made {HEIGHT_M:.2f} m tall",) if _scaleless(settings) else ()
    return found.digests, found.warnings + scaled


def build(reference: str, device: Device, config: Config) -> MMLifter:
    """Load an mmpose lifter."""
    facts(reference, config)
    return MMLifter(load.load(load.find("mmpose", reference, config, OPTION), device, config))


def _scaleless(settings: Any) -> bool:
    """Whether the lifter's joints are in shares of the picture rather than in metres."""
    return "MotionBERT" in str(settings.model.head.get("decoder", {}).get("type", ""))


class MMLifter:
    """VideoPose3D, SimpleBaseline3D or MotionBERT, as `pipeline.lift.protocol.Lifter`."""

    names = NAMES

    def __init__(self, loaded: load.Loaded):
        from mmengine.dataset import Compose
        from mmengine.registry import DefaultScope

        self.loaded, self.sessions = loaded, [Stopwatch()]
        data = loaded.config.test_dataloader.dataset
        self.causal = bool(data.get("causal", False))
        self.many = int(data.get("multiple_target", 0))  # frames that one call lifts; 0: one frame
        self.length = self.many or int(data.get("seq_len", 1))
        self.scaleless = _scaleless(loaded.config)
        loaded.model.test_cfg["flip_test"] = False
        with DefaultScope.overwrite_default_scope("mmpose"), load.quiet():
            self.prepare = Compose(data.pipeline)

    def lift(
        self, motion: Motion, skeleton: Skeleton, size_px: tuple[int, int], height_m: float | None = None
    ) -> InSpace:
        """(L, 17, 3) f32 metres about the pelvis; x right, y down, z away from the camera; NaN = not known.

        A joint is known where its keypoints and the pelvis are known. Raises PoselineError for a keypoint set that
        lacks the joints.
        """
        joints = human36m(motion.keypoints_px, skeleton)
        side = np.maximum(motion.box_px[:, 2] - motion.box_px[:, 0], motion.box_px[:, 3] - motion.box_px[:, 1])
        out = np.full((len(motion), len(NAMES), 3), np.nan, np.float32)
        for rows in stretches(motion.frame):
            seen = np.isfinite(joints[rows]).all(-1)
            if not seen[:, 0].any() or not np.isfinite(side[rows]).any():
                continue
            placed = normalised(joints[rows], float(np.nanmedian(side[rows])))
            metres = self._lift(placed)
            metres = metres - metres[:, :1]
            out[rows] = np.where((seen & seen[:, :1])[..., None], metres, np.nan)
        if self.scaleless or height_m is not None:
            out *= _to_height(out, height_m or HEIGHT_M)
        return InSpace(out)

    def _lift(self, joints: np.ndarray) -> np.ndarray:
        """(n, 17, 3) from the 2D joints (n, 17, 2) of one stretch."""
        out = np.empty((len(joints), len(NAMES), 3), np.float32)
        windows = list(_windows(len(joints), self.length, self.many, self.causal))
        size = BATCH if not self.many else max(1, BATCH // 16)
        for start in range(0, len(windows), size):
            some = windows[start : start + size]
            for (_, taken, wanted), result in zip(some, self.run([joints[w] for w, _, _ in some]), strict=True):
                out[wanted] = result[taken]
        return out

    def run(self, sequences: list[np.ndarray]) -> list[np.ndarray]:
        """(m, 17, 3) as `mmpose.apis.inference_pose_lifter_model` gives it, of each sequence (T, 17, 2).

        For networks that lift many frames at once, that call takes single frames only; here such networks get the
        whole sequence.
        """
        from mmengine.dataset import pseudo_collate

        batch = pseudo_collate([self.prepare({**_data(s, bool(self.many)), **self.loaded.meta}) for s in sequences])
        with inference(self.loaded, "mmpose", self.sessions[0]):
            results = self.loaded.model.test_step(batch)
        return [np.asarray(r.pred_instances.keypoints, np.float32).reshape(-1, len(NAMES), 3) for r in results]


def _data(sequence: np.ndarray, many: bool) -> dict[str, Any]:
    """The input of mmpose's pipeline for a lifter; the targets only give shapes."""
    t, k = sequence.shape[:2]
    targets = t if many else 1
    return {
        "keypoints": sequence.astype(np.float32),
        "keypoints_visible": np.ones((t, k), np.float32),
        "lifting_target": np.zeros((targets, k, 3), np.float32),
        "factor": np.zeros(t, np.float32),
        "lifting_target_visible": np.ones((targets, k, 1), np.float32),
        "camera_param": {"w": PICTURE_PX, "h": PICTURE_PX},
    }


def human36m(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(L, 17, 2) f64 Human3.6M joints from keypoints (L, K, 2); NaN where a keypoint is NaN.

    Raises PoselineError where the keypoint set lacks the keypoints of a joint.
    """
    if all(name in skeleton.names for name in NAMES):
        return keypoints[:, [skeleton.index(name) for name in NAMES]].astype(np.float64)
    needed = {part for parts in JOINTS.values() for part in parts}
    absent = sorted(needed - set(skeleton.names))
    if absent:
        raise PoselineError(f"--lifter: lifts bodies, and {skeleton.name} has no {absent[0]}; use another --pose")
    out = np.zeros((len(keypoints), len(NAMES), 2))
    for j, parts in enumerate(JOINTS.values()):
        for part, weight in parts.items():
            out[:, j] += weight * keypoints[:, skeleton.index(part)]
    return out


def normalised(joints: np.ndarray, size_px: float) -> np.ndarray:
    """Joints (n, 17, 2) as in Human3.6M's pictures, without gaps: (n, 17, 2).

    Missing joints are interpolated over the frames, and held at the ends. A joint never seen lies on the pelvis.
    """
    steps = np.arange(len(joints), dtype=np.float64)
    filled = joints.copy()
    for j in range(joints.shape[1]):
        seen = np.isfinite(joints[:, j]).all(-1)
        for axis in range(2):
            if seen.any() and not seen.all():
                filled[:, j, axis] = np.interp(steps, steps[seen], joints[seen, j, axis])
    filled = np.where(np.isfinite(filled), filled, filled[:, :1])
    return (filled - filled[:, :1]) * (BODY_PX / max(size_px, 1.0)) + np.array(PELVIS_PX)


def _windows(n: int, length: int, many: int, causal: bool) -> Iterator[tuple[np.ndarray, slice, slice]]:
    """(frames of a window, rows of its result, the same rows in the stretch): all windows give each of n rows once.

    A window with one result has that frame in its middle, or at its end if ``causal``, and is padded by the stretch's
    first and last frame. Windows with many results overlap by half; their middle is kept, which has context on both
    sides.
    """
    if not many:
        before = length - 1 if causal else (length - 1) // 2
        offsets = np.arange(length) - before
        for i in range(n):
            yield np.clip(i + offsets, 0, n - 1), slice(0, 1), slice(i, i + 1)
        return
    length = min(length, n)
    step = max(1, length // 2)
    starts = [*range(0, max(n - length, 0), step), n - length]
    done = 0
    for k, start in enumerate(starts):
        last = k == len(starts) - 1
        stop = n if last else start + length - (length - step) // 2
        yield np.arange(start, start + length), slice(done - start, stop - start), slice(done, stop)
        done = stop


def _to_height(joints: np.ndarray, height_m: float = HEIGHT_M) -> float:
    """Factor that makes the median of legs and trunk fit ``height_m``; 1 where legs and trunk are never seen whole."""
    at = {name: joints[:, j] for j, name in enumerate(NAMES)}

    def length(a: str, b: str) -> np.ndarray:
        return np.linalg.norm(at[a] - at[b], axis=-1)

    legs = [length(f"{s}_hip", f"{s}_knee") + length(f"{s}_knee", f"{s}_ankle") for s in ("left", "right")]
    chain = np.mean(legs, 0) + length("pelvis", "thorax")
    chain = chain[np.isfinite(chain)]
    return height_m * CHAIN_SHARE / float(np.median(chain)) if len(chain) and np.median(chain) > 0 else 1.0
