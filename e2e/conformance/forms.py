"""Uploads by forms (POST), as browsers make them and boto3 signs them."""

import base64
import datetime
import hashlib
import hmac
import json
import re
import urllib.parse

from harness import MEBIBYTE, REGION, case, is_answer, md5, read, refused, same

BOUNDARY = "x-conformance-form"
NAMED = "$" + "{filename}"


def encoded(fields, body, name="file.txt", after=()):
    """A form: its fields, its file, and fields behind that."""

    def field(name, value):
        value = value if isinstance(value, bytes) else str(value).encode()
        return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"

    form = b"".join(field(*each) for each in fields.items())
    if body is not None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n'
        form += head.encode() + body + b"\r\n"
    return form + b"".join(field(*each) for each in after) + f"--{BOUNDARY}--\r\n".encode()


def post(place, bucket, fields, body=b"bar", **settings):
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return place.raw("POST", f"/{bucket}", headers, encoded(fields, body, **settings), signed=False)


def fields_for(place, bucket, key, conditions=(), expires=600, policy=None, **more):
    """A form that is signed for exactly what it says, and for these conditions."""
    now = datetime.datetime.now(datetime.timezone.utc)
    scope = f"{now:%Y%m%d}/{REGION}/s3/aws4_request"
    fields = {
        "key": key,
        **{name if name.startswith("success") else name.replace("_", "-"): value for name, value in more.items()},
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{place.access_key}/{scope}",
        "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
    }
    if policy is None:
        until = now + datetime.timedelta(seconds=expires)
        exact = [{name: value} for name, value in fields.items() if name != "key"]
        policy = {
            "expiration": f"{until:%Y-%m-%dT%H:%M:%S.000Z}",
            "conditions": [{"bucket": bucket}, ["starts-with", "$key", ""], *exact, *conditions],
        }
    text = policy if isinstance(policy, str) else json.dumps(policy)
    fields["policy"] = base64.b64encode(text.encode()).decode()
    secret = ("AWS4" + place.secret_key).encode()
    for word in [*scope.split("/"), fields["policy"]]:
        secret = hmac.new(secret, word.encode(), hashlib.sha256).digest()
    fields["x-amz-signature"] = secret.hex()
    return fields


@case
def form_signed_by_the_sdk(place):
    bucket = place.bucket()
    form = place.client.generate_presigned_post(bucket, "k", Conditions=[["content-length-range", 1, 100]])
    answer = post(place, urllib.parse.urlsplit(form["url"]).path.strip("/"), form["fields"])
    is_answer(answer, 204)
    same((answer.headers["etag"], read(place, bucket, "k")), (f'"{md5(b"bar")}"', b"bar"))


@case
def form_says_what_the_object_has(place):
    bucket = place.bucket()
    tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    fields = fields_for(
        place, bucket, f"up/{NAMED}", content_type="text/x", cache_control="no-store", x_amz_meta_foo="bar", acl="private", tagging=tags
    )
    is_answer(post(place, bucket, fields, name="C:\\dir\\ü.txt"), 204)
    head = place.client.head_object(Bucket=bucket, Key="up/ü.txt")
    same((head["ContentType"], head["CacheControl"], head["Metadata"]), ("text/x", "no-store", {"foo": "bar"}))
    same(place.client.get_object_tagging(Bucket=bucket, Key="up/ü.txt")["TagSet"], [{"Key": "a", "Value": "1"}])


@case
def form_answers_as_it_asks(place):
    bucket = place.bucket()
    for status, got in (("200", 200), ("201", 201), ("204", 204), ("404", 204), ("x", 204)):
        answer = post(place, bucket, fields_for(place, bucket, "a b", success_action_status=status))
        is_answer(answer, got)
        if got == 201:
            told = [re.search(f"<{name}>(.*?)</{name}>".encode(), answer.body)[1].decode() for name in ("Bucket", "Key", "Location")]
            same((told[0], told[1], told[2].endswith(f"/{bucket}/a%20b")), (bucket, "a b", True))


@case
def form_leads_on(place):
    bucket = place.bucket()
    name = "success_action_redirect"
    fields = fields_for(place, bucket, "k", conditions=[["starts-with", f"${name}", ""]])
    answer = post(place, bucket, {**fields, name: "http://localhost/done?x=1"})
    is_answer(answer, 303)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["location"]).query)
    same((query["x"], query["bucket"], query["key"], query["etag"]), (["1"], [bucket], ["k"], [f'"{md5(b"bar")}"']))


