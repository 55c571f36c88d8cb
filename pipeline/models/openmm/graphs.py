"""OpenMMLab networks as plain modules from planes to tensors; `pipeline.models.openmm.export` writes them into files.

The modules do not suppress boxes and do not decode keypoints; only RTMO's module suppresses boxes, because RTMO
estimates poses for the remaining people only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.detections import suppress


class Boxes(nn.Module):
    """RTMDet or YOLOX: boxes (B, N, 4) x1 y1 x2 y2 in network px and scores (B, N, C), before suppression."""

    names = ("boxes", "scores")

    def __init__(self, model: Any, size: tuple[int, int], dtype: torch.dtype):
        super().__init__()
        self.model, self.size, self.dtype = model, size, dtype
        self.yolox = hasattr(model.bbox_head, "multi_level_conv_obj")
        with torch.inference_mode():
            sizes = [tuple(level.shape[-2:]) for level in self._head(torch.zeros(1, 3, size[1], size[0]))[0]]
        priors = torch.cat(model.bbox_head.prior_generator.grid_priors(sizes, device="cpu", with_stride=True))
        self.register_buffer("middle", priors[:, :2].clone())
        self.register_buffer("stride", priors[:, 2:3].clone())

    def _head(self, planes: Tensor) -> Any:
        return self.model.bbox_head(self.model.extract_feat(planes.to(self.dtype)))

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        levels = self._head(planes)
        score, side = _flat(levels[0]).sigmoid(), _flat(levels[1])
        if self.yolox:  # a box has the one class that it fits best
            best = score == score.max(2, keepdim=True).values
            score = score * _flat(levels[2]).sigmoid() * best.to(score.dtype)
            middle = side[..., :2] * self.stride + self.middle
            half = side[..., 2:].exp() * self.stride / 2
            return torch.cat([middle - half, middle + half], 2), score
        boxes = torch.cat([self.middle - side[..., :2], self.middle + side[..., 2:]], 2)
        w, h = self.size
        most = torch.tensor([w, h, w, h], dtype=boxes.dtype)
        return torch.minimum(boxes.clamp(min=0), most), score


def _flat(maps: Any) -> Tensor:
    """Maps [(B, C, h, w)] of all levels as (B, N, C) f32."""
    return torch.cat([m.permute(0, 2, 3, 1).reshape(m.shape[0], -1, m.shape[1]) for m in maps], 1).float()


class Points(nn.Module):
    """A top-down network: simcc_x (B, K, Wx) and simcc_y (B, K, Wy), or heatmap (B, K, h, w)."""

    def __init__(self, model: Any, layout: str, dtype: torch.dtype):
        super().__init__()
        self.model, self.dtype = model, dtype
        self.names = ("simcc_x", "simcc_y") if layout == "simcc" else ("heatmap",)

    def forward(self, planes: Tensor) -> tuple[Tensor, ...]:
        out = self.model.head(self.model.extract_feat(planes.to(self.dtype)))
        return tuple(o.float() for o in (out if isinstance(out, tuple | list) else (out,)))[: len(self.names)]


class PosedPeople(nn.Module):
    """RTMO: dets (1, M, 5) and keypoints (1, M, K, 3) in network px of the M people of all B images; image (M,)."""

    names = ("dets", "keypoints", "image")

    def __init__(self, model: Any, size: tuple[int, int], dtype: torch.dtype):
        super().__init__()
        # The position codes of its encoder become constants.
        model.neck.switch_to_deploy({"input_size": size[::-1]})
        self.model, self.size, self.dtype = model, size, dtype
        self.least, self.overlap = float(model.test_cfg["score_thr"]), float(model.test_cfg["nms_thr"])
        with torch.inference_mode():
            sizes = [tuple(level.shape[-2:]) for level in self._head(torch.zeros(1, 3, size[1], size[0]))[0]]
        grids = model.head.prior_generator.grid_priors(sizes, device="cpu")
        strides = [torch.full((len(g),), float(s)) for g, s in zip(grids, model.head.featmap_strides, strict=True)]
        self.register_buffer("grid", torch.cat(grids))
        self.register_buffer("stride", torch.cat(strides))
        model.head.dcc.switch_to_deploy()

    def _head(self, planes: Tensor) -> Any:
        return self.model.head(self.model.extract_feat(planes.to(self.dtype)))

    def cut(self, planes: Tensor, most: int = 20) -> float:
        """A threshold that leaves about ``most`` boxes, in a wide gap between two neighbouring scores."""
        with torch.inference_mode():
            scores = np.sort(_flat(self._head(planes)[0]).sigmoid().max(2).values.numpy().ravel())[::-1]
        gaps = scores[most // 2 : 2 * most] - scores[most // 2 + 1 : 2 * most + 1]
        widest = most // 2 + int(gaps.argmax())
        return float(scores[widest] + scores[widest + 1]) / 2

    def forward(self, planes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        from mmpose.structures.bbox import bbox_xyxy2cs

        head = self.model.head
        scores, boxes, _, seen, poses = self._head(planes)
        score = _flat(scores).sigmoid().max(2).values  # (B, N)
        box = head.decode_bbox(_flat(boxes), self.grid, self.stride)
        image, row = Suppression.apply(box, score[:, None], self.overlap, self.least)[:, ::2].unbind(1)
        kept, sure = box[image, row], score[image, row]
        around = torch.cat(bbox_xyxy2cs(kept, head.bbox_padding), 1)[None]
        place = head.dcc.forward_test(_flat(poses)[image, row][None], around, self.grid[row][None])
        place = place.reshape(1, -1, head.num_keypoints, 2)
        points = torch.cat([place, _flat(seen).sigmoid()[image, row][None, ..., None]], 3)
        w, h = self.size
        inside = torch.minimum(kept.clamp(min=0), torch.tensor([w, h, w, h], dtype=kept.dtype))
        return torch.cat([inside, sure[:, None]], 1)[None], points, image


class Suppression(torch.autograd.Function):
    """ONNX's NonMaxSuppression: (M, 3) i64 image, class, row of the boxes left of (B, N, 4) with scores (B, 1, N)."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, overlap: float, least: float) -> Tensor:
        if torch.onnx.is_in_onnx_export():  # any box, so that the following operators can be traced
            return torch.tensor([[0, 0, 0], [1, 0, 1]])
        out = []
        for i, (box, score) in enumerate(zip(boxes.numpy(), scores[:, 0].numpy(), strict=True)):
            above = np.flatnonzero(score > least)
            out += [(i, 0, int(row)) for row in above[suppress(box[above], score[above], overlap)]]
        return torch.tensor(out, dtype=torch.int64).reshape(-1, 3)

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, overlap: float, least: float) -> Any:
        limits = (np.array([v], t) for v, t in ((np.iinfo(np.int64).max, np.int64), (overlap, "f4"), (least, "f4")))
        constants = [g.op("Constant", value_t=torch.from_numpy(v)) for v in limits]
        return g.op("NonMaxSuppression", boxes, scores, *constants)
