"""Conditional reads and writes."""

from harness import case, is_answer, read, refused, same, utc


@case
def condition_reads(place):
    bucket = place.filled("k")
    head = place.client.head_object(Bucket=bucket, Key="k")
    etag, when = head["ETag"], head["LastModified"].timestamp()
    before, after = utc(when - 3600), utc(when)
    for call in (place.client.get_object, place.client.head_object):
        at = {"Bucket": bucket, "Key": "k"}
        for good in (
            {"IfMatch": etag}, {"IfMatch": etag.strip('"')}, {"IfMatch": "*"}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": before},
            {"IfUnmodifiedSince": after}, {"IfMatch": etag, "IfUnmodifiedSince": before}, {"IfNoneMatch": '"other"', "IfModifiedSince": after},
            {"IfMatch": f'"other", {etag}'},
        ):
            same(call(**at, **good)["ResponseMetadata"]["HTTPStatusCode"], 200)
        for bad, status in (
            ({"IfMatch": '"other"'}, 412), ({"IfNoneMatch": etag}, 304), ({"IfNoneMatch": "*"}, 304), ({"IfModifiedSince": after}, 304),
            ({"IfUnmodifiedSince": before}, 412), ({"IfNoneMatch": etag, "IfModifiedSince": before}, 304),
            ({"IfMatch": '"other"', "IfNoneMatch": etag}, 412),
        ):
            refused(call, **at, **bad, status=status)


@case
def condition_read_tells_etag_of_304(place):
    bucket = place.filled("k")
    etag = place.client.head_object(Bucket=bucket, Key="k")["ETag"]
    answer = place.raw("GET", f"/{bucket}/k", {"If-None-Match": etag})
    same((answer.status, answer.headers["etag"], answer.body), (304, etag, b""))
    assert "last-modified" in answer.headers


@case
def condition_read_with_range(place):
    bucket = place.filled("key")
    etag = place.client.head_object(Bucket=bucket, Key="key")["ETag"]
    same(place.client.get_object(Bucket=bucket, Key="key", IfMatch=etag, Range="bytes=1-1")["Body"].read(), b"e")
    refused(place.client.get_object, Bucket=bucket, Key="key", IfMatch='"other"', Range="bytes=1-1", status=412, code="PreconditionFailed")
    answer = place.raw("GET", f"/{bucket}/key", {"If-Range": etag, "Range": "bytes=0-0"})
    same((answer.status, answer.body), (206, b"k"))
    answer = place.raw("GET", f"/{bucket}/key", {"If-Range": '"other"', "Range": "bytes=0-0"})
    same((answer.status, answer.body), (200, b"key"))


@case
def condition_of_what_is_not_there(place):
    bucket = place.bucket()
    for headers in ({"If-Match": "*"}, {"If-None-Match": "*"}, {"If-Match": '"x"'}):
        same(place.raw("GET", f"/{bucket}/nope", headers).status, 404)


def put(place, bucket, headers, body=b"new"):
    return place.raw("PUT", f"/{bucket}/k", headers, body)


@case
def condition_put_if_none_match(place):
    bucket = place.bucket()
    same(put(place, bucket, {"If-None-Match": "*"}, b"one").status, 200)
    again = put(place, bucket, {"If-None-Match": "*"}, b"two")
    same((again.status, again.code), (412, "PreconditionFailed"))
    same(read(place, bucket, "k"), b"one")
    place.client.delete_object(Bucket=bucket, Key="k")
    same(put(place, bucket, {"If-None-Match": "*"}, b"three").status, 200)
    same(read(place, bucket, "k"), b"three")


@case
def condition_put_if_match(place):
    bucket = place.filled("k")
    etag = place.client.head_object(Bucket=bucket, Key="k")["ETag"]
    wrong = put(place, bucket, {"If-Match": '"abcd"'})
    same((wrong.status, wrong.code), (412, "PreconditionFailed"))
    same(read(place, bucket, "k"), b"k")
    same(put(place, bucket, {"If-Match": etag}).status, 200)
    same(read(place, bucket, "k"), b"new")
    same(put(place, bucket, {"If-Match": etag}).status, 412)
    same(put(place, bucket, {"If-Match": "*"}).status, 200)


@case
def condition_put_if_match_of_what_is_not_there(place):
    bucket = place.bucket()
    for tag in ('"abcd"', "*"):
        is_answer(put(place, bucket, {"If-Match": tag}), 404, "NoSuchKey")
    refused(place.client.get_object, Bucket=bucket, Key="k", status=404, code="NoSuchKey")


