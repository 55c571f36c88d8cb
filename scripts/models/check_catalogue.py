"""Fetch networks of the catalogue and compare their digests: python scripts/models/check_catalogue.py [NAME…].

For maintainers with a network connection. Without names every network that has an address is fetched, one after
another, into a folder that is removed at the end; ``--from URL`` gives another address. A network whose digest no
public text confirms is fetched, too, and its digest is printed. The exit status is 1 where an address gives nothing,
or another file than the catalogue tells.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile

from pipeline.core.errors import PoselineError
from pipeline.models import catalogue, kept
from pipeline.models.download import Transfer
from pipeline.models.fetch import fetch


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--from", dest="source", default="", help="another address that has the files")
    told = parser.parse_args(arguments)
    names = told.names or [name for name, known in catalogue.catalogue().items() if known.fetchable]
    return 1 if sum(not check(name, told.source) for name in names) else 0


def check(name: str, source: str) -> bool:
    """Whether the network could be fetched and is what the catalogue tells; prints a line."""
    before = os.environ.get(kept.VARIABLE)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[kept.VARIABLE] = folder
        try:
            made = fetch(name, source, True, Transfer())
        except PoselineError as error:
            print(f"FAIL  {name:24} {error}", flush=True)
            return False
        finally:
            os.environ.pop(kept.VARIABLE)
            if before is not None:
                os.environ[kept.VARIABLE] = before
    known = catalogue.catalogue()[name]
    state = "as the catalogue tells" if made.sha256 in known.digests else "not confirmed by the catalogue"
    print(f"ok    {name:24} {made.sha256} {made.bytes} bytes, {state}, from {made.source}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
