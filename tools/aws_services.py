"""Writes src/treadle/neighbours/services.tsv from the installed botocore and moto: `make services`.

The table spares the server reading four hundred service models (seven seconds) to learn their names, and
importing moto to learn what it emulates. tests/neighbours/test_catalogue.py holds it to both.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from botocore.loaders import Loader
from moto.backends import list_of_moto_modules
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

TABLE = Path(__file__).parent.parent / "src" / "treadle" / "neighbours" / "services.tsv"
EMPTY = frozenset({"bedrock-runtime"})
"""moto has a backend for them, but one that answers everything with nothing: every model of Bedrock with `{}`."""
HEAD = "name\tservice id\tsigning name\ttarget prefix\tprotocol\temulated by moto"


def rows() -> Iterator[str]:
    """A line for each service that botocore knows, by name."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    metadata = {
        name: loader.load_service_model(name, "service-2")["metadata"]
        for name in loader.list_available_services("service-2")
    }
    signing = {name: known.get("signingName", known["endpointPrefix"]) for name, known in metadata.items()}
    shared = Counter(signing.values())
    for name, known in sorted(metadata.items()):
        emulated = _emulated(name, signing[name], known.get("targetPrefix", ""), shared[signing[name]] > 1)
        columns = (
            name,
            known["serviceId"],
            signing[name],
            known.get("targetPrefix", ""),
            known["protocol"],
            "yes" if emulated else "no",
        )
        yield "\t".join(columns)


def _emulated(name: str, signing_name: str, target: str, shared: bool) -> bool:
    """Whether moto has a backend for it: found as moto's server finds it, by the credential scope; or by name,
    where several services share one scope."""
    if name in EMPTY:
        return False
    if shared:
        return name.replace("-", "") in {module.replace("-", "") for module in list_of_moto_modules()}
    application = DomainDispatcherApplication(create_backend_app)
    scope = f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{signing_name}/aws4_request, Signature=x"
    environ = {"HTTP_AUTHORIZATION": scope, "PATH_INFO": "/", "HTTP_HOST": "localhost"}
    if target:
        environ["HTTP_X_AMZ_TARGET"] = f"{target}.Operation"
    host = application.infer_service_region_host(environ, "/")
    with redirect_stdout(io.StringIO()):  # it prints what it does not find
        return application.get_backend_for_host(host) is not None


def table() -> str:
    return "\n".join((HEAD, *rows())) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
    sys.stdout.write(f"{TABLE}\n")
