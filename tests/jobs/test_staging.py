"""Objects as files, and back: against moto in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from treadle.jobs.staging import Stage, StagingError

OBJECTS = {
    "in/a.txt": "a",
    "in/deep/b.txt": "b",
    "in//doubled/c.txt": "c",
    "inside.txt": "not in the folder",
    "out/old.txt": "old",
    "out/kept.txt": "kept",
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket.one")
        for key, text in OBJECTS.items():
            client.put_object(Bucket="bucket.one", Key=key, Body=text.encode())
        yield client


def stored(s3: Any) -> dict[str, str]:
    listed = s3.list_objects_v2(Bucket="bucket.one").get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket="bucket.one", Key=each["Key"])["Body"].read().decode() for each in listed}


def files(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}


@pytest.mark.parametrize(
    ("text", "becomes", "fetched"),
    [
        ("s3://bucket.one/in/", "file:{}/bucket.one/in/", {"in/a.txt", "in/deep/b.txt", "in/doubled/c.txt"}),
        ("s3a://bucket.one/in//deep", "file:{}/bucket.one/in/deep", {"in/deep/b.txt"}),
        ("x=s3n://bucket.one/in/a.txt", "x=file:{}/bucket.one/in/a.txt", {"in/a.txt"}),
        ("LOCATION 's3://bucket.one/out';", "LOCATION 'file:{}/bucket.one/out';", {"out/old.txt", "out/kept.txt"}),
        ("s3://bucket.one/ins*", "file:{}/bucket.one/ins*", {"inside.txt"}),
        ("s3://bucket.one/new/", "file:{}/bucket.one/new/", set()),
        ("no object", "no object", set()),
    ],
)
def test_what_a_text_names_is_fetched(s3: Any, tmp_path: Path, text: str, becomes: str, fetched: set[str]) -> None:
    assert Stage(tmp_path).localized(text) == becomes.format(tmp_path)
    assert set(files(tmp_path)) == {f"bucket.one/{name}" for name in fetched}


def test_what_has_changed_is_stored(s3: Any, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.localized("s3://bucket.one/out s3://bucket.one/in")
    folder = tmp_path / "bucket.one"
    (folder / "out" / "old.txt").unlink()
    (folder / "out" / "new.txt").write_text("new")
    (folder / "out" / ".new.txt.crc").write_text("a checksum of Hadoop's")
    (folder / "in" / "doubled" / "c.txt").write_text("changed")
    stage.store()
    expected = {**OBJECTS, "out/new.txt": "new", "in//doubled/c.txt": "changed"}
    del expected["out/old.txt"]
    assert stored(s3) == expected


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s3://bucket.one/missing.txt", "s3://bucket.one/missing.txt does not exist"),
        ("s3://no.bucket/a.txt", "the bucket no.bucket does not exist"),
        ("s3://bucket.one/../other/a.txt", "leads out of its bucket"),
        ("/no/such/file", "/no/such/file does not exist"),
    ],
)
def test_what_cannot_be_had_says_so(s3: Any, tmp_path: Path, uri: str, told: str) -> None:
    with pytest.raises(StagingError) as raised:
        Stage(tmp_path).file(uri)
    assert told in str(raised.value)
