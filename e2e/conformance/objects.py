"""Objects: bytes, metadata, ranges, odd keys, deletes, tags."""

import datetime

from botocore.exceptions import ClientError

from harness import case, is_answer, md5, read, refused, same

ODD_KEYS = [
    "with space", "plus+plus", "per%cent", "per%20cent", "quest?ion", "hash#tag", "amp&amp", "semi;colon", "comma,", "equals=",
    "quote'quote", 'double"quote', "<tag>", "back\\slash", "tilde~", "umläut", "日本語", "\U0001f600", "dir/", "/leading", "double//slash",
    "a/./b", "dot.", ".hidden", "star*", "(paren)", "[bracket]", "{brace}", "pipe|", "caret^", "grave`", "at@", "dollar$", "colon:",
    "tab\ttab", "line\nline", " lead", "trail ", "a" * 1024, "ü" * 512,
]


@case
def object_write_read_update_delete(place):
    bucket = place.bucket()
    put = place.client.put_object(Bucket=bucket, Key="foo", Body=b"bar")
    same(put["ETag"], f'"{md5(b"bar")}"')
    same(read(place, bucket, "foo"), b"bar")
    place.client.put_object(Bucket=bucket, Key="foo", Body=b"soup")
    same(read(place, bucket, "foo"), b"soup")
    same(place.client.delete_object(Bucket=bucket, Key="foo")["ResponseMetadata"]["HTTPStatusCode"], 204)
    refused(place.client.get_object, Bucket=bucket, Key="foo", status=404, code="NoSuchKey")
    refused(place.client.head_object, Bucket=bucket, Key="foo", status=404)
    same(place.client.delete_object(Bucket=bucket, Key="foo")["ResponseMetadata"]["HTTPStatusCode"], 204)


@case
def object_error_carries_request_id(place):
    bucket = place.bucket()
    answer = place.raw("GET", f"/{bucket}/nope")
    is_answer(answer, 404, "NoSuchKey")
    request_id = answer.headers["x-amz-request-id"]
    assert f"<RequestId>{request_id}</RequestId>".encode() in answer.body
    same(answer.headers["content-type"].split(";")[0], "application/xml")


@case
def object_of_no_bytes(place):
    bucket = place.bucket()
    put = place.client.put_object(Bucket=bucket, Key="empty", Body=b"")
    head = place.client.head_object(Bucket=bucket, Key="empty")
    same((head["ContentLength"], head["ETag"]), (0, put["ETag"]))
    same(read(place, bucket, "empty"), b"")
    refused(place.client.get_object, Bucket=bucket, Key="empty", Range="bytes=40-50", status=416, code="InvalidRange")


@case
def object_headers(place):
    bucket = place.bucket()
    expires = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    settings = {
        "CacheControl": "public, max-age=14400",
        "ContentDisposition": 'attachment; filename="x.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "text/plain; charset=utf-8",
    }
    place.client.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=expires, **settings)
    for got in (place.client.head_object(Bucket=bucket, Key="k"), place.client.get_object(Bucket=bucket, Key="k")):
        same({name: got[name] for name in settings}, settings)
        assert str(got.get("ExpiresString", got["Expires"])).startswith(("Tue, 01 Jan 2030", "2030-01-01"))
        same(got["AcceptRanges"], "bytes")


@case
def object_type_that_is_not_given(place):
    bucket = place.bucket()
    is_answer(place.raw("PUT", f"/{bucket}/k", body=b"x"), 200)
    same(place.client.head_object(Bucket=bucket, Key="k")["ContentType"], "binary/octet-stream")


@case
def object_metadata(place):
    bucket = place.bucket()
    place.client.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"meta1": "mymeta", "mixed-Case": "Value  kept"})
    same(place.client.head_object(Bucket=bucket, Key="k")["Metadata"], {"meta1": "mymeta", "mixed-case": "Value  kept"})
    place.client.put_object(Bucket=bucket, Key="k", Body=b"y", Metadata={"meta2": "other"})
    same(place.client.get_object(Bucket=bucket, Key="k")["Metadata"], {"meta2": "other"})
    place.client.put_object(Bucket=bucket, Key="k", Body=b"y")
    same(place.client.get_object(Bucket=bucket, Key="k")["Metadata"], {})


