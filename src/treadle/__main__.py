"""`python -m treadle` is `treadle`."""

from __future__ import annotations

from treadle.cli.main import main

main(prog_name="treadle")
