"""Copies of objects."""

from checksums import crc32
from harness import MEBIBYTE, case, is_answer, read, refused, same


@case
def copy_within_a_bucket(place):
    bucket = place.filled("foo")
    done = place.client.copy_object(Bucket=bucket, Key="bar", CopySource={"Bucket": bucket, "Key": "foo"})
    same(done["CopyObjectResult"]["ETag"], place.client.head_object(Bucket=bucket, Key="foo")["ETag"])
    assert done["CopyObjectResult"]["LastModified"]
    same(read(place, bucket, "bar"), b"foo")


@case
def copy_sizes(place):
    bucket = place.bucket()
    for size in (0, 1, 5 * MEBIBYTE):
        place.client.put_object(Bucket=bucket, Key="from", Body=bytes(size))
        place.client.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/from")
        same(place.client.head_object(Bucket=bucket, Key="to")["ContentLength"], size)


@case
def copy_to_another_bucket(place):
    one, two = place.filled("foo"), place.bucket()
    place.client.copy_object(Bucket=two, Key="bar", CopySource={"Bucket": one, "Key": "foo"})
    same(read(place, two, "bar"), b"foo")


@case
def copy_keeps_what_the_source_has(place):
    one, two = place.bucket(), place.bucket()
    place.client.put_object(Bucket=one, Key="k", Body=b"x", ContentType="audio/ogg", CacheControl="max-age=1", Metadata={"key1": "value1"}, Tagging="a=b")
    for bucket in (one, two):
        place.client.copy_object(Bucket=bucket, Key="copy", CopySource=f"{one}/k")
        head = place.client.head_object(Bucket=bucket, Key="copy")
        same((head["ContentType"], head["CacheControl"], head["Metadata"]), ("audio/ogg", "max-age=1", {"key1": "value1"}))
        same(place.client.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"], [{"Key": "a", "Value": "b"}])


@case
def copy_replaces_metadata(place):
    one, two = place.bucket(), place.bucket()
    place.client.put_object(Bucket=one, Key="k", Body=b"x", ContentType="audio/ogg", Metadata={"key1": "value1"})
    for bucket in (one, two):
        place.client.copy_object(
            Bucket=bucket, Key="copy", CopySource=f"{one}/k", MetadataDirective="REPLACE", Metadata={"key3": "value3"}, ContentType="audio/mpeg"
        )
        head = place.client.head_object(Bucket=bucket, Key="copy")
        same((head["ContentType"], head["Metadata"]), ("audio/mpeg", {"key3": "value3"}))


@case
def copy_makes_the_checksum_that_is_asked_for(place):
    bucket = place.bucket()
    place.client.put_object(Bucket=bucket, Key="k", Body=b"body", ChecksumAlgorithm="SHA256")
    done = place.client.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", ChecksumAlgorithm="CRC32")
    same(done["CopyObjectResult"]["ChecksumCRC32"], crc32(b"body"))
    head = place.client.head_object(Bucket=bucket, Key="c", ChecksumMode="ENABLED")
    same((head["ChecksumCRC32"], "ChecksumSHA256" in head), (crc32(b"body"), False))


@case
def copy_replaces_tags(place):
    bucket = place.bucket()
    place.client.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=b")
    place.client.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", TaggingDirective="REPLACE", Tagging="c=d")
    same(place.client.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"], [{"Key": "c", "Value": "d"}])


@case
def copy_to_itself(place):
    bucket = place.filled("k")
    refused(place.client.copy_object, Bucket=bucket, Key="k", CopySource=f"{bucket}/k", status=400, code="InvalidRequest")
    place.client.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", Metadata={"foo": "bar"}, MetadataDirective="REPLACE")
    head = place.client.head_object(Bucket=bucket, Key="k")
    same((head["Metadata"], read(place, bucket, "k")), ({"foo": "bar"}, b"k"))


@case
def copy_of_what_is_not_there(place):
    bucket = place.filled("k")
    refused(place.client.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/nope", status=404, code="NoSuchKey")
    refused(place.client.copy_object, Bucket=bucket, Key="c", CopySource=f"{place.name()}/k", status=404, code="NoSuchBucket")
    refused(place.client.copy_object, Bucket=place.name(), Key="c", CopySource=f"{bucket}/k", status=404, code="NoSuchBucket")


@case
def copy_source_in_all_spellings(place):
    bucket = place.bucket()
    for key, spelled in (
        ("plain", "plain"), ("a b", "a%20b"), ("a+b", "a%2Bb"), ("ü", "%C3%BC"), ("p%c", "p%25c"), (" ", "%20"), ("?v=1", "%3Fv=1"), ("_", "_"),
        ("_/", "_%2F"), ("__a", "__a"),
    ):
        place.client.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else key.encode())
        for source in (f"/{bucket}/{spelled}", f"{bucket}/{spelled}", f"{bucket}%2F{spelled}"):
            is_answer(place.raw("PUT", f"/{bucket}/target", {"x-amz-copy-source": source}), 200)
            same(read(place, bucket, "target"), b"" if key.endswith("/") else key.encode())
    place.client.copy_object(Bucket=bucket, Key="target", CopySource=f"{bucket}/plain?versionId=null")


@case
def copy_sources_that_are_none(place):
    bucket = place.filled("k")
    for source in ("", "nobucket", "/", f"{bucket}/"):
        answer = place.raw("PUT", f"/{bucket}/target", {"x-amz-copy-source": source})
        assert 400 <= answer.status < 500, (source, answer.status, answer.code)


@case
def copy_large_objects_in_parts(place):
    bucket = place.bucket()
    body = bytes(range(256)) * (12 * MEBIBYTE // 256)
    place.client.put_object(Bucket=bucket, Key="src", Body=body)
    other = place.bucket()
    upload = place.client.create_multipart_upload(Bucket=other, Key="dst")["UploadId"]
    parts = []
    for number, (start, end) in enumerate(((0, 5 * MEBIBYTE - 1), (5 * MEBIBYTE, 10 * MEBIBYTE - 1), (10 * MEBIBYTE, len(body) - 1)), 1):
        part = place.client.upload_part_copy(
            Bucket=other, Key="dst", UploadId=upload, PartNumber=number, CopySource=f"{bucket}/src", CopySourceRange=f"bytes={start}-{end}"
        )
        parts.append({"ETag": part["CopyPartResult"]["ETag"], "PartNumber": number})
    place.client.complete_multipart_upload(Bucket=other, Key="dst", UploadId=upload, MultipartUpload={"Parts": parts})
    same(read(place, other, "dst") == body, True)


@case
def copy_parts_with_ranges_that_are_none(place):
    bucket = place.filled("12345")
    upload = place.client.create_multipart_upload(Bucket=bucket, Key="dst")["UploadId"]
    at = {"Bucket": bucket, "Key": "dst", "UploadId": upload, "PartNumber": 1, "CopySource": f"{bucket}/12345"}
    for bad in ("0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=hello-", "bytes=0-2,3-5", "bytes=2-"):
        refused(place.client.upload_part_copy, **at, CopySourceRange=bad, status=400, code="InvalidArgument")
    refused(place.client.upload_part_copy, **at, CopySourceRange="bytes=0-21", status=(400, 416), code=("InvalidArgument", "InvalidRange"))
    refused(place.client.upload_part_copy, **{**at, "CopySource": f"{bucket}/nope"}, status=404, code="NoSuchKey")
    refused(place.client.upload_part_copy, **{**at, "UploadId": "nonsense"}, status=404, code="NoSuchUpload")
    part = place.client.upload_part_copy(**at, CopySourceRange="bytes=1-3")
    assert part["CopyPartResult"]["ETag"]


@case
def copy_of_an_object_in_parts(place):
    bucket = place.bucket()
    upload = place.client.create_multipart_upload(Bucket=bucket, Key="src", ContentType="text/x", Metadata={"a": "b"})["UploadId"]
    part = place.client.upload_part(Bucket=bucket, Key="src", UploadId=upload, PartNumber=1, Body=b"bytes")
    place.client.complete_multipart_upload(
        Bucket=bucket, Key="src", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    )
    place.client.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src")
    head = place.client.head_object(Bucket=bucket, Key="dst")
    same((head["ContentType"], head["Metadata"], read(place, bucket, "dst")), ("text/x", {"a": "b"}, b"bytes"))