@case
def object_metadata_empty_and_long(place):
    bucket = place.bucket()
    is_answer(place.raw("PUT", f"/{bucket}/k", {"x-amz-meta-empty": "", "x-amz-meta-long": "v" * 1900}, b"x"), 200)
    same(place.client.head_object(Bucket=bucket, Key="k")["Metadata"], {"empty": "", "long": "v" * 1900})
    refused(place.client.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"big": "v" * 3000}, status=400, code="MetadataTooLarge")


@case
def object_odd_keys(place):
    bucket = place.bucket()
    for key in ODD_KEYS:
        body = key.encode()
        place.client.put_object(Bucket=bucket, Key=key, Body=body if not key.endswith("/") else b"")
    for key in ODD_KEYS:
        same(read(place, bucket, key), b"" if key.endswith("/") else key.encode())
        same(place.client.head_object(Bucket=bucket, Key=key)["ContentLength"], 0 if key.endswith("/") else len(key.encode()))
    listed = place.client.list_objects_v2(Bucket=bucket)["Contents"]
    same([row["Key"] for row in listed], sorted(ODD_KEYS, key=str.encode))
    for key in ODD_KEYS[::2]:
        place.client.delete_object(Bucket=bucket, Key=key)
    done = place.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ODD_KEYS[1::2] if "\n" not in key]})
    assert "Errors" not in done, done["Errors"]


@case
def object_keys_too_long(place):
    bucket = place.bucket()
    refused(place.client.put_object, Bucket=bucket, Key="k" * 1025, Body=b"x", status=400, code="KeyTooLongError")
    refused(place.client.get_object, Bucket=bucket, Key="ü" * 513, status=400, code="KeyTooLongError")


@case
def object_ranges(place):
    bucket = place.bucket()
    body = bytes(range(256)) * 40
    size = len(body)
    place.client.put_object(Bucket=bucket, Key="k", Body=body)
    for asked, start, end in (
        ("bytes=4-7", 4, 7), ("bytes=0-0", 0, 0), ("bytes=4-", 4, size - 1), ("bytes=-7", size - 7, size - 1), ("bytes=0-99999", 0, size - 1),
        (f"bytes={size - 1}-", size - 1, size - 1), (f"bytes=-{size + 5}", 0, size - 1), ("bytes=1000-2999", 1000, 2999),
    ):
        got = place.client.get_object(Bucket=bucket, Key="k", Range=asked)
        same((got["Body"].read(), got["ResponseMetadata"]["HTTPStatusCode"]), (body[start : end + 1], 206))
        same((got["ContentRange"], got["ContentLength"]), (f"bytes {start}-{end}/{size}", end - start + 1))
        head = place.client.head_object(Bucket=bucket, Key="k", Range=asked)
        same((head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]), (end - start + 1, 206))
    for asked in ("bytes=7-4", "bytes=", "bytes=a-b", "lines=1-2", "bytes=0-1,4-5"):
        got = place.client.get_object(Bucket=bucket, Key="k", Range=asked)
        same((got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read() == body), (200, True))
    for asked in (f"bytes={size}-", "bytes=99999-100000", "bytes=-0"):
        refused(place.client.get_object, Bucket=bucket, Key="k", Range=asked, status=416, code="InvalidRange")


@case
def object_large_range(place):
    bucket = place.bucket()
    body = bytes(8 << 20)
    place.client.put_object(Bucket=bucket, Key="k", Body=body)
    got = place.client.get_object(Bucket=bucket, Key="k", Range="bytes=3145728-5242880")
    same((len(got["Body"].read()), got["ContentRange"]), (2097153, "bytes 3145728-5242880/8388608"))


@case
def object_response_headers(place):
    bucket = place.filled("k")
    got = place.client.get_object(
        Bucket=bucket, Key="k", ResponseCacheControl="no-cache", ResponseContentDisposition="bla", ResponseContentEncoding="aaa",
        ResponseContentLanguage="esperanto", ResponseContentType="foo/bar",
    )
    same(
        [got[name] for name in ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType")],
        ["no-cache", "bla", "aaa", "esperanto", "foo/bar"],
    )


@case
def object_delete_many(place):
    keys = [f"key{n}" for n in range(5)]
    bucket = place.filled(*keys)
    done = place.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in [*keys[:3], "not-there"]]})
    same(sorted(row["Key"] for row in done["Deleted"]), sorted([*keys[:3], "not-there"]))
    assert "Errors" not in done
    quiet = place.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": keys[3]}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    same([row["Key"] for row in place.client.list_objects_v2(Bucket=bucket)["Contents"]], ["key4"])
    done = place.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "key4", "VersionId": "null"}]})
    same(done["Deleted"][0]["Key"], "key4")


