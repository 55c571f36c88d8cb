"""mmpose's top-down networks: the pose in each person's box, in batches over frames and people."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pipeline.models.detections import Detections, Poses
from pipeline.models.openmm.inference import Stopwatch, bgr, inference, pipeline_of
from pipeline.models.openmm.load import Loaded
from pipeline.models.openmm.meta import skeleton

_PLAIN = ["LoadImage", "GetBBoxCenterScale", "TopdownAffine", "PackPoseInputs"]


class TopDown:
    """Any top-down network of mmpose. Keypoints are those of `mmpose.apis.inference_topdown`.

    Its coordinates are not shifted: mmpose counts pixel centres from 0 where the rest of poseline has them at .5.
    """

    def __init__(self, loaded: Loaded, batch: int, flip_test: bool):
        self.loaded, self.batch = loaded, batch
        self.skeleton = skeleton(loaded.meta)
        self.sessions = [Stopwatch()]
        loaded.model.test_cfg["flip_test"] = flip_test
        steps, self.prepare = pipeline_of(loaded, "mmpose")
        kinds = [str(step["type"]).rsplit(".")[-1] for step in steps]
        self.crop = _Crop(loaded, steps) if kinds == _PLAIN and _plain(loaded.model.data_preprocessor) else None

    def estimate(self, images: np.ndarray, people: Detections) -> Poses:
        """Keypoints (N, K, 2) px and scores (N, K) of people in images (B, H, W, 3) u8 RGB."""
        k = len(self.skeleton)
        keypoints, score = np.zeros((len(people), k, 2), np.float32), np.zeros((len(people), k), np.float32)
        for start in range(0, len(people), self.batch):
            rows = slice(start, min(start + self.batch, len(people)))
            some = people.take(np.arange(rows.start, rows.stop))
            for n, result in enumerate(self._run(images, some), start):
                found = result.pred_instances
                keypoints[n] = found.keypoints[0][:, :2]
                score[n] = found.keypoint_scores[0]
        return Poses(keypoints, np.nan_to_num(score).clip(0, 1))

    def _run(self, images: np.ndarray, people: Detections) -> list[Any]:
        """mmpose's results for a batch of people."""
        if self.crop is not None:
            inputs, samples = self.crop.batch(images, people)
            with inference(self.loaded, "mmpose", self.sessions[0]):
                return self.loaded.model.predict(inputs, samples)
        from mmengine.dataset import pseudo_collate

        data = []
        for i, box in zip(people.image, people.box_px, strict=True):
            given = {"img": bgr(images[i]), "bbox": box[None], "bbox_score": np.ones(1, np.float32)}
            data.append(self.prepare({**given, **self.loaded.meta}))
        with inference(self.loaded, "mmpose", self.sessions[0]):
            return self.loaded.model.test_step(pseudo_collate(data))


def _plain(preprocessor: Any) -> bool:
    """Whether the network's input is a stack of normalised crops and nothing else."""
    return preprocessor.pad_size_divisor == 1 and getattr(preprocessor, "batch_augments", None) is None


class _Crop:
    """Makes the same input as the config's pipeline, without running Python code for each person."""

    def __init__(self, loaded: Loaded, steps: list[dict[str, Any]]):
        self.padding = float(steps[1].get("padding", 1.25))
        self.size = tuple(int(v) for v in steps[2]["input_size"])  # (w, h)
        self.udp = bool(steps[2].get("use_udp", False))
        self.preprocessor, self.device = loaded.model.data_preprocessor, loaded.device
        self.meta = {"input_size": self.size, "flip_indices": loaded.meta.get("flip_indices")}

    def batch(self, images: np.ndarray, people: Detections) -> tuple[Any, list[Any]]:
        """The network's input (N, 3, h, w) and mmpose's data samples."""
        import torch
        from mmpose.structures.bbox import bbox_xyxy2cs, get_udp_warp_matrix, get_warp_matrix

        centre, scale = bbox_xyxy2cs(people.box_px.astype(np.float32), padding=self.padding)
        w, h = self.size
        wide = scale[:, :1] > scale[:, 1:] * (w / h)
        wider = np.hstack([scale[:, :1], scale[:, :1] / (w / h)])
        scale = np.where(wide, wider, np.hstack([scale[:, 1:] * (w / h), scale[:, 1:]]))
        warp = get_udp_warp_matrix if self.udp else get_warp_matrix
        crops = np.empty((len(people), h, w, 3), np.uint8)
        samples = []
        for n, i in enumerate(people.image):
            matrix = warp(centre[n], scale[n], 0.0, output_size=self.size)
            crops[n] = cv2.warpAffine(images[i], matrix, self.size, flags=cv2.INTER_LINEAR)
            samples.append(self._sample(people.box_px[n], centre[n], scale[n]))
        # poseline's pictures are RGB. mmpose reads files as BGR, which the preprocessor turns into RGB where wanted.
        p = self.preprocessor
        ordered = crops if p._channel_conversion else crops[..., ::-1]
        planes = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2))
        inputs = torch.from_numpy(planes).to(self.device).float()
        return (inputs - p.mean) / p.std if p._enable_normalize else inputs, samples

    def _sample(self, box: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> Any:
        from mmengine.structures import InstanceData
        from mmpose.structures import PoseDataSample

        sample = PoseDataSample(metainfo={**self.meta, "input_center": centre, "input_scale": scale})
        sample.gt_instances = InstanceData(bboxes=box[None], bbox_scores=np.ones(1, np.float32))
        return sample
