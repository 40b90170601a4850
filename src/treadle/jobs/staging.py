"""Objects of S3 as files, for programs that know files only: fetched before such a program runs, stored after it.

Spark from PyPI has no file system for S3. So whatever a step names as `s3://BUCKET/KEY` (or s3n, s3a) becomes a file
below one folder, at BUCKET/KEY: what there is at that key, and below it, is fetched; and when the program has ended,
what is new or changed in the folder is stored, and what it removed is deleted. As Hadoop has it, several slashes in a
path are one. A name that holds `*` fetches what stands before it.

Runs in the process of a step, not in the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URI = re.compile(r"s3[an]?://([A-Za-z0-9][A-Za-z0-9._-]+)(/[^\s'\"`;,)]*)?")
_SLASHES = re.compile("/+")
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})

_Seen = dict[Path, tuple[int, int]]


class StagingError(Exception):
    """What a step names in S3 cannot be had. The message is for people."""


class Stage:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._s3: Any = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
        self._keys: dict[Path, str] = {}
        """Of files that were fetched: their keys may have more slashes than their paths."""
        self._seen: _Seen = {}
        self._fetched: set[str] = set()

    def localized(self, text: str) -> str:
        """The text with the paths of files in place of every S3 URI in it; they are fetched. Raises StagingError."""
        return URI.sub(lambda found: self._local(found[1], found[2] or "/"), text)

    def file(self, uri: str) -> Path:
        """One object, as a file. Raises StagingError if it is not there."""
        found = URI.fullmatch(uri)
        path = Path(uri) if found is None else self._path(found[1], found[2] or "/")
        if found is not None:
            self._fetch(found[1], found[2] or "/")
        if not path.is_file():
            raise StagingError(f"{uri} does not exist")
        return path

    def store(self) -> None:
        """What has changed since it was fetched. Raises StagingError."""
        now = {path: _state(path) for path in self._files()}
        for path, state in now.items():
            if self._seen.get(path) != state:
                bucket, key = self._object(path)
                self._call("upload_file", str(path), bucket, key)
        for path in self._seen.keys() - now.keys():
            bucket, key = self._object(path)
            self._call("delete_object", Bucket=bucket, Key=key)

    # -- objects and files ---------------------------------------------------------------------------------

    def _local(self, bucket: str, path: str) -> str:
        self._fetch(bucket, path)
        return f"file:{self._path(bucket, path)}{'/' if path.endswith('/') else ''}"

    def _path(self, bucket: str, path: str) -> Path:
        parts = [part for part in path.split("/") if part]
        if ".." in parts:
            raise StagingError(f"s3://{bucket}{path} leads out of its bucket")
        return self._folder.joinpath(bucket, *parts)

    def _fetch(self, bucket: str, path: str) -> None:
        prefix = _SLASHES.sub("/", path).strip("/").partition("*")[0]
        if f"{bucket}/{prefix}" in self._fetched:
            return
        self._fetched.add(f"{bucket}/{prefix}")
        (self._folder / bucket).mkdir(parents=True, exist_ok=True)
        for key in self._keys_below(bucket, prefix, whole="*" not in path):
            target = self._path(bucket, key)
            if target in self._seen:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            self._call("download_file", bucket, key, str(target))
            self._keys[target] = key
            self._seen[target] = _state(target)

    def _keys_below(self, bucket: str, prefix: str, *, whole: bool) -> Iterator[str]:
        """The key itself, or those in the folder that it names; without `whole`, those that begin so. Keys with
        several slashes in a row count as with one."""
        first = prefix.partition("/")[0] if "/" in prefix else prefix
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=first)
        try:
            for page in pages:
                for found in page.get("Contents", ()):
                    key: str = found["Key"]
                    plain = _SLASHES.sub("/", key).strip("/")
                    inside = not prefix or plain == prefix or plain.startswith(f"{prefix}/")
                    if (inside if whole else plain.startswith(prefix)) and not key.endswith("/"):
                        yield key
        except ClientError as error:
            raise _failed(bucket, error) from error

    def _files(self) -> Iterator[Path]:
        for path in self._folder.rglob("*"):
            # Hadoop's files of checksums are of no use in S3.
            if path.is_file() and not (path.name.startswith(".") and path.name.endswith(".crc")):
                yield path

    def _object(self, path: Path) -> tuple[str, str]:
        bucket, _, key = path.relative_to(self._folder).as_posix().partition("/")
        return bucket, self._keys.get(path, key)

    def _call(self, operation: str, *arguments: str, **members: str) -> None:
        try:
            getattr(self._s3, operation)(*arguments, **members)
        except Exception as error:
            bucket = members.get("Bucket") or arguments[0 if operation == "download_file" else 1]
            raise _failed(bucket, error) from error


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _failed(bucket: str, error: Exception) -> StagingError:
    missing = isinstance(error, ClientError) and error.response["Error"]["Code"] in {"NoSuchBucket", *_MISSING}
    return StagingError(f"the bucket {bucket} does not exist" if missing else f"the bucket {bucket}: {error}")
