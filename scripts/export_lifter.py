"""Write trained weights as the package's network: python scripts/export_lifter.py work/lifter/best.pt [FILE.onnx]

Batch norm is folded into the layers before it, and weights are rounded to fp16 and stored as such, behind a Cast; the
computation is fp32. The file must answer as the folded network does in torch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from lifter_network import Lifter, Norm
from models.import_tfjs import store_halves

from pipeline.lift.view import FEATURES

TOLERANCE = 1e-4  # m


def folded(network: Lifter) -> Lifter:
    """The same network, whose norms only add."""
    network.eval()
    pairs = [(network.enter, network.norm)]
    for block in network.blocks:
        pairs += [(block.before, block.norm), (block.after, block.norm_after)]
    for layer, norm in pairs:
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        layer.weight.mul_(scale[:, None])
        norm.bias.sub_(norm.running_mean * scale)
    for parameter in network.parameters():
        if parameter.dim() == 2:
            parameter.copy_(parameter.half().float())
    return network


class Plain(nn.Module):
    """A folded network in operators that every ONNX runtime has."""

    def __init__(self, network: Lifter):
        super().__init__()
        self.network = network
        for name, module in list(network.named_modules()):
            if isinstance(module, Norm):
                parent = network.get_submodule(name.rpartition(".")[0]) if "." in name else network
                setattr(parent, name.rpartition(".")[2], Shift(module.bias))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.network(features)


class Shift(nn.Module):
    """Adds a bias."""

    def __init__(self, bias: torch.Tensor):
        super().__init__()
        self.bias = nn.Parameter(bias.detach().clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.bias


@torch.no_grad()
def export(weights: Path, file: Path) -> float:
    """Write the file; the largest difference to torch in m."""
    import onnx
    import onnxruntime

    network = Lifter()
    network.load_state_dict(torch.load(weights, weights_only=True))
    plain = Plain(folded(network)).eval()
    example = torch.randn(2, 100, FEATURES, generator=torch.Generator().manual_seed(0))
    axes = {0: "batch", 1: "frames"}
    torch.onnx.export(
        plain, (example,), str(file), opset_version=17, dynamo=False, input_names=["features"],
        output_names=["places", "log_std"], dynamic_axes=dict.fromkeys(("features", "places", "log_std"), axes),
    )  # fmt: skip
    model = onnx.load(file)
    store_halves(model)
    onnx.checker.check_model(model)
    onnx.save(model, file)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    worst = 0.0
    for shape in ((1, 1), (2, 100), (3, 352)):
        features = torch.randn(*shape, FEATURES, generator=torch.Generator().manual_seed(1))
        want = plain(features)
        got = session.run(None, {"features": features.numpy()})
        worst = max(worst, *(float(np.abs(g - w.numpy()).max()) for g, w in zip(got, want, strict=True)))
    return worst


def main() -> None:
    weights = Path(sys.argv[1])
    file = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[1] / "pipeline/assets/lifter.onnx"
    worst = export(weights, file)
    print(f"{file}: {file.stat().st_size / 1e6:.2f} MB, {worst:.1e} from torch")
    if worst > TOLERANCE:
        sys.exit(f"{file}: is not the network in torch; tried opset 17")


if __name__ == "__main__":
    main()
