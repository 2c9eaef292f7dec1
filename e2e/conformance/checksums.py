"""Checksums in headers and trailers, of objects and parts, and Content-MD5."""

import base64
import hashlib
import zlib

from harness import MEBIBYTE, case, is_answer, read, refused, same


def b64(digest):
    return base64.b64encode(digest).decode()


def crc32(data):
    return b64(zlib.crc32(data).to_bytes(4, "big"))


def reflected(data, polynomial, bits):
    """A CRC of reflected bits, all ones before and after, bit by bit."""
    ones = (1 << bits) - 1
    crc = ones
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
    return b64((crc ^ ones).to_bytes(bits // 8, "big"))


SUMS = {
    "CRC32": crc32,
    "CRC32C": lambda data: reflected(data, 0x82F63B78, 32),
    "CRC64NVME": lambda data: reflected(data, 0x9A6C9329AC4BC9B5, 64),
    "SHA1": lambda data: b64(hashlib.sha1(data).digest()),
    "SHA256": lambda data: b64(hashlib.sha256(data).digest()),
}


@case
def checksum_in_a_header(place):
    bucket = place.bucket()
    for name, of in SUMS.items():
        header = f"x-amz-checksum-{name.lower()}"
        good = place.raw("PUT", f"/{bucket}/k", {header: of(b"body")}, b"body")
        is_answer(good, 200)
        same(good.headers.get(header), of(b"body"))
        is_answer(place.raw("PUT", f"/{bucket}/k", {header: of(b"other")}, b"body"), 400, "BadDigest")
        got = place.raw("GET", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})
        same((got.headers.get(header), got.body), (of(b"body"), b"body"))
        head = place.raw("HEAD", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})
        same(head.headers.get(header), of(b"body"))
        assert header not in place.raw("GET", f"/{bucket}/k").headers


@case
def checksum_headers_that_are_none(place):
    bucket = place.bucket()
    is_answer(place.raw("PUT", f"/{bucket}/k", {"x-amz-checksum-crc32": "bad"}, b"body"), 400, "InvalidRequest")
    two = {"x-amz-checksum-crc32": SUMS["CRC32"](b"body"), "x-amz-checksum-sha1": SUMS["SHA1"](b"body")}
    is_answer(place.raw("PUT", f"/{bucket}/k", two, b"body"), 400, "InvalidRequest")
    is_answer(place.raw("PUT", f"/{bucket}/k", {"x-amz-sdk-checksum-algorithm": "CRC99"}, b"body"), 400, "InvalidRequest")