@case
def form_sizes(place):
    bucket = place.bucket()
    for size in (0, 1, 65_536, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE):
        body = (b"\r\n--" + BOUNDARY[:-1].encode() + bytes(range(256))) * (size // 278 + 1)
        is_answer(post(place, bucket, fields_for(place, bucket, "k"), body[:size]), 204)
        same(read(place, bucket, "k") == body[:size], True)
    limits = [["content-length-range", 2, 4]]
    is_answer(post(place, bucket, fields_for(place, bucket, "n", limits), b"x"), 400, "EntityTooSmall")
    is_answer(post(place, bucket, fields_for(place, bucket, "n", limits), b"12345"), 400, "EntityTooLarge")
    is_answer(post(place, bucket, fields_for(place, bucket, "n", limits), b"1" * 2 * MEBIBYTE), 400, "EntityTooLarge")
    is_answer(post(place, bucket, fields_for(place, bucket, "n", limits), b"1234"), 204)
    is_answer(post(place, bucket, fields_for(place, bucket, "k"), b"new", after=[("submit", "go")]), 204)
    same(read(place, bucket, "k"), b"new")


@case
def form_without_a_proof(place):
    bucket = place.bucket()
    is_answer(post(place, bucket, {"key": "k"}), 403, "AccessDenied")
    good = fields_for(place, bucket, "k")
    is_answer(post(place, bucket, {**good, "x-amz-signature": "0" * 64}), 403, "SignatureDoesNotMatch")
    is_answer(post(place, bucket, {**good, "policy": good["policy"][:-8] + "AAAAAAA="}), 403, "SignatureDoesNotMatch")
    stranger = good["x-amz-credential"].replace(place.access_key, "AKIASTRANGERSTRANGER")
    is_answer(post(place, bucket, {**good, "x-amz-credential": stranger}), 403, "InvalidAccessKeyId")
    for missing in ("x-amz-signature", "x-amz-credential", "x-amz-date"):
        is_answer(post(place, bucket, {name: value for name, value in good.items() if name != missing}), 400, "InvalidArgument")
    refused(place.client.head_object, Bucket=bucket, Key="k", status=404)


@case
def form_that_its_policy_forbids(place):
    bucket, other = place.bucket(), place.bucket()

    def denied(fields, at=bucket, code="AccessDenied", **settings):
        is_answer(post(place, at, fields, **settings), 403 if code == "AccessDenied" else 400, code)

    denied(fields_for(place, bucket, "k", expires=-60))
    denied(fields_for(place, bucket, "k", conditions=[["starts-with", "$key", "only/"]]))
    denied(fields_for(place, bucket, "k", conditions=[["eq", "$key", "other"]]))
    denied(fields_for(place, bucket, "k"), at=other)
    denied({**fields_for(place, bucket, "k"), "x-amz-meta-extra": "1"})
    is_answer(post(place, bucket, {**fields_for(place, bucket, "k"), "x-ignore-this": "1"}), 204)
    for bad in ("{", "[]", '{"conditions": []}', '{"expiration": "2099-01-01T00:00:00Z"}', '{"expiration": "soon", "conditions": []}'):
        denied(fields_for(place, bucket, "z", policy=bad), code="InvalidPolicyDocument")
    for bad in (["eq", "$key"], ["content-length-range", -1, 5], ["near", "$key", "z"], {}):
        denied(fields_for(place, bucket, "z", conditions=[bad]), code="InvalidPolicyDocument")
    for key in ("z", "other"):
        refused(place.client.head_object, Bucket=bucket, Key=key, status=404)


@case
def form_that_is_none(place):
    bucket = place.bucket()
    good = fields_for(place, bucket, "k")
    is_answer(post(place, bucket, {name: value for name, value in good.items() if name != "key"}), 400, "InvalidArgument")
    is_answer(post(place, bucket, good, body=None), 400, "InvalidArgument")
    is_answer(post(place, bucket, {**good, "x-ignore-long": "x" * 30_000}), 400, "MaxPostPreDataLengthExceeded")
    is_answer(post(place, bucket, {**good, "key": "../k"}), 400, "InvalidURI")
    is_answer(place.raw("POST", f"/{bucket}", {"Content-Type": "text/plain"}, b"x"), 412, "PreconditionFailed")
    is_answer(post(place, bucket, fields_for(place, bucket, "k", x_amz_meta_a="x\r\nx-amz-acl: y")), 400, "InvalidArgument")
    cut = encoded(good, b"bar")[:-30]
    answer = place.raw("POST", f"/{bucket}", {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, cut, signed=False)
    is_answer(answer, 400, "MalformedPOSTRequest")
    refused(place.client.head_object, Bucket=bucket, Key="k", status=404)
