"""poseline models and doctor."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.options import Argument, Given, Option, takes


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


@takes(
    Argument("network", str, "mmpose:CONFIG@CHECKPOINT or mmdet:…", metavar="NETWORK"),
    Option("out", Path, "File to write.", default=...),
    Option("half", bool, "Weights in half precision, for CUDA.", default=False),
    "random_weights trust_checkpoint set debug",
)
def models_export_command(given: Given) -> None:
    """Make an ONNX file of an OpenMMLab network, and verify that it answers as the network does."""
    from pipeline.models.openmm.export import export

    for name, value in export(given.network, given.out, given.settings("default"), given.half).items():
        print(f"{name:20} {value}")


def doctor_command() -> None:
    """Say what is installed and whether it works."""
    from pipeline.cli.doctor import checks

    results = list(checks())
    for good, what, detail in results:
        print(f"{'ok  ' if good else 'FAIL'}  {what:24} {detail}")
    if not all(good for good, _, _ in results):
        raise typer.Exit(1)
