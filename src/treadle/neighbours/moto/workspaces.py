"""What moto's Amazon WorkSpaces has not, and workflows that set up users need.

**Bundles.** DescribeWorkspaceBundles lists what Amazon offers: a few of its bundles, with ids of our own, because a
WorkSpace is asked for by the id of one. Bundles of the account's own cannot be made.

**One WorkSpace for each user.** A second one for the same user in a directory is refused with the error code
ResourceExists.WorkSpace, which Amazon documents by name only: the message is ours.
"""

from __future__ import annotations

import json
from typing import Any

_BUNDLES = {
    "wsb-bh8rsxt14": ("Value with Windows 10", "VALUE", "80", "10"),
    "wsb-gm4d5tx2v": ("Standard with Windows 10", "STANDARD", "80", "50"),
    "wsb-b0s22j3d7": ("Performance with Windows 10", "PERFORMANCE", "80", "100"),
}
"""By id: name, compute type, and the sizes of the two volumes in GiB."""


def correct() -> None:
    from moto.workspaces import models, responses

    response: Any = responses.WorkSpacesResponse
    response.describe_workspace_bundles = _describe_workspace_bundles
    backend: Any = models.WorkSpacesBackend
    create = backend.create_workspaces

    def once(self: Any, workspaces: list[dict[str, Any]]) -> Any:
        failed, pending = [], []
        for asked in workspaces:
            user = (asked["DirectoryId"], asked["UserName"])
            if any((known.directory_id, known.user_name) == user for known in self.workspaces.values()):
                failed.append(_exists(asked))
                continue
            more_failed, more_pending = create(self, [asked])
            failed += more_failed
            pending += more_pending
        return failed, pending

    backend.create_workspaces = once


def _exists(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "WorkspaceRequest": asked,
        "ErrorCode": "ResourceExists.WorkSpace",
        "ErrorMessage": f"There is a WorkSpace for {asked['UserName']} in {asked['DirectoryId']} already",
    }


def _describe_workspace_bundles(self: Any) -> str:
    request = json.loads(self.body)
    ids = request.get("BundleIds")
    owned = request.get("Owner", "AMAZON" if ids else None) == "AMAZON"
    bundles = [
        {
            "BundleId": id,
            "Name": name,
            "Owner": "AMAZON",
            "Description": name,
            "ComputeType": {"Name": compute},
            "RootStorage": {"Capacity": root},
            "UserStorage": {"Capacity": user},
        }
        for id, (name, compute, root, user) in _BUNDLES.items()
        if owned and (not ids or id in ids)
    ]
    return json.dumps({"Bundles": bundles})
