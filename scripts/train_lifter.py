"""Train the lifter: python scripts/train_lifter.py --mocap FOLDER|FILE.npz --out work/lifter [--steps 60000]

    pip install -e .[train]        # torch and onnx

Each step's windows depend on the seed and the step's number alone, so a run that was stopped goes on as if it had not
been (start it again with the same arguments). The weights kept are the mean over the last steps (Polyak), at the best
step on subjects that were held out. ``curve.csv`` holds the errors on those. The folder holds AMC files with their ASF,
and BVH files, named SUBJECT_TRIAL as those of the CMU database are.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
import lifter_data
from lifter_network import Lifter, from_file

from pipeline.evaluate.anatomy import anatomical
from pipeline.evaluate.mocap import load
from pipeline.evaluate.mocap_types import TRUE, Mocap
from pipeline.lift.joints import JOINTS

HELD_OUT = ("02", "09", "13")  # subjects of the early stopping and of the errors reported
EVERY, KEEP = 250, 0.995  # steps between checks; how much of the running mean of weights a step keeps
VELOCITY, SURE = 0.5, 0.02  # weights in the loss: of velocities (m per frame of 1/30 s), of the standard deviations
# Angles at a joint between two others, whose errors count of their own (see `angle_loss`).
ANGLES = [
    tuple(JOINTS.index(f"{side}_{j}") for j in chain)
    for side in ("left", "right")
    for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"), ("shoulder", "hip", "knee"))
]
ANGLE, KIND_RAD = 0.15, 0.12  # weight of angles (rad) in the loss; an error beyond which it hardly grows
CHECKED = np.array([JOINTS.index(j) for j in TRUE])


def loss_of(found: torch.Tensor, log_std: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean distance of the joints in m, that of their velocities, and how far their uncertainty is off (Laplace)."""
    error = found - truth
    change = error[:, 1:] - error[:, :-1]
    distance = (_length(error) * weight).mean()
    velocity = (_length(change) * weight[:, 1:]).mean() * lifter_data.RATE_HZ / 10
    across, along = _length(error[..., :2].detach()) / 2**0.5, error[..., 2].detach().abs()
    off = torch.stack([across, along], -1)
    doubt = (off * torch.exp(-log_std) + log_std).mean()
    return distance + VELOCITY * velocity + SURE * doubt + ANGLE * angle_loss(found, truth)


