"""poseline models …, and doctor."""

from __future__ import annotations

from contextlib import closing
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
    print("more by name, once fetched: poseline models list, poseline models fetch NAME")


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


@takes(
    Argument("names", list[str], "Names of poseline models list.", metavar="NAME..."),
    Option("source", str, "Folder, file or address to take them from.", flags=("--from",)),
    Option("trust", bool, "Take networks whose digest no public text confirms.", default=False),
    "quiet debug",
)
def models_fetch_command(given: Given) -> None:
    """Bring networks of the catalogue to this machine, verified."""
    from pipeline.cli.transfers import transfer
    from pipeline.models.catalogue import known, megabytes
    from pipeline.models.fetch import fetch

    for name in given.names:
        known(name)  # an unknown name is told before anything is fetched
    with closing(transfer(given.quiet)) as shown:
        made = [fetch(name, given.source or "", given.trust, shown) for name in given.names]
    for network in made:
        print(f"{network.name}  {megabytes(network.bytes)}  SHA-256 {network.sha256[:16]}…  {network.file}")


@takes(
    Argument("file", Path, "An .onnx file, a zip archive, or a folder with one in it.", metavar="FILE"),
    Option("name", str, "Name that it gets.", default=...),
    Option("like", str, "Network of the catalogue that it is like: layout and keypoints are the same."),
    "debug",
)
def models_add_command(given: Given) -> None:
    """Keep a copy of a network of your own under a name."""
    from pipeline.models.fetch import add
    from pipeline.models.kept import OPTIONS

    network = add(given.file, given.name, given.like or "")
    print(f"{network.name}  {network.role}  use it by {OPTIONS[network.role]} {network.name}  {network.file}")


def models_list_command() -> None:
    """Networks in the package, on this machine, and to be had: role, size, licence, accuracy, doubts."""
    from pipeline.cli.tables import network_rows

    for row in network_rows():
        print(row)


@takes(Argument("names", list[str], "Names of networks on this machine.", metavar="NAME..."), "debug")
def models_remove_command(given: Given) -> None:
    """Delete networks from this machine."""
    from pipeline.models.kept import remove

    for name in given.names:
        remove(name)
        print(f"{name} removed")


def models_verify_command() -> None:
    """Compare the digests of all networks, in the package and on this machine, with those that they should have."""
    from pipeline.models.kept import verified

    results = list(verified())
    for name, wrong in results:
        print(f"{'FAIL' if wrong else 'ok  '}  {name:24} {wrong}".rstrip())
    if any(wrong for _, wrong in results):
        raise typer.Exit(1)


# Not by `takes`, which ends where a library is missing.
_MEASURE = typer.Option(False, "--measure", help="Also measure how fast the networks run here, for ten seconds.")


def doctor_command(measure: bool = _MEASURE) -> None:
    """Say what is installed and whether it works."""
    from pipeline.cli.doctor import checks, paces

    results = list(checks())
    for good, what, detail in results:
        print(f"{'ok  ' if good else 'FAIL'}  {what:24} {detail}")
    for line in paces() if measure else ():
        print(line)
    if not all(good for good, _, _ in results):
        raise typer.Exit(1)
