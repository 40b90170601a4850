"""The services of the optimised integrations, as the AWS SDK for Java 1.x names them in answers and errors.

Recorded are SQS, SNS, DynamoDB, EventBridge and ECS; published: Batch (github.com/ASFHyP3/hyp3, issue 911).  With what
Step Functions begins the errors of EMR, DataBrew and the services below them is not known, nor whether their results
have metadata.
"""

from __future__ import annotations

from msgspec import Struct

_HEADERS = ("x-amzn-RequestId", "connection", "Content-Length", "Date", "Content-Type")
DYNAMODB_COMMON_HEADERS = ("x-amz-crc32", "Content-Length", "Date", "Content-Type")


class Service(Struct, frozen=True, kw_only=True):
    client: str
    """botocore's name of the service."""
    prefix: str
    """What the names of errors begin with."""
    product: str
    """The service in causes."""
    base_error: str
    """The class of errors that have no class of their own."""
    headers: tuple[str, ...] = _HEADERS
    """Of answers, as AWS sends them; none: results have no metadata."""


DYNAMODB = Service(
    client="dynamodb",
    prefix="DynamoDB",
    product="AmazonDynamoDBv2",
    base_error="AmazonDynamoDBException",
    headers=("Server", "Connection", "x-amzn-RequestId", *DYNAMODB_COMMON_HEADERS),
)
SQS = Service(client="sqs", prefix="SQS", product="AmazonSQS", base_error="AmazonSQSException")
SNS = Service(client="sns", prefix="SNS", product="AmazonSNS", base_error="AmazonSNSException")
EVENTS = Service(
    client="events",
    prefix="EventBridge",
    product="AmazonEventBridge",
    base_error="AmazonEventBridgeException",
    headers=(),
)
ECS = Service(client="ecs", prefix="ECS", product="AmazonECS", base_error="AmazonECSException")
BATCH = Service(client="batch", prefix="Batch", product="AWSBatch", base_error="AWSBatchException")
GLUE = Service(client="glue", prefix="Glue", product="AWSGlue", base_error="AWSGlueException")
DATABREW = Service(
    client="databrew", prefix="DataBrew", product="AWSGlueDataBrew", base_error="AWSGlueDataBrewException"
)
SAGEMAKER = Service(
    client="sagemaker", prefix="SageMaker", product="AmazonSageMaker", base_error="AmazonSageMakerException"
)
EMR = Service(
    client="emr",
    prefix="ElasticMapReduce",
    product="AmazonElasticMapReduce",
    base_error="AmazonElasticMapReduceException",
)
EMR_CONTAINERS = Service(
    client="emr-containers",
    prefix="EMRContainers",
    product="AmazonEMRContainers",
    base_error="AmazonEMRContainersException",
)
EMR_SERVERLESS = Service(
    client="emr-serverless",
    prefix="EMRServerless",
    product="AWSEMRServerless",
    base_error="AWSEMRServerlessException",
)
CODEBUILD = Service(client="codebuild", prefix="CodeBuild", product="AWSCodeBuild", base_error="AWSCodeBuildException")
ATHENA = Service(client="athena", prefix="Athena", product="AmazonAthena", base_error="AmazonAthenaException")
EKS = Service(client="eks", prefix="EKS", product="AmazonEKS", base_error="AmazonEKSException")
MEDIACONVERT = Service(
    client="mediaconvert", prefix="MediaConvert", product="AWSMediaConvert", base_error="AWSMediaConvertException"
)
BEDROCK = Service(client="bedrock", prefix="Bedrock", product="AmazonBedrock", base_error="AmazonBedrockException")
BEDROCK_RUNTIME = Service(
    client="bedrock-runtime",
    prefix="Bedrock",
    product="AmazonBedrockRuntime",
    base_error="AmazonBedrockRuntimeException",
)
