"""Uploads in parts."""

import base64
import hashlib

from harness import MEBIBYTE, case, is_answer, md5, read, refused, same

LEAST = 5 * MEBIBYTE


def start(place, bucket, key="k", **settings):
    return place.client.create_multipart_upload(Bucket=bucket, Key=key, **settings)["UploadId"]


def part(place, bucket, upload, number, body, key="k"):
    done = place.client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
    return {"ETag": done["ETag"], "PartNumber": number}


def complete(place, bucket, upload, parts, key="k", **settings):
    return place.client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **settings)


@case
def multipart_of_two_parts(place):
    bucket = place.bucket()
    one, two = b"a" * LEAST, b"b" * 1000
    upload = start(place, bucket, ContentType="text/foo", Metadata={"foo": "bar"})
    parts = [part(place, bucket, upload, 1, one), part(place, bucket, upload, 2, two)]
    same([row["ETag"] for row in parts], [f'"{md5(one)}"', f'"{md5(two)}"'])
    done = complete(place, bucket, upload, parts)
    etag = '"' + hashlib.md5(hashlib.md5(one).digest() + hashlib.md5(two).digest()).hexdigest() + '-2"'
    same((done["ETag"], done["Bucket"], done["Key"]), (etag, bucket, "k"))
    assert done["Location"]
    head = place.client.head_object(Bucket=bucket, Key="k")
    same((head["ContentLength"], head["ContentType"], head["Metadata"], head["ETag"]), (LEAST + 1000, "text/foo", {"foo": "bar"}, etag))
    same(read(place, bucket, "k") == one + two, True)
    same(read(place, bucket, "k", Range=f"bytes={LEAST - 2}-{LEAST + 1}"), b"aabb")


