"""People walking in space, with the joints of motion capture."""

from __future__ import annotations

import numpy as np

from pipeline.evaluate.mocap_types import AT, NAMES, Mocap

FPS = 60.0
THIGH_M, SHANK_M, UPPER_ARM_M, FOREARM_M = 0.42, 0.42, 0.30, 0.26
STRIDE_S, SPEED_M_S = 1.1, 1.3


def walker(n: int = 240, heading_rad: float = 0.0, fps: float = FPS) -> np.ndarray:
    """(n, 23, 3) f32 m, y up: somebody walks along +z, turned by the heading about y; feet on y = 0."""
    t = np.arange(n) / fps
    p = np.zeros((n, len(NAMES), 3))
    p[:, AT["pelvis"]] = np.stack([0.02 * np.sin(2 * np.pi * t / STRIDE_S), np.full(n, 0.95), SPEED_M_S * t], -1)
    for side, sign in (("left", 1), ("right", -1)):
        swing = 0.45 * np.sin(2 * np.pi * t / STRIDE_S + (0 if sign > 0 else np.pi))
        bend = 0.35 + 0.3 * np.sin(2 * np.pi * t / STRIDE_S + (1.2 if sign > 0 else 1.2 + np.pi))
        p[:, AT[f"{side}_hip"]] = p[:, AT["pelvis"]] + [sign * 0.09, -0.05, 0]
        _chain(p, f"{side}_hip", f"{side}_knee", THIGH_M, swing)
        _chain(p, f"{side}_knee", f"{side}_ankle", SHANK_M, swing - bend)
        p[:, AT[f"{side}_ball"]] = p[:, AT[f"{side}_ankle"]] + [0, -0.06, 0.13]
        p[:, AT[f"{side}_toe"]] = p[:, AT[f"{side}_ball"]] + [0, 0, 0.05]
        p[:, AT[f"{side}_shoulder"]] = p[:, AT["pelvis"]] + [sign * 0.18, 0.43, 0]
        _chain(p, f"{side}_shoulder", f"{side}_elbow", UPPER_ARM_M, -0.8 * swing)
        _chain(p, f"{side}_elbow", f"{side}_wrist", FOREARM_M, -0.8 * swing + 0.4)
        p[:, AT[f"{side}_knuckles"]] = p[:, AT[f"{side}_wrist"]] + [0, -0.08, 0]
    for name, up in (("thorax", 0.33), ("neck", 0.45), ("head_base", 0.52), ("head_top", 0.62)):
        p[:, AT[name]] = p[:, AT["pelvis"]] + [0, up, 0.01]
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return (p @ turn.T).astype(np.float32)


def _chain(p: np.ndarray, start: str, end: str, length: float, angle: np.ndarray) -> None:
    """Put ``end`` at ``length`` from ``start``, hanging, swung forward by the angle."""
    hang = np.stack([np.zeros_like(angle), -np.cos(angle), np.sin(angle)], -1)
    p[:, AT[end]] = p[:, AT[start]] + length * hang


def mocap(n: int = 240) -> Mocap:
    """Two trials."""
    points = np.concatenate([walker(n), walker(n, 1.0)])
    return Mocap(points, np.array([0, n]), np.array([n, n]), np.array(["01", "02"]), FPS)


def save(path, trials: Mocap) -> None:
    """Write a file of motion capture."""
    root = trials.points[:, 0]
    np.savez(
        path,
        joints=np.array(NAMES),
        root_m=root,
        offset_m=(trials.points - root[:, None]).astype(np.float16),
        length=trials.length,
        trial=np.array([f"{s}_01" for s in trials.subject]),
        fps=trials.fps,
    )
