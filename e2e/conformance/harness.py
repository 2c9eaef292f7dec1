"""
Cases of S3's documented behaviour, run against one endpoint. A case is a function of one argument, a Place, that asserts.
Every request is recorded with its status and error, so that two endpoints can also be compared call by call.
"""

import datetime
import hashlib
import http.client
import json
import os
import sys
import threading
import time
import traceback
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
from botocore.config import Config
from botocore.exceptions import ClientError

CASES = []
REGION = os.environ.get("REGION", "us-east-1")
MEBIBYTE = 1 << 20
# boto3 makes clients for one thread at a time.
MAKING = threading.Lock()


def case(function):
    """Registers a case under its function's name."""
    CASES.append(function)
    return function


class Answer:
    """An answer to a request that boto3 would not send."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def code(self):
        start, end = self.body.find(b"<Code>"), self.body.find(b"</Code>")
        return self.body[start + 6 : end].decode() if start >= 0 else None


class Place:
    """An endpoint, seen by one case: clients, buckets of its own, and a record of what was asked and answered."""

    def __init__(self, endpoint, access_key, secret_key):
        self.endpoint = endpoint
        self.host = urllib.parse.urlsplit(endpoint).netloc
        self.access_key = access_key
        self.secret_key = secret_key
        self.buckets = []
        self.record = []
        self.client = self.client_with()

    def client_with(self, access_key=None, secret_key=None, **config):
        config = {"signature_version": "s3v4", "retries": {"max_attempts": 0}, **config}
        with MAKING:
            client = boto3.client(
                "s3",
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=access_key or self.access_key,
                aws_secret_access_key=secret_key or self.secret_key,
                config=Config(s3={"addressing_style": "path"}, **config),
            )
        client.meta.events.register("after-call.s3", self._after)
        return client

    def _after(self, http_response, parsed, model, **_):
        error = parsed.get("Error", {}).get("Code") if http_response.status_code >= 300 else None
        self.record.append((model.name, http_response.status_code, error))

    def name(self):
        return "conf-" + uuid.uuid4().hex[:20]

    def bucket(self, **settings):
        name = self.name()
        self.client.create_bucket(Bucket=name, **settings)
        self.buckets.append(name)
        return name

    def filled(self, *keys):
        bucket = self.bucket()

        def put(key):
            self.client.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else key.encode())

        if len(keys) < 20:
            for key in keys:
                put(key)
        else:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(put, keys))
        return bucket

    def raw(self, method, path, headers=None, body=b"", signed=True, keep=()):
        """Sends exactly these headers, signed unless told not to; `keep` names headers that are added after signing."""
        headers = dict(headers or {})
        late = {name: headers.pop(name) for name in keep if name in headers}
        url = self.endpoint + path
        if signed:
            request = botocore.awsrequest.AWSRequest(method=method, url=url, data=body, headers=headers)
            keys = botocore.credentials.Credentials(self.access_key, self.secret_key)
            botocore.auth.S3SigV4Auth(keys, "s3", REGION).add_auth(request)
            headers = dict(request.headers.items())
        headers.update(late)
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            names = {name.lower() for name in headers}
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            if "content-length" not in names and "transfer-encoding" not in names and (body or method in ("PUT", "POST")):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = Answer(connection.getresponse())
            self.record.append(("raw " + method, answer.status, answer.code))
            return answer
        finally:
            connection.close()

    def clean(self):
        for bucket in self.buckets:
            try:
                for upload in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                    self.client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                for page in self.client.get_paginator("list_object_versions").paginate(Bucket=bucket):
                    rows = page.get("Versions", []) + page.get("DeleteMarkers", [])
                    items = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
                    if items:
                        self.client.delete_objects(Bucket=bucket, Delete={"Objects": items, "Quiet": True})
                self.client.delete_bucket(Bucket=bucket)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchBucket":
                    raise


def refused(call, *args, status=None, code=None, **settings):
    """The call is refused, with this status and one of these codes."""
    try:
        call(*args, **settings)
    except ClientError as error:
        got = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
        statuses = status if isinstance(status, tuple) else (status,)
        codes = code if isinstance(code, tuple) else (code,)
        assert status is None or got[0] in statuses, f"{got}, not {status}"
        assert code is None or got[1] in codes, f"{got}, not {code}"
        assert error.response["Error"].get("Message"), f"{got} without a message"
        return error.response
    raise AssertionError(f"it was not refused with {status} {code}")


def is_answer(answer, status, code=None):
    assert answer.status == status, (answer.status, answer.code, answer.body[:300])
    assert code is None or answer.code == code, (answer.code, code)


def same(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def keys_of(page):
    return [row["Key"] for row in page.get("Contents", [])]


def prefixes_of(page):
    return [row["Prefix"] for row in page.get("CommonPrefixes", [])]


def read(place, bucket, key, **settings):
    return place.client.get_object(Bucket=bucket, Key=key, **settings)["Body"].read()


def md5(data):
    return hashlib.md5(data).hexdigest()


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def run_one(function):
    """Runs a case; its row says what failed, and every request with its status and error."""
    place = Place(os.environ["S3_ENDPOINT"], os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    started = time.monotonic()
    problem = None
    try:
        function(place)
    except Exception as error:  # noqa: BLE001: whatever it is, the case failed
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames if "conformance" in frame.filename]
        problem = f"{' '.join(lines[-3:])} {type(error).__name__}: {str(error)[:600]}"
    calls = list(place.record)
    try:
        place.clean()
    except Exception as error:  # noqa: BLE001
        problem = problem or f"cleaning up: {error}"
    return {"case": function.__name__, "problem": problem, "calls": calls, "ms": round(1000 * (time.monotonic() - started))}


def run(only=None):
    """Runs the cases whose names contain `only`, some at once; prints one JSON line a case."""
    chosen = [function for function in CASES if not only or only in function.__name__]
    failed = 0
    with ThreadPoolExecutor(4) as pool:
        for row in pool.map(run_one, chosen):
            failed += row["problem"] is not None
            print(json.dumps(row), flush=True)
    print(json.dumps({"done": True}), flush=True)
    return failed


def main():
    sys.exit(1 if run(sys.argv[1] if len(sys.argv) > 1 else None) else 0)