@case
def multipart_of_one_small_part(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    done = complete(place, bucket, upload, [part(place, bucket, upload, 1, b"x")])
    assert done["ETag"].endswith('-1"')
    same(read(place, bucket, "k"), b"x")


@case
def multipart_without_parts(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    refused(complete, place, bucket, upload, [], status=400, code="MalformedXML")
    refused(place.client.complete_multipart_upload, Bucket=bucket, Key="k", UploadId=upload, status=400, code="MalformedXML")
    is_answer(place.raw("POST", f"/{bucket}/k?uploadId={upload}", body=b"<nonsense"), 400, "MalformedXML")


@case
def multipart_sizes_around_the_least(place):
    bucket = place.bucket()
    for sizes in ((LEAST, 0), (LEAST, 1), (LEAST + 100, LEAST + 600, 5), (LEAST, LEAST)):
        upload = start(place, bucket)
        parts = [part(place, bucket, upload, number, bytes(size)) for number, size in enumerate(sizes, 1)]
        complete(place, bucket, upload, parts)
        same(place.client.head_object(Bucket=bucket, Key="k")["ContentLength"], sum(sizes))


@case
def multipart_parts_too_small(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    parts = [part(place, bucket, upload, 1, b"small"), part(place, bucket, upload, 2, b"last")]
    refused(complete, place, bucket, upload, parts, status=400, code="EntityTooSmall")
    refused(place.client.head_object, Bucket=bucket, Key="k", status=404)


@case
def multipart_missing_part(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    done = part(place, bucket, upload, 1, b"x")
    refused(complete, place, bucket, upload, [{**done, "PartNumber": 9999}], status=400, code="InvalidPart")
    complete(place, bucket, upload, [done])


@case
def multipart_wrong_etag(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    part(place, bucket, upload, 1, b"x")
    refused(complete, place, bucket, upload, [{"ETag": '"ffffffffffffffffffffffffffffffff"', "PartNumber": 1}], status=400, code="InvalidPart")


@case
def multipart_etags_without_quotes(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    done = part(place, bucket, upload, 1, b"x")
    complete(place, bucket, upload, [{**done, "ETag": done["ETag"].strip('"')}])


@case
def multipart_parts_out_of_order(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    two, one = part(place, bucket, upload, 2, bytes(LEAST)), part(place, bucket, upload, 1, bytes(LEAST))
    refused(complete, place, bucket, upload, [two, one], status=400, code="InvalidPartOrder")
    refused(complete, place, bucket, upload, [one, one], status=400, code="InvalidPartOrder")
    complete(place, bucket, upload, [one, two])


@case
def multipart_part_sent_again(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    first = part(place, bucket, upload, 1, b"old" + bytes(LEAST))
    second = part(place, bucket, upload, 1, b"new" + bytes(LEAST))
    refused(complete, place, bucket, upload, [first], status=400, code="InvalidPart")
    complete(place, bucket, upload, [second])
    same(read(place, bucket, "k", Range="bytes=0-2"), b"new")


@case
def multipart_numbers_with_gaps(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    parts = [part(place, bucket, upload, 3, bytes(LEAST)), part(place, bucket, upload, 700, b"mid" + bytes(LEAST)), part(place, bucket, upload, 10000, b"end")]
    complete(place, bucket, upload, parts)
    same(place.client.head_object(Bucket=bucket, Key="k")["ContentLength"], 2 * LEAST + 6)


@case
def multipart_numbers_that_are_none(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    for number in ("0", "10001", "-1", "x"):
        is_answer(place.raw("PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload}", body=b"x"), 400, "InvalidArgument")
    is_answer(place.raw("PUT", f"/{bucket}/k?partNumber=1", body=b"x"), 400, "InvalidArgument")
    refused(place.client.head_object, Bucket=bucket, Key="k", status=404)


@case
def multipart_leaves_out_parts(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    parts = [part(place, bucket, upload, number, bytes([number]) * LEAST) for number in (1, 2, 3)]
    complete(place, bucket, upload, [parts[0], parts[2]])
    same(place.client.head_object(Bucket=bucket, Key="k")["ContentLength"], 2 * LEAST)


@case
def multipart_over_an_object(place):
    bucket = place.filled("k")
    upload = start(place, bucket)
    same(read(place, bucket, "k"), b"k")
    done = part(place, bucket, upload, 1, b"new")
    same(read(place, bucket, "k"), b"k")
    complete(place, bucket, upload, [done])
    same(read(place, bucket, "k"), b"new")


@case
def multipart_abort(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    part(place, bucket, upload, 1, b"x")
    at = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    same(place.client.abort_multipart_upload(**at)["ResponseMetadata"]["HTTPStatusCode"], 204)
    refused(place.client.list_parts, **at, status=404, code="NoSuchUpload")
    refused(place.client.upload_part, **at, PartNumber=1, Body=b"x", status=404, code="NoSuchUpload")
    refused(complete, place, bucket, upload, [{"ETag": '"x"', "PartNumber": 1}], status=404, code="NoSuchUpload")
    same(place.client.list_multipart_uploads(Bucket=bucket).get("Uploads", []), [])


@case
def multipart_upload_that_is_not_there(place):
    bucket = place.bucket()
    at = {"Bucket": bucket, "Key": "k", "UploadId": "56788"}
    refused(place.client.abort_multipart_upload, **at, status=404, code="NoSuchUpload")
    refused(place.client.list_parts, **at, status=404, code="NoSuchUpload")
    refused(place.client.upload_part, **at, PartNumber=1, Body=b"x", status=404, code="NoSuchUpload")


@case
def multipart_upload_of_another_key(place):
    bucket = place.bucket()
    upload = start(place, bucket, "one")
    refused(place.client.upload_part, Bucket=bucket, Key="two", UploadId=upload, PartNumber=1, Body=b"x", status=404, code="NoSuchUpload")


@case
def multipart_list_parts(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    for number in (1, 2, 5):
        part(place, bucket, upload, number, b"x" * number)
    at = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    page = place.client.list_parts(**at)
    same([(row["PartNumber"], row["Size"], row["ETag"]) for row in page["Parts"]], [(n, n, f'"{md5(b"x" * n)}"') for n in (1, 2, 5)])
    same((page["Bucket"], page["Key"], page["UploadId"], page["IsTruncated"], page["StorageClass"]), (bucket, "k", upload, False, "STANDARD"))
    one = place.client.list_parts(**at, MaxParts=1)
    same(([row["PartNumber"] for row in one["Parts"]], one["IsTruncated"], one["NextPartNumberMarker"], one["MaxParts"]), ([1], True, 1, 1))
    rest = place.client.list_parts(**at, PartNumberMarker=one["NextPartNumberMarker"])
    same([row["PartNumber"] for row in rest["Parts"]], [2, 5])


@case
def multipart_list_uploads(place):
    bucket = place.bucket()
    uploads = [(key, start(place, bucket, key)) for key in ("a", "b/c", "b/d", "a")]
    page = place.client.list_multipart_uploads(Bucket=bucket)
    same(sorted((row["Key"], row["UploadId"]) for row in page["Uploads"]), sorted(uploads))
    assert all(row["Initiated"] and row["StorageClass"] == "STANDARD" for row in page["Uploads"])
    same([row["Key"] for row in page["Uploads"]], ["a", "a", "b/c", "b/d"])
    same([row["Key"] for row in place.client.list_multipart_uploads(Bucket=bucket, Prefix="b/")["Uploads"]], ["b/c", "b/d"])
    rolled = place.client.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    same(([row["Key"] for row in rolled["Uploads"]], [row["Prefix"] for row in rolled["CommonPrefixes"]]), (["a", "a"], ["b/"]))
    seen, more = [], {}
    for _ in range(6):
        page = place.client.list_multipart_uploads(Bucket=bucket, MaxUploads=1, **more)
        seen += [row["UploadId"] for row in page.get("Uploads", [])]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    same(sorted(seen), sorted(upload for _, upload in uploads))


@case
def multipart_content_md5(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    good = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    bad = base64.b64encode(hashlib.md5(b"y").digest()).decode()
    path = f"/{bucket}/k?partNumber=1&uploadId={upload}"
    is_answer(place.raw("PUT", path, {"Content-MD5": bad}, b"x"), 400, "BadDigest")
    is_answer(place.raw("PUT", path, {"Content-MD5": good}, b"x"), 200)


@case
def multipart_get_part(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    bodies = [b"a" * LEAST, b"b" * 100]
    complete(place, bucket, upload, [part(place, bucket, upload, number, body) for number, body in enumerate(bodies, 1)])
    for number, body in enumerate(bodies, 1):
        got = place.client.get_object(Bucket=bucket, Key="k", PartNumber=number)
        same((got["Body"].read() == body, got["PartsCount"], got["ResponseMetadata"]["HTTPStatusCode"]), (True, 2, 206))
        same(place.client.head_object(Bucket=bucket, Key="k", PartNumber=number)["ContentLength"], len(body))
    refused(place.client.get_object, Bucket=bucket, Key="k", PartNumber=5, status=(400, 416), code=("InvalidPart", "InvalidPartNumber"))


@case
def multipart_get_part_of_a_plain_object(place):
    bucket = place.filled("k")
    got = place.client.get_object(Bucket=bucket, Key="k", PartNumber=1)
    same((got["Body"].read(), got["ResponseMetadata"]["HTTPStatusCode"]), (b"k", 206))
    refused(place.client.get_object, Bucket=bucket, Key="k", PartNumber=2, status=(400, 416), code=("InvalidPart", "InvalidPartNumber"))


@case
def multipart_complete_again(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    parts = [part(place, bucket, upload, 1, b"x")]
    first, again = [complete(place, bucket, upload, parts) for _ in range(2)]
    same(again["ETag"], first["ETag"])


@case
def multipart_of_one_part_by_number(place):
    bucket = place.bucket()
    upload = start(place, bucket)
    complete(place, bucket, upload, [part(place, bucket, upload, 1, b"x")])
    got = place.client.get_object(Bucket=bucket, Key="k", PartNumber=1)
    same((got["Body"].read(), got["PartsCount"]), (b"x", 1))
    seen = place.client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])
    same(seen["ObjectParts"]["TotalPartsCount"], 1)


@case
def multipart_tags_and_class(place):
    bucket = place.bucket()
    upload = start(place, bucket, Tagging="a=b", StorageClass="STANDARD", CacheControl="no-store")
    complete(place, bucket, upload, [part(place, bucket, upload, 1, b"x")])
    same(place.client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"], [{"Key": "a", "Value": "b"}])
    same(place.client.head_object(Bucket=bucket, Key="k")["CacheControl"], "no-store")