def completed(place, bucket, key, headers):
    upload = place.client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = place.client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part></CompleteMultipartUpload>".encode()
    return place.raw("POST", f"/{bucket}/{key}?uploadId={upload}", headers, body)


@case
def condition_complete(place):
    bucket = place.bucket()
    same(completed(place, bucket, "k", {"If-None-Match": "*"}).status, 200)
    same(completed(place, bucket, "k", {"If-None-Match": "*"}).status, 412)
    etag = place.client.head_object(Bucket=bucket, Key="k")["ETag"]
    same(completed(place, bucket, "k", {"If-Match": '"abcd"'}).status, 412)
    same(completed(place, bucket, "k", {"If-Match": etag}).status, 200)


@case
def condition_copy_source(place):
    bucket = place.filled("k")
    head = place.client.head_object(Bucket=bucket, Key="k")
    copy = {"Bucket": bucket, "Key": "c", "CopySource": f"{bucket}/k"}
    now = head["LastModified"].timestamp()
    place.client.copy_object(**copy, CopySourceIfMatch=head["ETag"])
    place.client.copy_object(**copy, CopySourceIfNoneMatch='"ABCORZ"')
    place.client.copy_object(**copy, CopySourceIfModifiedSince=utc(now - 3600))
    place.client.copy_object(**copy, CopySourceIfUnmodifiedSince=utc(now + 3600))
    refused(place.client.copy_object, **copy, CopySourceIfMatch='"ABCORZ"', status=412, code="PreconditionFailed")
    refused(place.client.copy_object, **copy, CopySourceIfNoneMatch=head["ETag"], status=412, code="PreconditionFailed")
    refused(place.client.copy_object, **copy, CopySourceIfUnmodifiedSince=utc(now - 3600), status=412, code="PreconditionFailed")
    refused(place.client.copy_object, **copy, CopySourceIfModifiedSince=utc(now), status=412, code="PreconditionFailed")


@case
def condition_copy_target(place):
    bucket = place.filled("k", "there")
    etag = place.client.head_object(Bucket=bucket, Key="there")["ETag"]

    def copy(key, **headers):
        headers = {"x-amz-copy-source": f"{bucket}/k", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return place.raw("PUT", f"/{bucket}/{key}", headers)

    is_answer(copy("there", If_None_Match="*"), 412, "PreconditionFailed")
    is_answer(copy("there", If_Match='"other"'), 412, "PreconditionFailed")
    is_answer(copy("none", If_Match=etag), 404, "NoSuchKey")
    same(read(place, bucket, "there"), b"there")
    is_answer(copy("new", If_None_Match="*"), 200)
    is_answer(copy("there", If_Match=etag), 200)
    same((read(place, bucket, "new"), read(place, bucket, "there")), (b"k", b"k"))


@case
def condition_copy_part_source(place):
    bucket = place.filled("k")
    head = place.client.head_object(Bucket=bucket, Key="k")
    now = head["LastModified"].timestamp()
    upload = place.client.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    copy = {"Bucket": bucket, "Key": "m", "UploadId": upload, "PartNumber": 1, "CopySource": f"{bucket}/k"}
    for bad in (
        {"CopySourceIfMatch": '"other"'}, {"CopySourceIfNoneMatch": head["ETag"]},
        {"CopySourceIfUnmodifiedSince": utc(now - 3600)}, {"CopySourceIfModifiedSince": utc(now)},
    ):
        refused(place.client.upload_part_copy, **copy, **bad, status=412, code="PreconditionFailed")
    place.client.upload_part_copy(**copy, CopySourceIfMatch=head["ETag"])


@case
def condition_delete(place):
    bucket = place.filled("k")
    etag = place.client.head_object(Bucket=bucket, Key="k")["ETag"]
    same(place.raw("DELETE", f"/{bucket}/k", {"If-Match": '"abcd"'}).status, 412)
    same(read(place, bucket, "k"), b"k")
    same(place.raw("DELETE", f"/{bucket}/k", {"If-Match": etag}).status, 204)


@case
def condition_race_of_creators(place):
    from concurrent.futures import ThreadPoolExecutor

    bucket = place.bucket()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: put(place, bucket, {"If-None-Match": "*"}, b"%d" % n).status, range(8)))
    same(answers.count(200), 1)
    assert set(answers) <= {200, 409, 412}, answers