def angle_loss(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The negative logarithm of a Cauchy likelihood of the angles, in rad.

    A joint that bends one way only has a skewed error where its depth is not known: the mean place is bent, though
    straight is most probable. A likelihood with long tails has its maximum near the mode.
    """
    first, middle, last = (list(rows) for rows in zip(*ANGLES, strict=True))
    off = [_angle(p[..., first, :] - p[..., middle, :], p[..., last, :] - p[..., middle, :]) for p in (found, truth)]
    return KIND_RAD * torch.log1p(((off[0] - off[1]) / KIND_RAD).square()).mean()


def _angle(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(...) rad between vectors (..., 3)."""
    cross = torch.stack([
        a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
        a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
        a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
    ], -1)  # fmt: skip
    return torch.atan2(_length(cross), (a * b).sum(-1))


def _length(v: torch.Tensor) -> torch.Tensor:
    """(...) lengths of vectors (..., D); `torch.linalg.vector_norm` takes ten times as long here."""
    return (v.square().sum(-1) + 1e-10).sqrt()


def produce(mocap: Mocap, trials: np.ndarray, batch: int, seed: int, first: int, last: int, queue: Any) -> None:
    """Put the windows of the steps into the queue."""
    torch.set_num_threads(1)
    for step in range(first, last):
        queue.put(tuple(lifter_data.make(mocap, trials, batch, np.random.default_rng([seed, step]))))


def check(network: nn.Module, windows: lifter_data.Windows) -> tuple[float, float]:
    """MPJPE (mm) and mean velocity error (mm/s) over the joints of motion capture, in the axes of the turned camera."""
    network.eval()
    found = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for part in torch.from_numpy(windows.features).split(64):
            found.append(network(part)[0])
    error = (torch.cat(found).numpy() - windows.joints)[:, :, CHECKED]
    network.train()
    velocity = np.diff(error, axis=1) * lifter_data.RATE_HZ
    return 1000 * float(np.linalg.norm(error, axis=-1).mean()), 1000 * float(np.linalg.norm(velocity, axis=-1).mean())


def held_out(mocap: Mocap, trials: np.ndarray) -> dict[str, lifter_data.Windows]:
    """Windows of the subjects held out, exact and with noise, always the same."""
    chance: dict[str, tuple[Any, Any]] = {
        "EXACT": (1.0, 0.0),
        "MIXED": (0.0, 0.0),
        "TUMBLED": (0.0, 0.0),
        "CUT": (0.0, 0.0),
    }
    chance |= dict.fromkeys(("UNSURE_FOCAL", "BONE_SPREAD", "STILL"), (0.0, 0.0))
    chance |= {"STRAIGHTER": ({}, {})}
    before = {name: getattr(lifter_data, name) for name in chance}
    out = {}
    for i, kind in enumerate(("exact", "noisy")):
        for name, values in chance.items():
            setattr(lifter_data, name, values[i])
        out[kind] = lifter_data.make(mocap, trials, 256, np.random.default_rng(99))
    for name, value in before.items():
        setattr(lifter_data, name, value)
    return out


def optimisers_of(network: nn.Module, peak: float, anew: bool) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the hidden layers, AdamW for the rest; AdamW alone where a network is trained on.

    Muon costs as much as a batch of 24 windows, which pays where there is far to go.
    """
    if not anew:
        return [torch.optim.AdamW(network.parameters(), peak, weight_decay=0.01, fused=True)]
    hidden = [p for name, p in network.named_parameters() if p.dim() == 2 and name.startswith("blocks")]
    rest = [p for p in network.parameters() if not any(p is h for h in hidden)]
    muon = torch.optim.Muon(hidden, lr=peak, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    return [muon, torch.optim.AdamW(rest, peak, weight_decay=0.01, fused=True)]


def mean_into(mean: nn.Module, network: nn.Module, step: int) -> None:
    """Move the running mean of the weights towards those of now."""
    keep = min(KEEP, step / (step + 10))
    for (name, a), b in zip(mean.state_dict().items(), network.state_dict().values(), strict=True):
        if a.dtype.is_floating_point and "running" not in name:
            a.mul_(keep).add_(b, alpha=1 - keep)
        else:
            a.copy_(b)


def rate(step: int, steps: int, peak: float) -> float:
    """Learning rate: up over the first 500 steps, or a twentieth of them, then down a half cosine."""
    return float(
        peak * min(1.0, step / min(500, steps / 20)) * (0.5 + 0.5 * np.cos(np.pi * min(step / steps, 1))) + 1e-6
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mocap", type=Path, required=True, help="a folder of AMC and BVH files, or an .npz")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--peak", type=float, default=2e-3)
    parser.add_argument("--start", type=Path, help="a network's ONNX file to go on from; default: none")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    mocap = anatomical(load(options.mocap))
    out_of_it = np.isin(mocap.subject, HELD_OUT)
    train(mocap, np.flatnonzero(~out_of_it), held_out(mocap, np.flatnonzero(out_of_it)), options)


def train(
    mocap: Mocap, trials: np.ndarray, checks: dict[str, lifter_data.Windows], options: argparse.Namespace
) -> None:
    """Train to the last step, from the state in ``options.out`` where there is one."""
    some = torch.from_numpy(np.concatenate([w.features for w in checks.values()]))
    network = Lifter() if options.start is None else from_file(options.start, some)
    mean = Lifter()
    mean.load_state_dict(network.state_dict())
    optimisers = optimisers_of(network, options.peak, options.start is None)
    step, best, state = 0, float("inf"), options.out / "state.pt"
    if state.is_file():
        stored = torch.load(state, weights_only=True)
        network.load_state_dict(stored["network"])
        mean.load_state_dict(stored["mean"])
        for optimiser, values in zip(optimisers, stored["optimisers"], strict=True):
            optimiser.load_state_dict(values)
        step, best = stored["step"], stored["best"]
    queue: Any = multiprocessing.Queue(8)
    task = (mocap, trials, options.batch, options.seed, step, options.steps, queue)
    multiprocessing.Process(target=produce, args=task, daemon=True).start()
    began = time.monotonic()
    while step < options.steps:
        features, truth, weight = (torch.from_numpy(a) for a in queue.get())
        for group in (g for o in optimisers for g in o.param_groups):
            group["lr"] = rate(step, options.steps, options.peak)
        with torch.autocast("cpu", torch.bfloat16):
            found, log_std = network(features)
        loss = loss_of(found, log_std, truth, weight)
        network.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        step += 1
        mean_into(mean, network, step)
        if step % EVERY and step != options.steps:
            continue
        errors = {kind: check(mean, windows) for kind, windows in checks.items()}
        log(options.out / "curve.csv", step, time.monotonic() - began, float(loss.detach()), errors)
        now = sum(e[0] for e in errors.values())
        if now < best:
            best = now
            torch.save(mean.state_dict(), options.out / "best.pt")
        stored = {"network": network.state_dict(), "mean": mean.state_dict(), "step": step, "best": best}
        torch.save({**stored, "optimisers": [o.state_dict() for o in optimisers]}, state.with_suffix(".new"))
        state.with_suffix(".new").replace(state)


def log(path: Path, step: int, seconds: float, loss: float, errors: dict[str, tuple[float, float]]) -> None:
    """A line of the curve, in the file and on the screen."""
    row = {"step": step, "seconds": round(seconds), "loss": round(loss, 5)}
    for kind, (place, velocity) in errors.items():
        row |= {f"{kind}_mpjpe_mm": round(place, 2), f"{kind}_mpjve_mm_s": round(velocity, 1)}
    new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(row, flush=True)


if __name__ == "__main__":
    main()
