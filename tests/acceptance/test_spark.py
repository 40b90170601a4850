"""EMR steps on a real Spark: runs where treadle[spark] is installed, and Java."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.acceptance.server import REGION, Server, poll

HERE = Path(__file__).parent
THERE_IS_SPARK = importlib.util.find_spec("pyspark") is not None and bool(
    shutil.which("java") or "JAVA_HOME" in os.environ
)
pytestmark = pytest.mark.skipif(not THERE_IS_SPARK, reason="treadle[spark] and Java are not installed")

SPARK_SECONDS = 900
"""When a step counts as hung: Spark takes long to start where many tests run at once."""
SAMPLES, MINE = "eu-west-1.elasticmapreduce.samples", "my-bucket"
SYSTEMS = [("Windows", "Firefox"), ("Linux", "Chrome"), ("MacOS", "Safari"), ("Linux", "Firefox"), ("Linux", "Lynx")]
LOG = "#Version: 1.0\n" + "".join(
    f"2014-07-{day:02d}\t20:00:00\tLHR3\t4260\t10.0.0.15\tGET\texample.cloudfront.net\t/a.jpeg\t200\t-\t"
    f"Mozilla/5.0%20({system};%20U;%20en-US)%20Gecko/20090624%20{browser}/3.5\n"
    for day in (4, 5, 31)
    for system, browser in SYSTEMS
)
"""In the form of the logs of CloudFront. One day of three lies before the time that the script asks about."""
WORDS = """
import sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
lines = spark.read.text(sys.argv[1])
lines.groupBy("value").count().orderBy("value").coalesce(1).write.json(sys.argv[2])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("spark")) as server:
        s3 = client("s3", server)
        for bucket in (SAMPLES, MINE):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.upload_file(str(HERE / "cloudfront.q"), SAMPLES, "cloudfront/code/Hive_CloudFront.q")
        s3.put_object(Bucket=SAMPLES, Key="cloudfront/data/log-1", Body=LOG.encode())
        s3.put_object(Bucket=MINE, Key="words.py", Body=WORDS.encode())
        s3.put_object(Bucket=MINE, Key="in/a.txt", Body=b"one\ntwo\n")
        s3.put_object(Bucket=MINE, Key="in/b.txt", Body=b"two\n")
        yield server
        assert server.stop() == 0
        assert server.stderr() == ""


def client(service: str, server: Server) -> Any:
    given = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
    path_style = Config(s3={"addressing_style": "path"})
    return boto3.session.Session().client(service, endpoint_url=server.url, config=path_style, **given)


def status(server: Server, *arguments: str) -> dict[str, Any]:
    """Of a step with these arguments, once it has ended."""
    emr = client("emr", server)
    step = {"Name": "step", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": list(arguments)}}
    made = emr.run_job_flow(Name="spark", Instances={"KeepJobFlowAliveWhenNoSteps": False}, Steps=[step])["JobFlowId"]

    def look() -> dict[str, Any] | None:
        (shown,) = emr.list_steps(ClusterId=made)["Steps"]
        found: dict[str, Any] = shown["Status"]
        return None if found["State"] in ("PENDING", "RUNNING") else found

    return poll(look, SPARK_SECONDS)


def lines_below(server: Server, prefix: str) -> list[str]:
    s3 = client("s3", server)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=MINE, Prefix=prefix).get("Contents", [])]
    texts = [s3.get_object(Bucket=MINE, Key=key)["Body"].read().decode() for key in keys]
    return [line for text in texts for line in text.splitlines()]


def test_the_hive_script_of_the_post_counts_right(server: Server) -> None:
    ended = status(
        server,
        *("hive-script", "--run-hive-script", "--args"),
        *("-f", f"s3://{SAMPLES}/cloudfront/code/Hive_CloudFront.q"),
        *("-d", f"INPUT=s3://{SAMPLES}", "-d", f"OUTPUT=s3://{MINE}/MyHiveQueryResults/"),
    )
    assert ended["State"] == "COMPLETED", ended
    counted = dict(line.split("\x01") for line in lines_below(server, "MyHiveQueryResults/os_requests/"))
    expected = Counter(system for system, _ in SYSTEMS * 2)
    assert counted == {system: str(count) for system, count in expected.items()}


def test_a_script_for_spark(server: Server) -> None:
    ended = status(
        server,
        *("spark-submit", "--deploy-mode", "cluster", "--master", "yarn"),
        *(f"s3://{MINE}/words.py", f"s3://{MINE}/in/", f"s3://{MINE}/out"),
    )
    assert ended["State"] == "COMPLETED", ended
    assert [json.loads(line) for line in lines_below(server, "out/")] == [
        {"value": "one", "count": 1},
        {"value": "two", "count": 2},
    ]


def test_a_script_that_is_not_there(server: Server) -> None:
    ended = status(server, "hive-script", "--args", "-f", f"s3://{MINE}/missing.q")
    assert ended["State"] == "FAILED"
    assert ended["FailureDetails"]["Message"].endswith(f"hive-script: s3://{MINE}/missing.q does not exist")
