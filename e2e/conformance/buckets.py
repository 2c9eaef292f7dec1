"""Buckets: names, making, removing, heads, settings, who may ask."""

import re
import urllib.parse

from harness import REGION, case, is_answer, refused, same

BAD_NAMES = [
    "ab",
    "a" * 64,
    "-starts",
    "ends-",
    "UpperCase",
    "under_score",
    "dot..dot",
    "dot.-dash",
    "dash-.dot",
    "192.168.5.123",
    "has space",
    "bang!bang",
]
GOOD_NAMES = ["abc", "0digits", "a.b.c", "dash-dash", "x--x"]


@case
def bucket_names_that_are_none(place):
    for name in BAD_NAMES:
        answer = place.raw("PUT", "/" + name.replace(" ", "%20"))
        is_answer(answer, 400, "InvalidBucketName")


@case
def bucket_names_of_all_lengths(place):
    for length in (3, 10, 60, 61, 62, 63):
        name = ("c" + place.name().replace("-", "") * 4)[:length]
        place.client.create_bucket(Bucket=name)
        place.buckets.append(name)
        place.client.put_object(Bucket=name, Key="k", Body=b"x")
        same([row["Key"] for row in place.client.list_objects_v2(Bucket=name)["Contents"]], ["k"])


@case
def bucket_names_good(place):
    for name in GOOD_NAMES:
        name = (name + place.name()[5:15]) if name != "abc" else "c" + place.name()[5:9]
        place.client.create_bucket(Bucket=name)
        place.buckets.append(name)
        place.client.head_bucket(Bucket=name)


@case
def bucket_create_tells_its_location(place):
    name = place.name()
    made = place.client.create_bucket(Bucket=name)
    place.buckets.append(name)
    same(made["ResponseMetadata"]["HTTPStatusCode"], 200)


@case
def bucket_create_again_changes_nothing(place):
    bucket = place.filled("one", "two")
    place.client.create_bucket(Bucket=bucket)
    same([row["Key"] for row in place.client.list_objects_v2(Bucket=bucket)["Contents"]], ["one", "two"])


@case
def bucket_create_delete_create(place):
    bucket = place.filled("old")
    refused(place.client.delete_bucket, Bucket=bucket, status=409, code="BucketNotEmpty")
    place.client.delete_object(Bucket=bucket, Key="old")
    gone = place.client.delete_bucket(Bucket=bucket)
    same(gone["ResponseMetadata"]["HTTPStatusCode"], 204)
    refused(place.client.head_bucket, Bucket=bucket, status=404)
    refused(place.client.delete_bucket, Bucket=bucket, status=404, code="NoSuchBucket")
    refused(place.client.list_objects_v2, Bucket=bucket, status=404, code="NoSuchBucket")
    refused(place.client.put_object, Bucket=bucket, Key="k", Body=b"", status=404, code="NoSuchBucket")
    place.client.create_bucket(Bucket=bucket)
    same(place.client.list_objects_v2(Bucket=bucket)["KeyCount"], 0)
    refused(place.client.get_object, Bucket=bucket, Key="old", status=404, code="NoSuchKey")


@case
def bucket_that_is_not_there(place):
    name = place.name()
    client = place.client
    refused(client.head_bucket, Bucket=name, status=404)
    refused(client.list_objects, Bucket=name, status=404, code="NoSuchBucket")
    refused(client.list_objects_v2, Bucket=name, status=404, code="NoSuchBucket")
    refused(client.list_object_versions, Bucket=name, status=404, code="NoSuchBucket")
    refused(client.list_multipart_uploads, Bucket=name, status=404, code="NoSuchBucket")
    refused(client.get_bucket_location, Bucket=name, status=404, code="NoSuchBucket")
    refused(client.get_bucket_versioning, Bucket=name, status=404, code="NoSuchBucket")
    refused(client.get_bucket_acl, Bucket=name, status=404, code="NoSuchBucket")
    refused(client.get_object, Bucket=name, Key="k", status=404, code="NoSuchBucket")
    refused(client.head_object, Bucket=name, Key="k", status=404)
    refused(client.delete_object, Bucket=name, Key="k", status=404, code="NoSuchBucket")
    refused(client.create_multipart_upload, Bucket=name, Key="k", status=404, code="NoSuchBucket")
    refused(client.delete_objects, Bucket=name, Delete={"Objects": [{"Key": "k"}]}, status=404, code="NoSuchBucket")


