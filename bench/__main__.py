"""`make bench`, or `python -m bench [WORKLOAD ...]`: measure this checkout on this machine. See README.md."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from bench import wrk
from bench.aims import table
from bench.catalogue import WORKLOADS
from bench.figures import HEADER, Measured
from bench.machine import facts
from bench.meter import Meter
from bench.peers.table import PEERS
from bench.rig import Rig
from bench.workloads.datasets import WORK

_ECHO = "def handler(event, context):\n    return event\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 if a workload failed."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="treadle-bench-", dir=options.dir) as folder:
        scratch = Path(folder)
        functions = scratch / "functions"
        functions.mkdir()
        (functions / "echo.py").write_text(_ECHO, encoding="utf-8")
        (functions / "work.py").write_text(WORK, encoding="utf-8")
        machine = facts(scratch)
        print(f"Treadle {version('treadle')}; " + "; ".join(f"{name} {value}" for name, value in machine.items()))
        if not wrk.installed():
            print(wrk.HOW_TO_INSTALL)
        print(HEADER)
        rig = Rig(scratch, functions, options.quick)
        measured = [_measured(name, rig) for name in options.workloads]
    print(f"{time.monotonic() - began:.0f} seconds")
    if options.json:
        report = {
            "treadle": version("treadle"),
            "quick": options.quick,
            "machine": machine,
            "workloads": [each.record() for each in measured],
        }
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(measured, [peer.name for peer in PEERS], quick=options.quick)))
    failed = [each.workload for each in measured if each.failed]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return int(bool(failed))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Servers are stopped and folders removed on the way out."""
    raise KeyboardInterrupt


def _measured(name: str, rig: Rig) -> Measured:
    """Its figures are printed as they come. What fails is told, and the others are measured all the same."""
    figures, failed = [], False
    with Meter() as meter:
        try:
            for figure in WORKLOADS[name].run(rig):
                print(figure.row(), flush=True)
                figures.append(figure)
        except Exception:
            traceback.print_exc()
            failed = True
    print(f"({name}: {meter.seconds:.0f} seconds; others used {meter.others:.2f} cores meanwhile)", flush=True)
    return Measured(name, figures, meter.seconds, meter.others, failed)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    aimed = [name for name, workload in WORKLOADS.items() if workload.aimed]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer times: some minutes for all")
    parser.add_argument("--all", action="store_true", help="every workload, also those of which no aim speaks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there, too")
    parser.add_argument(
        "--dir", default="/var/tmp", metavar="DIR", help="a folder on the disk to measure [%(default)s]"
    )
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)} [{' '.join(aimed)}]"
    )
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    if unknown := set(options.workloads) - set(WORKLOADS):
        parser.error(f"{', '.join(sorted(unknown))} is none of {', '.join(WORKLOADS)}")
    options.workloads = options.workloads or list(WORKLOADS if options.all else aimed)
    return options


if __name__ == "__main__":
    sys.exit(main())
