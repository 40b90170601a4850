"""Functions and workflows of AWS's own posts, as they are printed there, unchanged: `seeds/` has their text.

- "Configuring user creation workflows with AWS Step Functions and AWS Managed Microsoft AD logs" (2019): two functions
  for Python 3.7 and their workflow. Only `{region}` and `{account id}` are filled in, as the post says.
- "New - Step Functions Support for Dynamic Parallelism" (2019): the workflow and the order. The post does not print its
  six functions; those here do what it tells of them.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.acceptance.server import ACCOUNT, REGION, ROLE, Server, ended_execution, history

SEEDS = Path(__file__).parent / "seeds"
EVENT = """<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><EventID>4720</EventID></System>
<EventData><Data Name='TargetUserName'>Jane.Doe</Data>
<Data Name='UserPrincipalName'>Jane.Doe@Corp.Example.com</Data></EventData></Event>"""
UPN = "jane.doe@corp.example.com"


def client_of(service: str, server: Server) -> Any:
    given = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
    config = Config(inject_host_prefix=False)
    return boto3.session.Session().client(service, endpoint_url=server.url, config=config, **given)


def create_function(server: Server, name: str, code: str, runtime: str = "python3.7", **variables: str) -> None:
    """As the post has it: 128 MB, 3 seconds."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("lambda_function.py", code)
    client_of("lambda", server).create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler="lambda_function.lambda_handler",
        Role=ROLE,
        MemorySize=128,
        # The post's 3 seconds are for machines that do nothing else.
        Timeout=60,
        Environment={"Variables": variables},
        Code={"ZipFile": archive.getvalue()},
    )


def invoke(server: Server, name: str, event: Any) -> Any:
    answer = client_of("lambda", server).invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def seed(name: str) -> str:
    text = (SEEDS / name).read_text("utf-8")
    return (
        text.replace("{region}", REGION)
        .replace("{account id}", ACCOUNT)
        .replace("us-west-2:123456789012", f"{REGION}:{ACCOUNT}")
    )


def started(server: Server, machine: str, input: Any) -> dict[str, Any]:
    """What DescribeExecution says of a run that has ended."""
    states = client_of("stepfunctions", server)
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(input))["executionArn"]
    return ended_execution(server.api(), execution)


