"""The lifter's network in torch: dilated convolutions over time, frame by frame out (after Pavllo et al. 2019).

Joints that are seen lie on their rays, so the network need not learn where: it says how large the person is, how far
each joint lies in front of or behind the hips, and what is to be added to the place on the ray.
"""

from __future__ import annotations

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