@case
def bucket_list_names_what_was_made(place):
    made = {place.bucket() for _ in range(3)}
    listed = place.client.list_buckets()
    assert made <= {row["Name"] for row in listed["Buckets"]}
    assert all(row["CreationDate"] for row in listed["Buckets"])
    assert "ID" in listed["Owner"]


@case
def bucket_list_pages_and_prefix(place):
    made = sorted(place.bucket() for _ in range(3))

    def page_of(query):
        answer = place.raw("GET", "/?" + query)
        is_answer(answer, 200)
        token = re.search(rb"<ContinuationToken>([^<]+)</ContinuationToken>", answer.body)
        return [name.decode() for name in re.findall(rb"<Name>([^<]+)</Name>", answer.body)], token and token[1].decode()

    seen, more = [], ""
    while more is not None:
        names, token = page_of(f"max-buckets=1&prefix=conf-{more}")
        assert len(names) <= 1, names
        seen += names
        more = token and "&continuation-token=" + urllib.parse.quote(token, safe="")
    same([name for name in seen if name in made], made)
    same(page_of("prefix=" + made[1]), ([made[1]], None))


@case
def bucket_acl_that_changes_nothing(place):
    bucket = place.bucket(ACL="private")
    place.client.put_object(Bucket=bucket, Key="k", Body=b"x")
    place.client.put_bucket_acl(Bucket=bucket, ACL="private")
    acl = place.client.get_object_acl(Bucket=bucket, Key="k")
    same_as_it_is = {"Grants": acl["Grants"], "Owner": acl["Owner"]}
    place.client.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy=same_as_it_is)
    place.client.put_object_acl(Bucket=bucket, Key="k", ACL="private")


@case
def bucket_head(place):
    same(place.client.head_bucket(Bucket=place.bucket())["ResponseMetadata"]["HTTPStatusCode"], 200)


@case
def bucket_location(place):
    got = place.client.get_bucket_location(Bucket=place.bucket())["LocationConstraint"]
    assert got in (None, "", REGION, "default"), got


@case
def bucket_settings_that_were_never_set(place):
    bucket = place.bucket()
    client = place.client
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)
    acl = client.get_bucket_acl(Bucket=bucket)
    same([grant["Permission"] for grant in acl["Grants"]], ["FULL_CONTROL"])
    same(acl["Grants"][0]["Grantee"]["ID"], acl["Owner"]["ID"])
    same(client.get_bucket_request_payment(Bucket=bucket)["Payer"], "BucketOwner")
    refused(client.get_bucket_policy, Bucket=bucket, status=404, code="NoSuchBucketPolicy")
    refused(client.get_bucket_cors, Bucket=bucket, status=404, code="NoSuchCORSConfiguration")
    refused(client.get_bucket_lifecycle_configuration, Bucket=bucket, status=404, code="NoSuchLifecycleConfiguration")
    refused(client.get_bucket_website, Bucket=bucket, status=404, code="NoSuchWebsiteConfiguration")
    refused(client.get_bucket_tagging, Bucket=bucket, status=404, code=("NoSuchTagSet", "NoSuchTagSetError"))
    refused(client.get_object_lock_configuration, Bucket=bucket, status=404, code="ObjectLockConfigurationNotFoundError")


@case
def bucket_anonymous_is_refused(place):
    bucket = place.filled("key")
    for method, path in (("GET", f"/{bucket}"), ("GET", f"/{bucket}/key"), ("PUT", f"/{bucket}/new"), ("DELETE", f"/{bucket}/key")):
        is_answer(place.raw(method, path, signed=False), 403, "AccessDenied")
    is_answer(place.raw("HEAD", f"/{bucket}/key", signed=False), 403)


@case
def bucket_wrong_keys(place):
    bucket = place.bucket()
    stranger = place.client_with(access_key="AKIASTRANGERSTRANGER")
    refused(stranger.list_buckets, status=403, code="InvalidAccessKeyId")
    refused(stranger.list_objects_v2, Bucket=bucket, status=403, code="InvalidAccessKeyId")
    liar = place.client_with(secret_key="wrong")
    refused(liar.list_buckets, status=403, code="SignatureDoesNotMatch")
    refused(liar.put_object, Bucket=bucket, Key="k", Body=b"x", status=403, code="SignatureDoesNotMatch")


@case
def bucket_methods_that_are_none(place):
    bucket = place.bucket()
    is_answer(place.raw("POST", f"/{bucket}/key"), 405, "MethodNotAllowed")
    is_answer(place.raw("PUT", "/"), 405, "MethodNotAllowed")
    is_answer(place.raw("DELETE", "/"), 405, "MethodNotAllowed")
