"""What moto's Amazon Connect has not, and workflows that set up users need: a stand-in, in memory like all of moto.

Users can be made and listed. Each instance has the routing profile and the security profiles that a new one has on AWS;
others cannot be made. A user name is taken once in an instance. Nobody can log in or take a call.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

_ROUTING_PROFILES = ("Basic Routing Profile",)
_SECURITY_PROFILES = ("Admin", "Agent", "CallCenterManager", "QualityAnalyst")

_users: dict[str, dict[str, dict[str, Any]]] = {}
"""By the instance's id and the user's name: what CreateUser was given."""


def correct() -> None:
    from moto.connect import responses, urls

    response: Any = responses.ConnectResponse
    response.create_user = _create_user
    response.list_users = _list_users
    response.list_routing_profiles = _list_routing_profiles
    response.list_security_profiles = _list_security_profiles
    for path in ("users", "users-summary", "routing-profiles-summary", "security-profiles-summary"):
        urls.url_paths[f"{{0}}/{path}/(?P<InstanceId>[^/]+)$"] = response.dispatch


def _create_user(self: Any) -> Any:
    instance, request = _instance(self), json.loads(self.body)
    known = {profile["Id"] for profile in _profiles(instance, "routing-profile", _ROUTING_PROFILES)}
    if request["RoutingProfileId"] not in known:
        return _error(404, "ResourceNotFoundException", f"There is no routing profile {request['RoutingProfileId']}")
    known = {profile["Id"] for profile in _profiles(instance, "security-profile", _SECURITY_PROFILES)}
    for profile in request["SecurityProfileIds"]:
        if profile not in known:
            return _error(404, "ResourceNotFoundException", f"There is no security profile {profile}")
    users = _users.setdefault(instance.id, {})
    if request["Username"] in users:
        return _error(409, "DuplicateResourceException", f"There is a user {request['Username']} already")
    user = {**_named(instance, "agent", str(uuid4())), "Username": request["Username"]}
    users[request["Username"]] = user
    return json.dumps({"UserId": user["Id"], "UserArn": user["Arn"]})


def _list_users(self: Any) -> str:
    return json.dumps({"UserSummaryList": list(_users.get(_instance(self).id, {}).values())})


def _list_routing_profiles(self: Any) -> str:
    profiles = _profiles(_instance(self), "routing-profile", _ROUTING_PROFILES)
    return json.dumps({"RoutingProfileSummaryList": profiles})


def _list_security_profiles(self: Any) -> str:
    profiles = _profiles(_instance(self), "security-profile", _SECURITY_PROFILES)
    return json.dumps({"SecurityProfileSummaryList": profiles})


def _instance(response: Any) -> Any:
    """Raises moto's ResourceNotFoundException."""
    return response.connect_backend._get_instance_or_raise(response._get_instance_id().rpartition("/")[2])


def _profiles(instance: Any, kind: str, names: tuple[str, ...]) -> list[dict[str, str]]:
    """The same whenever they are asked for."""
    return [{**_named(instance, kind, str(uuid5(NAMESPACE_OID, instance.id + name))), "Name": name} for name in names]


def _named(instance: Any, kind: str, id: str) -> dict[str, str]:
    return {"Id": id, "Arn": f"{instance.arn}/{kind}/{id}"}


def _error(status: int, name: str, message: str) -> tuple[int, dict[str, str], str]:
    return status, {"status": str(status), "x-amzn-errortype": name}, json.dumps({"Message": message})
