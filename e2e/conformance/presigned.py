"""Presigned URLs, and headers that are wrong."""

import datetime
import http.client
import socket
import urllib.error
import urllib.parse
import urllib.request

from harness import case, is_answer, read, same


def fetch(url, method="GET", body=None, headers=None):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request(method, f"{parts.path}?{parts.query}", body=body, headers=headers or {})
    response = connection.getresponse()
    answer = (response.status, response.read(), {name.lower(): value for name, value in response.getheaders()})
    connection.close()
    return answer


def link(place, operation="get_object", expires=1000, **params):
    return place.client.generate_presigned_url(operation, Params=params, ExpiresIn=expires)


@case
def presigned_get(place):
    bucket = place.filled("k", "ü /+%")
    status, body, _ = fetch(link(place, Bucket=bucket, Key="k"))
    same((status, body), (200, b"k"))
    same(fetch(link(place, Bucket=bucket, Key="ü /+%"))[:2], (200, "ü /+%".encode()))
    same(fetch(link(place, Bucket=bucket, Key="k"), headers={"Range": "bytes=0-0"})[0], 206)
    same(fetch(link(place, "head_object", Bucket=bucket, Key="k"), "HEAD")[0], 200)
    same(fetch(link(place, "list_objects_v2", Bucket=bucket))[0], 200)
    status, _, headers = fetch(link(place, Bucket=bucket, Key="k", ResponseContentType="text/x", ResponseContentDisposition="bla"))
    same((status, headers["content-type"], headers["content-disposition"]), (200, "text/x", "bla"))


@case
def presigned_put_and_delete(place):
    bucket = place.bucket()
    same(fetch(link(place, "put_object", Bucket=bucket, Key="k"), "PUT", b"put")[0], 200)
    same(read(place, bucket, "k"), b"put")
    status, _, _ = fetch(link(place, "put_object", Bucket=bucket, Key="t", ContentType="text/x"), "PUT", b"put", {"Content-Type": "text/x"})
    same((status, place.client.head_object(Bucket=bucket, Key="t")["ContentType"]), (200, "text/x"))
    same(fetch(link(place, "delete_object", Bucket=bucket, Key="k"), "DELETE")[0], 204)


