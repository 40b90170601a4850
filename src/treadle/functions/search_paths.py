"""Where programs look for what a function has beside its own code: its layers, and AWS's SDK for JavaScript.

On Lambda layers lie in /opt, in folders that are on the paths of the runtimes (the developer guide's page on layers).
Here /opt is a folder elsewhere, named by LAMBDA_LAYERS_ROOT, and the paths lead there. As on Lambda, what is on a path
already goes first, and of two layers the later one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from treadle.functions.function import Function
from treadle.functions.runtimes import Runtimes

LAYERS_VARIABLE = "LAMBDA_LAYERS_ROOT"


def search_paths(function: Function, runtimes: Runtimes, variables: Mapping[str, str]) -> dict[str, str]:
    """Variables of a worker; those of them that `variables` holds are added to."""
    layers, sdk = function.layers, runtimes.sdk(function.runtime)
    found = {} if layers is None else {LAYERS_VARIABLE: str(layers)}
    for variable, folders in _folders(function.runtime).items():
        places = [] if layers is None else [layers / folder for folder in folders]
        if variable == "NODE_PATH" and sdk is not None:
            places.append(sdk)
        there = [str(place) for place in places if place.is_dir()]
        if there:
            found[variable] = os.pathsep.join([*filter(None, [variables.get(variable)]), *there])
    return found


def _folders(runtime: str) -> dict[str, tuple[str, ...]]:
    """By variable: the folders of layers that it leads to."""
    folders: dict[str, tuple[str, ...]] = {"PATH": ("bin",), "LD_LIBRARY_PATH": ("lib",)}
    if runtime.startswith("python"):
        folders["PYTHONPATH"] = (f"python/lib/{runtime}/site-packages", "python")
    if runtime.startswith("nodejs"):
        version = re.match(r"nodejs(\d*)", runtime)
        number = "" if version is None else version[1]
        folders["NODE_PATH"] = (f"nodejs/node{number}/node_modules", "nodejs/node_modules")
    return folders
