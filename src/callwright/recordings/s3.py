"""Objects over the S3 protocol, by boto3 (the extra ``s3``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from callwright.errors import SettingsError
from callwright.recordings.objects import NoObject, ObjectFault

CONNECT_S = 5
READ_S = 30


class S3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Which bucket, and how to get there. Without keys they are looked for where Amazon's own tools do."""

    bucket: str
    endpoint: str = ""
    region: str = "us-east-1"
    prefix: str = ""
    access_key: str = ""
    secret_key: str = ""

    def __repr__(self) -> str:
        return f"S3Settings({self.bucket}, …)"


class S3Objects:
    """A bucket. Its client is made once and is safe on many threads."""

    def __init__(self, settings: S3Settings) -> None:
        """Raises `SettingsError` when the library is missing or the settings cannot be used."""
        try:
            import boto3  # type: ignore[import-untyped]
            from botocore import exceptions  # type: ignore[import-untyped]
            from botocore.config import Config  # type: ignore[import-untyped]
        except ImportError as error:
            raise SettingsError(
                "recordings.bucket: object storage needs a library that is not installed; install it with: "
                f'pip install "callwright[s3]" ({error})'
            ) from None
        self._bucket = settings.bucket
        self._prefix = settings.prefix
        self._error = exceptions.ClientError
        self._errors = (exceptions.BotoCoreError, exceptions.ClientError, OSError)
        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            # Whoever asks tries again in its own time; a download should not hang for minutes.
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=32,
            # Not every server knows the checksums that newer clients add by themselves.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if settings.endpoint else "auto"},
        )
        try:
            self._client = boto3.session.Session().client(
                "s3",
                endpoint_url=settings.endpoint or None,
                region_name=settings.region,
                aws_access_key_id=settings.access_key or None,
                aws_secret_access_key=settings.secret_key or None,
                config=config,
            )
        except (exceptions.BotoCoreError, ValueError) as error:
            raise SettingsError(f"recordings.endpoint: object storage cannot be set up: {error}.") from None

    def put(self, name: str, path: Path) -> None:
        with self._told("put", name), path.open("rb") as file:
            self._client.put_object(**self._named(name), Body=file)

    def size(self, name: str) -> int:
        with self._told("size", name):
            return int(self._client.head_object(**self._named(name))["ContentLength"])

    def read(self, name: str, start: int, length: int) -> bytes:
        if length <= 0:
            return b""
        with self._told("read", name):
            answer = self._client.get_object(**self._named(name), Range=f"bytes={start}-{start + length - 1}")
            found: bytes = answer["Body"].read()
        if answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
            found = found[start : start + length]  # a server that knows no ranges
        return found

    def delete(self, name: str) -> None:
        with self._told("delete", name):
            self._client.delete_object(**self._named(name))

    def _named(self, name: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    @contextmanager
    def _told(self, what: str, name: str) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            answer = error.response.get("Error", {})
            code, status = str(answer.get("Code", "")), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 404 and code != "NoSuchBucket":
                raise NoObject(f"There is no object {name} in the bucket {self._bucket}.") from None
            raise ObjectFault(
                f"Object storage refused to {what} {name}: {status} {code}, {answer.get('Message', '')}."
            ) from None
        except self._errors as error:
            raise ObjectFault(f"Object storage could not {what} {name}: {error}.") from None
