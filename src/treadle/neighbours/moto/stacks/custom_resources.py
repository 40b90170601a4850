"""Custom resources of CloudFormation: made by a function of Treadle, or by whoever hears of it from a topic.

As on AWS, the answer is an object that is put to a presigned URL of S3. So it takes the same way as every request, and
whoever answers needs no key.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from treadle.neighbours.moto import callback
from treadle.neighbours.moto.destinations import to_topic
from treadle.neighbours.moto.stacks.shapes import Kind, Made, Place, Properties, ResourceFailed

_BUCKET = "cloudformation-custom-resource-response"
_SECONDS = 3_600
"""How long CloudFormation waits for an answer, unless the resource has a ServiceTimeout."""
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


def kind(type_: str) -> Kind:
    def create(place: Place, properties: Properties) -> Made:
        return _ask(place, type_, "Create", properties)

    def update(place: Place, made: Made, old: Properties, new: Properties) -> Made:
        return _ask(place, type_, "Update", new, PhysicalResourceId=made.id, OldResourceProperties=_texts(old))

    def delete(place: Place, made: Made) -> None:
        _ask(place, type_, "Delete", made.attributes[_PROPERTIES], PhysicalResourceId=made.id)

    return Kind(create, delete, update)


_PROPERTIES = "\0properties"
"""Beside the attributes: a deletion tells them again."""


def _ask(place: Place, type_: str, request_type: str, properties: Properties, **more: Any) -> Made:
    token = str(properties.get("ServiceToken") or "")
    if ":lambda:" not in token and ":sns:" not in token:
        raise ResourceFailed("Property ServiceToken must be the ARN of a function or a topic")
    request_id = str(uuid.uuid4())
    bucket, key = f"{_BUCKET}-{place.region}-{place.account}", f"{place.stack_id}/{place.logical_id}/{request_id}"
    client = place.client("s3")
    _make_bucket(client, bucket, place.region)
    event = {
        "RequestType": request_type,
        "ServiceToken": token,
        "ResponseURL": client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key}, _SECONDS * 2),
        "StackId": place.stack_id,
        "RequestId": request_id,
        "LogicalResourceId": place.logical_id,
        "ResourceType": type_,
        "ResourceProperties": _texts(properties),
        **more,
    }
    refused: list[str] = []
    if ":lambda:" in token:
        callback.treadle().invoke(token, event, refused.append)
    else:
        to_topic(token, json.dumps(event), "AWS CloudFormation custom resource request")
    answer = _answer(place, bucket, key, refused, int(properties.get("ServiceTimeout") or _SECONDS))
    if answer.get("Status") != "SUCCESS":
        raise ResourceFailed(
            f"Received response status [FAILED] from custom resource. Message returned: "
            f"{answer.get('Reason')} (RequestId: {request_id})"
        )
    physical = str(answer.get("PhysicalResourceId") or more.get("PhysicalResourceId") or request_id)
    return Made(physical, {**(answer.get("Data") or {}), _PROPERTIES: properties})


def _make_bucket(client: Any, bucket: str, region: str) -> None:
    from botocore.exceptions import ClientError

    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        client.create_bucket(Bucket=bucket, **where)


def _answer(place: Place, bucket: str, key: str, refused: list[str], seconds: int) -> dict[str, Any]:
    """Raises ResourceFailed."""
    from botocore.exceptions import ClientError

    until, pause = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS
    while time.monotonic() < until:
        if refused:
            raise ResourceFailed(f"The function could not be invoked: {refused[0]}")
        client = place.client("s3")
        try:
            found = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            continue
        client.delete_object(Bucket=bucket, Key=key)
        try:
            answer = json.loads(found)
        except ValueError as error:
            raise ResourceFailed("Invalid response: the custom resource did not answer in JSON") from error
        return answer if isinstance(answer, dict) else {}
    raise ResourceFailed(f"CloudFormation did not receive a response from your Custom Resource within {seconds} s")


def _texts(value: Any) -> Any:
    """CloudFormation tells numbers and truth values as texts."""
    if isinstance(value, dict):
        return {name: _texts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) or value is None else str(value)
