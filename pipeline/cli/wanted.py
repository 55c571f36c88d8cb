"""Networks that a command names and that are not on this machine: asked for, fetched, or refused with the command."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.cli.options import Given
from pipeline.cli.transfers import transfer
from pipeline.core.config import Config
from pipeline.core.errors import PoselineError

if TYPE_CHECKING:
    from pipeline.models.catalogue import Known

OPTIONS = "fetch offline"


def provide(given: Given, settings: Config, quiet: bool = False) -> None:
    """Fetch the catalogue's networks that the settings name and that are not here.

    --fetch says yes, --offline no; without either the user is asked at a terminal. Elsewhere nothing is fetched, and
    what runs the networks raises the error with the command. Raises PoselineError where the network cannot be had.
    """
    from pipeline.models.kept import not_here
    from pipeline.models.registry import missing

    if given.fetch and given.offline:
        raise PoselineError("--fetch: --offline says otherwise; give one of them")
    for network in missing(settings):
        if given.offline or not (network.fetchable and network.confirmed) or not (given.fetch or _asked(network)):
            raise PoselineError(f"{network.name}: {not_here(network)}")
        from pipeline.models.fetch import fetch

        with closing(transfer(quiet)) as shown:
            fetch(network.name, "", False, shown)


def _asked(network: Known) -> bool:
    """The user's answer at a terminal; False where nobody can answer."""
    from pipeline.models.catalogue import megabytes

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    size = megabytes(network.download_bytes) or "of unknown size"
    doubts = f" ({network.doubts})" if network.doubts else ""
    host = urlsplit(network.url).hostname
    question = f"fetch {network.name}, {size}, {network.licence}{doubts}, from {host}? [Y/n] "
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()  # "" at the end of the input
    return answer != "" and answer.strip().lower() in ("", "y", "yes")