@case
def object_delete_too_many(place):
    bucket = place.bucket()
    items = [{"Key": f"key{n}"} for n in range(1001)]
    refused(place.client.delete_objects, Bucket=bucket, Delete={"Objects": items}, status=400, code="MalformedXML")


@case
def object_null_version(place):
    bucket = place.filled("k")
    same(place.client.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read(), b"k")
    refused(place.client.get_object, Bucket=bucket, Key="k", VersionId="not-a-version", status=(400, 404))
    place.client.delete_object(Bucket=bucket, Key="k", VersionId="null")
    refused(place.client.get_object, Bucket=bucket, Key="k", status=404, code="NoSuchKey")


@case
def object_tags(place):
    bucket = place.filled("k")
    client = place.client
    same(client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"], [])
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    same(client.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})["ResponseMetadata"]["HTTPStatusCode"], 200)
    same(sorted(client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"], key=lambda tag: tag["Key"]), tags)
    same(client.get_object(Bucket=bucket, Key="k")["TagCount"], 2)
    same(client.delete_object_tagging(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"], 204)
    same(client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"], [])
    client.put_object(Bucket=bucket, Key="t", Body=b"x", Tagging="foo=bar&bar")
    same(sorted((tag["Key"], tag["Value"]) for tag in client.get_object_tagging(Bucket=bucket, Key="t")["TagSet"]), [("bar", ""), ("foo", "bar")])
    refused(client.get_object_tagging, Bucket=bucket, Key="nope", status=404, code="NoSuchKey")


@case
def object_tags_too_many(place):
    bucket = place.filled("k")
    put = place.client.put_object_tagging

    def tags(count, key=5, value=5):
        return {"TagSet": [{"Key": str(n).zfill(key), "Value": "v" * value} for n in range(count)]}

    put(Bucket=bucket, Key="k", Tagging=tags(10, 128, 256))
    for bad in (tags(11), tags(1, 129, 1), tags(1, 1, 257)):
        refused(put, Bucket=bucket, Key="k", Tagging=bad, status=400, code=("InvalidTag", "BadRequest"))


@case
def object_acl_of_an_object(place):
    bucket = place.filled("k")
    acl = place.client.get_object_acl(Bucket=bucket, Key="k")
    same([grant["Permission"] for grant in acl["Grants"]], ["FULL_CONTROL"])
    place.client.put_object(Bucket=bucket, Key="private", Body=b"x", ACL="private")
    same(read(place, bucket, "private"), b"x")


@case
def object_storage_class(place):
    bucket = place.bucket()
    place.client.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD")
    assert place.client.head_object(Bucket=bucket, Key="k").get("StorageClass", "STANDARD") == "STANDARD"
    refused(place.client.put_object, Bucket=bucket, Key="k", Body=b"x", StorageClass="NONSENSE", status=400, code="InvalidStorageClass")


@case
def object_aws_chunked_is_taken_off(place):
    bucket = place.bucket()
    place.client.put_object(Bucket=bucket, Key="k", Body=b"x", ContentEncoding="aws-chunked,gzip")
    same(place.client.head_object(Bucket=bucket, Key="k")["ContentEncoding"], "gzip")


@case
def object_keys_that_are_also_directories(place):
    bucket = place.bucket()
    try:
        place.client.put_object(Bucket=bucket, Key="a", Body=b"file")
        place.client.put_object(Bucket=bucket, Key="a/b", Body=b"below")
    except ClientError as error:
        # A file system cannot: it has to say so.
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], 409)
        return
    same((read(place, bucket, "a"), read(place, bucket, "a/b")), (b"file", b"below"))


@case
def object_settings_that_are_refused(place):
    bucket = place.filled("k")
    for path in (f"/{bucket}?versioning", f"/{bucket}?policy", f"/{bucket}?lifecycle"):
        assert place.raw("PUT", path, body=b"<x/>").status >= 400
