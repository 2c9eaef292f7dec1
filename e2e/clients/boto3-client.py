"""What the test asks of boto3: one command a run, on the bucket and endpoint of the environment."""

import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

BUCKET = os.environ["BUCKET"]
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["S3_ENDPOINT"],
    config=Config(s3={"addressing_style": "path"}),
)
SMALL_PARTS = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=5 << 20)


def keys(prefix):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix, MaxKeys=3):
        for entry in page.get("Contents", []):
            yield entry["Key"]


def upload(directory, prefix):
    for folder, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(folder, name)
            s3.upload_file(path, BUCKET, prefix + os.path.relpath(path, directory), Config=SMALL_PARTS)


def download(prefix, directory):
    for key in keys(prefix):
        path = os.path.join(directory, key[len(prefix) :])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        s3.download_file(BUCKET, key, path)


def copy(source, target):
    s3.copy_object(Bucket=BUCKET, Key=target, CopySource={"Bucket": BUCKET, "Key": source})


def remove(key):
    s3.delete_object(Bucket=BUCKET, Key=key)


def removeAll(prefix):
    found = [{"Key": key} for key in keys(prefix)]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": found})
    assert "Errors" not in answer, answer["Errors"]


def range(key, start, end):
    answer = s3.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={start}-{end}")
    sys.stdout.buffer.write(answer["Body"].read())


globals()[sys.argv[1]](*sys.argv[2:])