def chunked(body, trailer, value, signed=False):
    framed = b"%x\r\n" % len(body) + body + b"\r\n0\r\n" + f"{trailer}:{value}\r\n\r\n".encode()
    headers = {
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": trailer,
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
    return headers, framed


@case
def checksum_in_a_trailer(place):
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    from harness import REGION

    bucket = place.bucket()

    def put(value, name):
        headers, framed = chunked(b"trailed", f"x-amz-checksum-{name}", value)
        request = botocore.awsrequest.AWSRequest(method="PUT", url=f"{place.endpoint}/{bucket}/k", headers=headers)

        class Auth(botocore.auth.S3SigV4Auth):
            def _should_sha256_sign_payload(self, request):
                return False

            def payload(self, request):
                return "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

        Auth(botocore.credentials.Credentials(place.access_key, place.secret_key), "s3", REGION).add_auth(request)
        signed = dict(request.headers.items())
        signed["X-Amz-Content-SHA256"] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        return place.raw("PUT", f"/{bucket}/k", signed, framed, signed=False)

    for name, of in SUMS.items():
        is_answer(put(of(b"trailed"), name.lower()), 200)
        same(read(place, bucket, "k"), b"trailed")
        assert "aws-chunked" not in place.client.head_object(Bucket=bucket, Key="k").get("ContentEncoding", "")
        is_answer(put(of(b"other"), name.lower()), 400, "BadDigest")


@case
def checksum_by_the_sdk(place):
    bucket = place.bucket()
    body = bytes(range(256)) * 100
    for name in ("CRC32", "SHA1", "SHA256"):
        put = place.client.put_object(Bucket=bucket, Key=name, Body=body, ChecksumAlgorithm=name)
        same(put[f"Checksum{name}"], SUMS[name](body))
        got = place.client.get_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
        same((got[f"Checksum{name}"], got["Body"].read()), (SUMS[name](body), body))


@case
def checksum_attributes(place):
    bucket = place.bucket()
    put = place.client.put_object(Bucket=bucket, Key="k", Body=b"body", ChecksumAlgorithm="SHA256")
    got = place.client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"])
    same((got["ETag"], got["ObjectSize"], got["StorageClass"]), (put["ETag"].strip('"'), 4, "STANDARD"))
    same(got["Checksum"]["ChecksumSHA256"], SUMS["SHA256"](b"body"))
    assert "ObjectParts" not in got
    only = place.client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in only and only["ObjectSize"] == 4
    refused(place.client.get_object_attributes, Bucket=bucket, Key="nope", ObjectAttributes=["ETag"], status=404, code="NoSuchKey")


@case
def checksum_of_parts(place):
    bucket = place.bucket()
    bodies = [b"a" * 5 * MEBIBYTE, b"b"]
    for name in ("SHA256", "CRC32"):
        made = place.client.create_multipart_upload(Bucket=bucket, Key=name, ChecksumAlgorithm=name)
        same(made.get("ChecksumAlgorithm"), name)
        parts = []
        for number, body in enumerate(bodies, 1):
            part = place.client.upload_part(
                Bucket=bucket, Key=name, UploadId=made["UploadId"], PartNumber=number, Body=body, ChecksumAlgorithm=name
            )
            same(part[f"Checksum{name}"], SUMS[name](body))
            parts.append({"PartNumber": number, "ETag": part["ETag"], f"Checksum{name}": part[f"Checksum{name}"]})
        listed = place.client.list_parts(Bucket=bucket, Key=name, UploadId=made["UploadId"])
        same([row[f"Checksum{name}"] for row in listed["Parts"]], [SUMS[name](body) for body in bodies])
        same(listed["ChecksumAlgorithm"], name)
        begun = [row for row in place.client.list_multipart_uploads(Bucket=bucket)["Uploads"] if row["Key"] == name]
        same([row["ChecksumAlgorithm"] for row in begun], [name])
        # Debian's boto3 does not know the element.
        for query in (f"{name}?uploadId={made['UploadId']}", "?uploads"):
            answer = place.raw("GET", f"/{bucket}/{query}")
            assert b"<ChecksumType>COMPOSITE</ChecksumType>" in answer.body, answer.body
        wrong = [{**parts[0], f"Checksum{name}": SUMS[name](b"other")}, parts[1]]
        at = {"Bucket": bucket, "Key": name, "UploadId": made["UploadId"]}
        refused(place.client.complete_multipart_upload, **at, MultipartUpload={"Parts": wrong}, status=400, code=("InvalidPart", "BadDigest"))
        bare = [{key: row[key] for key in ("PartNumber", "ETag")} for row in parts]
        refused(place.client.complete_multipart_upload, **at, MultipartUpload={"Parts": bare}, status=400, code="InvalidRequest")
        other = {"SHA256": "CRC32", "CRC32": "SHA256"}[name]
        refused(place.client.upload_part, **at, PartNumber=2, Body=b"b", ChecksumAlgorithm=other, status=400, code="InvalidRequest")
        done = place.client.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})
        whole = SUMS[name](b"".join(base64.b64decode(part[f"Checksum{name}"]) for part in parts)) + "-2"
        same(done[f"Checksum{name}"], whole)
        head = place.client.head_object(Bucket=bucket, Key=name, ChecksumMode="ENABLED")
        same(head[f"Checksum{name}"], whole)
        seen = place.client.get_object_attributes(Bucket=bucket, Key=name, ObjectAttributes=["Checksum", "ObjectParts"])
        # Here alone the number of parts does not follow the checksum.
        same(seen["Checksum"][f"Checksum{name}"], whole[:-2])
        same(seen["ObjectParts"]["TotalPartsCount"], 2)
        rows = [(row["PartNumber"], row["Size"], row[f"Checksum{name}"]) for row in seen["ObjectParts"]["Parts"]]
        same(rows, [(number, len(body), SUMS[name](body)) for number, body in enumerate(bodies, 1)])
        for number, body in enumerate(bodies, 1):
            got = place.client.get_object(Bucket=bucket, Key=name, PartNumber=number, ChecksumMode="ENABLED")
            same((got[f"Checksum{name}"], got["Body"].read() == body), (SUMS[name](body), True))