def signed_url(place, method, path):
    """A URL that is signed with just these parameters, as SDKs do that put headers into it."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    from harness import REGION

    request = botocore.awsrequest.AWSRequest(method=method, url=place.endpoint + path)
    keys = botocore.credentials.Credentials(place.access_key, place.secret_key)
    botocore.auth.S3SigV4QueryAuth(keys, "s3", REGION, expires=300).add_auth(request)
    return request.url


@case
def presigned_headers_in_the_url(place):
    bucket = place.filled("k")
    query = "x-amz-meta-foo=b%C3%A4r&x-amz-tagging=a%3Db&x-amz-storage-class=STANDARD&x-amz-acl=private&x-id=PutObject"
    checksum = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32"
    same(fetch(signed_url(place, "PUT", f"/{bucket}/new?{query}&{checksum}"), "PUT", b"body")[0], 200)
    same(place.raw("HEAD", f"/{bucket}/new").headers["x-amz-meta-foo"].encode("latin1").decode(), "bär")
    same(place.client.get_object_tagging(Bucket=bucket, Key="new")["TagSet"], [{"Key": "a", "Value": "b"}])
    same(fetch(signed_url(place, "PUT", f"/{bucket}/copy?x-amz-copy-source={bucket}%2Fk"), "PUT", b"")[0], 200)
    same(read(place, bucket, "copy"), b"k")
    for bad in ("x-amz-storage-class=NONSENSE", "x-amz-acl=nonsense", "x-amz-meta-a=x%0D%0Ay", "x-amz-meta-a%0Ab=x"):
        same(fetch(signed_url(place, "PUT", f"/{bucket}/bad?{bad}"), "PUT", b"body")[0], 400)
    # Nothing of the kind counts where it is not signed.
    same(place.raw("PUT", f"/{bucket}/plain?x-amz-meta-foo=bar", body=b"x").status, 200)
    assert "x-amz-meta-foo" not in place.raw("HEAD", f"/{bucket}/plain").headers


@case
def presigned_wrong(place):
    bucket = place.filled("k", "other")
    good = link(place, Bucket=bucket, Key="k")
    same(fetch(good.replace("/k?", "/other?"))[0], 403)
    same(fetch(good, "DELETE")[0], 403)
    same(fetch(good[:-1] + ("0" if good[-1] != "0" else "1"))[0], 403)
    same(fetch(good + "&extra=1")[0], 403)
    stranger = place.client_with(access_key="AKIASTRANGERSTRANGER")
    url = stranger.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=100)
    status, body, _ = fetch(url)
    same((status, b"<Code>InvalidAccessKeyId</Code>" in body), (403, True))
    same(fetch(link(place, Bucket=bucket, Key="not-there"))[0], 404)


@case
def presigned_expiry(place):
    bucket = place.filled("k")
    same(fetch(link(place, expires=100000, Bucket=bucket, Key="k"))[0], 200)
    same(fetch(link(place, expires=604800, Bucket=bucket, Key="k"))[0], 200)
    for bad in ("604801", "0", "-7", "x", ""):
        url = link(place, expires=77, Bucket=bucket, Key="k").replace("X-Amz-Expires=77", f"X-Amz-Expires={bad}")
        status, _, _ = fetch(url)
        assert status in (400, 403), (bad, status)


@case
def presigned_expired(place):
    import botocore.auth

    bucket = place.filled("k")
    late = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    import botocore.awsrequest
    import botocore.credentials

    from harness import REGION

    request = botocore.awsrequest.AWSRequest(method="GET", url=f"{place.endpoint}/{bucket}/k")
    keys = botocore.credentials.Credentials(place.access_key, place.secret_key)

    class Late(botocore.auth.S3SigV4QueryAuth):
        def add_auth(self, request):
            request.context["timestamp"] = late.strftime("%Y%m%dT%H%M%SZ")
            self._modify_request_before_signing(request)
            canonical = self.canonical_request(request)
            self._inject_signature_to_request(request, self.signature(self.string_to_sign(request, canonical), request))

    Late(keys, "s3", REGION, expires=60).add_auth(request)
    status, body, _ = fetch(request.url)
    same((status, b"<Code>AccessDenied</Code>" in body), (403, True))


@case
def header_dates(place):
    bucket = place.filled("k")
    for date in ("20200101T000000Z", "20991231T235959Z", "nonsense", ""):
        answer = place.raw("GET", f"/{bucket}/k", {"X-Amz-Date": date}, keep=("X-Amz-Date",))
        assert answer.status in (400, 403), (date, answer.status, answer.code)


@case
def header_authorization(place):
    bucket = place.filled("k")
    for value in ("AWS HAHAHA", "AWS4-HMAC-SHA256 nonsense", "Basic dXNlcjpwYXNz"):
        answer = place.raw("GET", f"/{bucket}/k", {"Authorization": value}, signed=False)
        assert answer.status in (400, 403), (value, answer.status)
    is_answer(place.raw("PUT", f"/{bucket}/k2", {"Authorization": ""}, b"x", signed=False), 403, "AccessDenied")


@case
def header_content_length(place):
    bucket = place.bucket()
    answer = place.raw("PUT", f"/{bucket}/k", {"Content-Length": None}, keep=("Content-Length",))
    is_answer(answer, 411, "MissingContentLength")
    same(place.raw("PUT", f"/{bucket}/k", {"Content-Length": "-1"}, keep=("Content-Length",)).status, 400)
    same(place.raw("PUT", f"/{bucket}/k", {"Content-Length": "x"}, keep=("Content-Length",)).status, 400)


@case
def header_expect(place):
    bucket = place.bucket()
    is_answer(place.raw("PUT", f"/{bucket}/k", {"Expect": "200"}, b"bar"), 200)
    is_answer(place.raw("PUT", f"/{bucket}/k", {"Expect": ""}, b"bar"), 200)


def continued(place, path, signed):
    """The first line that comes back before the body is sent."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    from harness import REGION

    headers = {"Host": place.host}
    if signed:
        request = botocore.awsrequest.AWSRequest(method="PUT", url=place.endpoint + path, data=b"bar")
        keys = botocore.credentials.Credentials(place.access_key, place.secret_key)
        botocore.auth.S3SigV4Auth(keys, "s3", REGION).add_auth(request)
        headers.update(request.headers.items())
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    host, port = place.host.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\n{lines}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode())
        return connection.recv(65536).split(b"\r\n")[0].decode()


@case
def header_100_continue(place):
    bucket = place.bucket()
    same(continued(place, f"/{bucket}/k", False).split(" ")[1], "403")
    same(continued(place, f"/{bucket}/k", True).split(" ")[1], "100")


@case
def header_user_agent_and_type(place):
    bucket = place.bucket()
    is_answer(place.raw("PUT", f"/{bucket}/k", {"User-Agent": "", "Content-Type": ""}, b"x"), 200)
    is_answer(place.raw("PUT", f"/{bucket}/k", {"Content-Type": "text/plain"}, b"x"), 200)
    same(place.client.head_object(Bucket=bucket, Key="k")["ContentType"], "text/plain")


@case
def header_dates_of_answers(place):
    bucket = place.filled("k")
    head = place.raw("HEAD", f"/{bucket}/k")
    assert head.headers["last-modified"].endswith("GMT")
    assert head.headers["date"].endswith("GMT")
    assert head.headers["etag"].startswith('"') and head.headers["etag"].endswith('"')
    same((head.body, head.headers["content-length"]), (b"", "1"))
