"""poseline models and doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DebugOption, RandomOption, SetOption, TrustOption, config_of


def models_command(context: typer.Context) -> None:
    """List the networks that --detector, --pose and --lifter take; make ONNX files of others."""
    from pipeline.models.registry import DETECTORS, FILES, POSES

    if context.invoked_subcommand is not None:
        return
    for option, known in (("--detector", DETECTORS), ("--pose", POSES)):
        for name, entry in known.items():
            points = f"{len(entry.skeleton)} keypoints" if option == "--pose" else "boxes"
            print(f"{option:11}{name:27}{points:14}{entry.about}")
    for option, name, about in FILES:
        print(f"{option:11}{name:41}{about}")


def models_export_command(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="mmpose:CONFIG@CHECKPOINT or mmdet:…")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    half: Annotated[bool, typer.Option("--half", help="Weights in half precision, for CUDA.")] = False,
    random_weights: RandomOption = None,
    trust_checkpoint: TrustOption = False,
    sets: SetOption = None,
    debug: DebugOption = False,
) -> None:
    """Make an ONNX file of an OpenMMLab network, and verify that it answers as the network does."""
    from pipeline.models.openmm.export import export

    settings = config_of(
        "default",
        sets,
        random_weights=("runtime.random_weights", random_weights),
        trust=("runtime.trust_checkpoint", trust_checkpoint or None),
    )
    for name, value in export(network, out, settings, half).items():
        print(f"{name:20} {value}")


def doctor_command() -> None:
    """Say what is installed and whether it works."""
    from pipeline.cli.doctor import checks

    results = list(checks())
    for good, what, detail in results:
        print(f"{'ok  ' if good else 'FAIL'}  {what:24} {detail}")
    if not all(good for good, _, _ in results):
        raise typer.Exit(1)