def create_machine(server: Server, name: str, file: str) -> str:
    made = client_of("stepfunctions", server).create_state_machine(name=name, definition=seed(file), roleArn=ROLE)
    return str(made["stateMachineArn"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its functions folder is empty: some names are also those of the example's functions."""
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server
        assert server.stop() == 0
        assert server.stderr() == ""


@pytest.fixture(scope="module")
def settings(server: Server) -> dict[str, str]:
    """The environment of SFN-New-User-Flow: ids that the post has its readers look up."""
    ec2, workspaces, connect = (client_of(name, server) for name in ("ec2", "workspaces", "connect"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for number, zone in enumerate(zones)
    ]
    directory = client_of("ds", server).create_microsoft_ad(
        Name="corp.example.com",
        Password="Secret-1234",
        VpcSettings={"VpcId": vpc, "SubnetIds": subnets},
    )["DirectoryId"]
    workspaces.register_workspace_directory(DirectoryId=directory, SubnetIds=subnets)
    instance = connect.create_instance(
        IdentityManagementType="SAML", InboundCallsEnabled=True, OutboundCallsEnabled=True
    )["Id"]
    bundles = workspaces.describe_workspace_bundles(Owner="AMAZON")["Bundles"]
    routing = connect.list_routing_profiles(InstanceId=instance)["RoutingProfileSummaryList"]
    security = connect.list_security_profiles(InstanceId=instance)["SecurityProfileSummaryList"]
    (agent,) = [profile["Id"] for profile in security if profile["Name"] == "Agent"]
    return {
        "nameDelimiter": ".",
        "bundleId": bundles[0]["BundleId"],
        "directoryId": directory,
        "instanceId": instance,
        "routingProfile": routing[0]["Id"],
        "securityProfile": agent,
    }


@pytest.fixture(scope="module")
def new_user_flow(server: Server, settings: dict[str, str]) -> Iterator[str]:
    """The ARN of the workflow of the first post, with its functions."""
    create_function(server, "SFN-New-User-Flow", seed("functions/SFN-New-User-Flow.py"), **settings)
    machine = create_machine(server, "NewUserWorkFlow", "new_user_work_flow.asl.json")
    code = seed("functions/DS-Log-Stream-Function.py")
    create_function(server, "DS-Log-Stream-Function", code, stateMachineArn=machine)
    yield machine


def test_a_new_user(server: Server, new_user_flow: str) -> None:
    """From the directory's log to a WorkSpace and a user; the second time to the errors that the workflow catches."""
    told = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "/aws/directoryservice/d-1234567890",
        "logStream": "DC1",
        "subscriptionFilters": ["NewUser"],
        "logEvents": [{"id": "1", "timestamp": 1_700_000_000_000, "message": text} for text in (EVENT, "<EventID/>")],
    }
    data = base64.b64encode(gzip.compress(json.dumps(told).encode())).decode()
    answer = invoke(server, "DS-Log-Stream-Function", {"awslogs": {"data": data}})
    (result,) = json.loads(answer["body"])["Result"]
    assert (answer["statusCode"], result["Username"]) == (200, UPN)
    ended = ended_execution(server.api(), result["ExectionArn"])
    asked = {"Username": "jane.doe", "UPN": UPN, "DomainName": "corp.example.com"}
    assert json.loads(ended["input"]) == asked
    assert ended["status"] == "SUCCEEDED", ended
    workspace, user = json.loads(ended["output"])
    assert json.loads(workspace["body"]) == {"UserName": UPN, "ServiceName": "WorkSpaces", "Status": "Success"}
    assert json.loads(user["connectResult"]["body"]) == {
        "UserName": UPN,
        "ServiceName": "Connect",
        "FirstName": "jane",
        "LastName": "doe",
        "Status": "Success",
    }

    again = started(server, new_user_flow, asked)
    assert again["status"] == "SUCCEEDED", again
    workspace, user = json.loads(again["output"])
    assert workspace["Result"]["Error"] == "WorkSpaceResourceExists"
    assert user["Result"]["Error"] == "DuplicateResourceException"
    events = [event["type"] for event in history(server.api(), again["executionArn"])]
    assert events.count("LambdaFunctionScheduled") == 2, "neither is tried again"


ORDER = json.loads((SEEDS / "order.json").read_text("utf-8"))
FUNCTIONS = {
    "validatePayment": """paid = event['detail']['paymentMethod'] == 'aCreditCard'
    return {**event, 'payment': 'Ok' if paid else 'Refused'}""",
    "paymentFailed": "return {'refused': event['orderId']}",
    "checkAvailability": """import os
    seen = os.path.join(os.path.dirname(__file__), event['productName'].replace(' ', '-'))
    tries = os.path.getsize(seen) if os.path.exists(seen) else 0
    with open(seen, 'a') as file:
        file.write('x')
    if event.get('slow') and tries < 2:
        raise TimeOut(event['productName'])
    return {**event, 'available': True}""",
    "prepareForDelivery": "return {**event, 'prepared': True}",
    "startDelivery": "return {'product': event['productName'], 'delivered': event['available'] and event['prepared']}",
    "sendOrderSummary": "return f'{sum(item[\"delivered\"] for item in event)} of {len(event)}'",
}


@pytest.fixture(scope="module")
def process_order(server: Server) -> str:
    for name, body in FUNCTIONS.items():
        code = f"class TimeOut(Exception):\n    pass\n\ndef lambda_handler(event, context):\n    {body}\n"
        create_function(server, name, code)
    return create_machine(server, "ProcessOrder", "process_order.asl.json")


def test_an_order(server: Server, process_order: str) -> None:
    ended = started(server, process_order, ORDER)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    items = [{"product": item["productName"], "delivered": True} for item in ORDER["detail"]["items"]]
    assert output == {
        **ORDER,
        "payment": "Ok",
        "detail": {**ORDER["detail"], "processedItems": items, "summary": "5 of 5"},
    }


def test_an_order_that_is_not_paid(server: Server, process_order: str) -> None:
    order = {**ORDER, "detail": {**ORDER["detail"], "paymentMethod": "anotherCard"}}
    ended = started(server, process_order, order)
    assert json.loads(ended["output"]) == {"refused": "12345678"}


def test_an_item_whose_stock_answers_late(server: Server, process_order: str) -> None:
    """The exception class TimeOut is tried again after one second and after two."""
    item = {**ORDER["detail"]["items"][0], "productName": "Slow Book", "slow": True}
    ended = started(server, process_order, {**ORDER, "detail": {**ORDER["detail"], "items": [item]}})
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"])["detail"]["summary"] == "1 of 1"
    events = history(server.api(), ended["executionArn"])
    failed = [event["lambdaFunctionFailedEventDetails"] for event in events if event["type"] == "LambdaFunctionFailed"]
    assert [failure["error"] for failure in failed] == ["TimeOut", "TimeOut"]
