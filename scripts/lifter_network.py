"""The lifter's network in torch: dilated convolutions over time, frame by frame out (after Pavllo et al. 2019).

Joints that are seen lie on their rays, so the network need not learn where: it says how large the person is, how far
each joint lies in front of or behind the hips, and what is to be added to the place on the ray.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from pipeline.lift.joints import JOINTS, POINTS, J, K
from pipeline.lift.view import FEATURES

WIDTH, DILATIONS = 512, (1, 3, 9, 27, 1)
OUT = 5  # numbers of each joint: its place, and the logs of the standard deviations across and along the line of sight
SIZE_M = 0.5  # usual distance of the points from the hips
STANDS_IN = {"neck": "shoulder", "thorax": "shoulder", "head_top": "ear"}  # the points on whose middle a joint lies


class Norm(nn.BatchNorm1d):
    """Batch norm over the last axis of (N, T, C)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Over3(nn.Linear):
    """A convolution over three frames, ``dilation`` apart; frames beyond the ends are 0.

    As one matrix product of frames side by side, which is faster here than `nn.Conv1d`.
    """

    def __init__(self, n_in: int, n_out: int, dilation: int):
        super().__init__(3 * n_in, n_out, bias=False)
        self.dilation = dilation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        d, t = self.dilation, x.shape[1]
        wide = nn.functional.pad(x, (0, 0, d, d))
        return super().forward(torch.cat([wide[:, :t], x, wide[:, 2 * d :]], -1))


class Block(nn.Module):
    """A convolution over three frames and a layer over one, around which the input goes unchanged."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.before, self.norm = Over3(width, width, dilation), Norm(width)
        self.after, self.norm_after = nn.Linear(width, width, bias=False), Norm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.relu(self.norm_after(self.after(torch.relu(self.norm(self.before(x))))))


class Lifter(nn.Module):
    """Features (N, T, FEATURES) to places (N, T, J, 3) m and log standard deviations (N, T, J, 2)."""

    def __init__(self, width: int = WIDTH, dilations: tuple[int, ...] = DILATIONS):
        super().__init__()
        self.enter, self.norm = Over3(FEATURES, width, 1), Norm(width)
        self.blocks = nn.Sequential(*(Block(width, d) for d in dilations))
        self.leave = nn.Linear(width, J * OUT + 1)
        with torch.no_grad():
            self.leave.weight.mul_(0.1)
        self.register_buffer("base", _base())

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.leave(self.blocks(torch.relu(self.norm(self.enter(features))))).float()
        size = SIZE_M * torch.exp(x[..., :1, None].clamp(-3, 3))  # (N, T, 1, 1) m, one unit of `shown`
        x = x[..., 1:].reshape(*x.shape[:2], J, OUT)
        shown = features[..., : 2 * K].reshape(*x.shape[:2], K, 2)
        unit = torch.exp(features[..., 3 * K] - 2)[..., None, None]  # of `shown`, as a ray; size / unit is the distance
        nearer = (1 + x[..., 2:3] * unit / size).clamp(0.3, 3)
        across = torch.matmul(self.base, shown) * size * nearer + x[..., :2]
        return torch.cat([across, x[..., 2:3]], -1), x[..., 3:].clamp(-6, 1)


def _base() -> torch.Tensor:
    """(J, K) the points on whose rays the joints lie."""
    base = torch.zeros(J, K)
    for j, name in enumerate(JOINTS):
        part = STANDS_IN.get(name)
        for point in (name,) if part is None else (f"left_{part}", f"right_{part}"):
            base[j, POINTS.index(point)] = 1.0 if part is None else 0.5
    return base


@torch.no_grad()
def from_file(file: Path, features: torch.Tensor) -> Lifter:
    """The network of an ONNX file written by `export_lifter.py`, to be trained on.

    Its norms were folded into the layers before them. They are made anew from ``features (N, T, FEATURES)``, so that
    the network answers as before.
    """
    import onnx
    from onnx import numpy_helper

    held = {
        i.name: torch.from_numpy(numpy_helper.to_array(i).astype("float32")) for i in onnx.load(file).graph.initializer
    }
    weights = [held[name].T for name in held if "MatMul" in name]
    network = Lifter(weights[0].shape[0])
    layers: list[nn.Linear] = [network.enter]
    for block in network.blocks:
        layers += [block.before, block.after]
    for layer, weight in zip([*layers, network.leave], weights, strict=True):
        layer.weight.copy_(weight)
    network.leave.bias.copy_(held["network.leave.bias"])
    norms = {name: m for name, m in network.named_modules() if isinstance(m, Norm)}
    shifts = {name: held[f"network.{name}.bias"] for name in norms}
    for name, norm in norms.items():
        norm.running_var.fill_(1 - norm.eps)
        norm.bias.copy_(shifts[name])
    spread: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    watches = [
        norm.register_forward_pre_hook(
            lambda _, given, name=name: spread.update({name: (given[0].mean((0, 1)), given[0].var((0, 1)))})
        )
        for name, norm in norms.items()
    ]
    network.eval()(features)
    for watch in watches:
        watch.remove()
    for name, norm in norms.items():
        mean, variance = spread[name]
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean + shifts[name])
    return network.train()
