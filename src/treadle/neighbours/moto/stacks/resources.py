"""Resources of CloudFormation that moto does not make from templates, or not as they are here.

State machines and functions are made in Treadle, what belongs to moto's services in moto, all of them over the API, as
whoever sent the template could do it. A type is a line in a table: what makes it from its properties, and perhaps what
changes it. Where nothing changes it, a change makes a new one and deletes the old one, as with properties that
CloudFormation calls "Replacement".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from treadle.neighbours.moto.stacks import functions, machines
from treadle.neighbours.moto.stacks.shapes import Kind, Made, Place, Properties, suffix, text


def _create_subscription(place: Place, properties: Properties) -> Made:
    names = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy", "DeliveryPolicy")
    attributes = {name: text(properties[name]) for name in names if properties.get(name) is not None}
    client = place.client("sns")
    told = client.subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )
    return Made(told["SubscriptionArn"], {"Arn": told["SubscriptionArn"]})


def _delete_subscription(place: Place, made: Made) -> None:
    place.client("sns").unsubscribe(SubscriptionArn=made.id)


def _create_subscription_filter(place: Place, properties: Properties) -> Made:
    name = properties.get("FilterName") or place.name(suffix())
    client = place.client("logs")
    client.put_subscription_filter(
        logGroupName=properties["LogGroupName"],
        filterName=name,
        filterPattern=properties["FilterPattern"],
        destinationArn=properties["DestinationArn"],
        **({"roleArn": properties["RoleArn"]} if properties.get("RoleArn") else {}),
    )
    return Made(f"{properties['LogGroupName']}|{name}")


def _delete_subscription_filter(place: Place, made: Made) -> None:
    group, _, name = made.id.partition("|")
    place.client("logs").delete_subscription_filter(logGroupName=group, filterName=name)


def _create_queue_policy(place: Place, properties: Properties) -> Made:
    for url in properties["Queues"]:
        policy = {"Policy": text(properties["PolicyDocument"])}
        place.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=policy)
    return Made(place.name(suffix()))


def _create_topic_policy(place: Place, properties: Properties) -> Made:
    for arn in properties["Topics"]:
        client = place.client("sns")
        client.set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=text(properties["PolicyDocument"])
        )
    return Made(place.name(suffix()))


def _create_bucket_policy(place: Place, properties: Properties) -> Made:
    policy = text(properties["PolicyDocument"])
    place.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)
    return Made(properties["Bucket"])


def _delete_bucket_policy(place: Place, made: Made) -> None:
    place.client("s3").delete_bucket_policy(Bucket=made.id)


def notify_of_bucket(place: Place, bucket: str, properties: Properties) -> None:
    """The NotificationConfiguration of a bucket, which moto leaves out of templates."""
    given = properties.get("NotificationConfiguration") or {}
    made: dict[str, Any] = {}
    for theirs, target, ours, member in _NOTIFIED:
        made[ours] = [
            {
                member: each[target],
                "Events": [each["Event"]],
                **(
                    {"Filter": {"Key": {"FilterRules": each["Filter"]["S3Key"]["Rules"]}}} if each.get("Filter") else {}
                ),
            }
            for each in given.get(theirs) or []
        ]
    if given.get("EventBridgeConfiguration"):
        made["EventBridgeConfiguration"] = {}
    if given:
        place.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=made)


_NOTIFIED = (
    ("LambdaConfigurations", "Function", "LambdaFunctionConfigurations", "LambdaFunctionArn"),
    ("QueueConfigurations", "Queue", "QueueConfigurations", "QueueArn"),
    ("TopicConfigurations", "Topic", "TopicConfigurations", "TopicArn"),
)
"""In templates: the list, and the member with the ARN; in requests: the same."""


def _leave(place: Place, made: Made) -> None:
    """It goes with what it is of."""


KINDS: Mapping[str, Kind] = {
    **machines.KINDS,
    **functions.KINDS,
    "AWS::SNS::Subscription": Kind(_create_subscription, _delete_subscription, attributes=("Arn",)),
    "AWS::Logs::SubscriptionFilter": Kind(_create_subscription_filter, _delete_subscription_filter),
    "AWS::SQS::QueuePolicy": Kind(_create_queue_policy, _leave),
    "AWS::SNS::TopicPolicy": Kind(_create_topic_policy, _leave),
    "AWS::S3::BucketPolicy": Kind(_create_bucket_policy, _delete_bucket_policy),
}

FINISHES: Mapping[str, Callable[[Place, str, Properties], None]] = {"AWS::S3::Bucket": notify_of_bucket}
"""What is done to a resource that moto has made or changed, with its name and properties."""