@case
def checksum_of_the_whole_object_in_parts(place):
    bucket = place.bucket()
    bodies = [bytes(5 * MEBIBYTE), b"tail"]
    whole = crc32(b"".join(bodies))
    made = place.raw("POST", f"/{bucket}/k?uploads", {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"})
    is_answer(made, 200)
    upload = made.body.split(b"<UploadId>")[1].split(b"</UploadId>")[0].decode()
    rows = ""
    for number, body in enumerate(bodies, 1):
        done = place.raw("PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload}", {"x-amz-checksum-crc32": crc32(body)}, body)
        is_answer(done, 200)
        rows += f"<Part><PartNumber>{number}</PartNumber><ETag>{done.headers['etag']}</ETag><ChecksumCRC32>{crc32(body)}</ChecksumCRC32></Part>"
    document = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
    bad = place.raw("POST", f"/{bucket}/k?uploadId={upload}", {"x-amz-checksum-crc32": crc32(b"other"), "x-amz-checksum-type": "FULL_OBJECT"}, document)
    is_answer(bad, 400, "BadDigest")
    good = place.raw("POST", f"/{bucket}/k?uploadId={upload}", {"x-amz-checksum-crc32": whole, "x-amz-checksum-type": "FULL_OBJECT"}, document)
    is_answer(good, 200)
    head = place.raw("HEAD", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})
    same((head.headers.get("x-amz-checksum-crc32"), head.headers.get("x-amz-checksum-type")), (whole, "FULL_OBJECT"))


@case
def checksum_content_md5(place):
    bucket = place.bucket()
    good = b64(hashlib.md5(b"bar").digest())
    is_answer(place.raw("PUT", f"/{bucket}/k", {"Content-MD5": good}, b"bar"), 200)
    is_answer(place.raw("PUT", f"/{bucket}/k", {"Content-MD5": b64(hashlib.md5(b"x").digest())}, b"bar"), 400, "BadDigest")
    for bad in ("YWJyYWNhZGFicmE=", "not base64", ""):
        answer = place.raw("PUT", f"/{bucket}/k", {"Content-MD5": bad}, b"bar")
        is_answer(answer, 400, "InvalidDigest")
    same(read(place, bucket, "k"), b"bar")


@case
def checksum_of_a_signed_payload(place):
    bucket = place.bucket()
    is_answer(place.raw("PUT", f"/{bucket}/k", body=b"signed"), 200)
    lie = {"X-Amz-Content-SHA256": hashlib.sha256(b"other").hexdigest()}
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    from harness import REGION

    class Auth(botocore.auth.S3SigV4Auth):
        def payload(self, request):
            return lie["X-Amz-Content-SHA256"]

    request = botocore.awsrequest.AWSRequest(method="PUT", url=f"{place.endpoint}/{bucket}/k", data=b"body")
    Auth(botocore.credentials.Credentials(place.access_key, place.secret_key), "s3", REGION).add_auth(request)
    answer = place.raw("PUT", f"/{bucket}/k", {**dict(request.headers.items()), **lie}, b"body", signed=False)
    is_answer(answer, 400, "XAmzContentSHA256Mismatch")
    same(read(place, bucket, "k"), b"signed")
