"""Listings of objects in both versions, of versions, and their paging."""

from harness import case, keys_of, is_answer, prefixes_of, refused, same

TREE = ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla"]


def both(place, bucket, **settings):
    """The same listing by both versions."""
    one = place.client.list_objects(Bucket=bucket, **settings)
    two = place.client.list_objects_v2(Bucket=bucket, **settings)
    same(keys_of(one), keys_of(two))
    same(prefixes_of(one), prefixes_of(two))
    same(one["IsTruncated"], two["IsTruncated"])
    same(two["KeyCount"], len(keys_of(two)) + len(prefixes_of(two)))
    same(one["Name"], bucket)
    same(two["Name"], bucket)
    return two


def sees(place, bucket, keys, prefixes=(), **settings):
    page = both(place, bucket, **settings)
    same((keys_of(page), prefixes_of(page)), (list(keys), list(prefixes)))
    return page


@case
def list_empty(place):
    page = sees(place, place.bucket(), [])
    same(page["MaxKeys"], 1000)
    same(page["Prefix"], "")


@case
def list_of_distinct_buckets(place):
    full, empty = place.filled("only"), place.bucket()
    sees(place, full, ["only"])
    sees(place, empty, [])


@case
def list_pages_v1(place):
    bucket = place.filled("bar", "baz", "foo", "quxx")
    one = place.client.list_objects(Bucket=bucket, MaxKeys=2)
    same((keys_of(one), one["IsTruncated"], one["MaxKeys"]), (["bar", "baz"], True, 2))
    assert "NextMarker" not in one
    two = place.client.list_objects(Bucket=bucket, Marker="baz", MaxKeys=2)
    same((keys_of(two), two["IsTruncated"], two["Marker"]), (["foo", "quxx"], False, "baz"))


@case
def list_pages_v2(place):
    bucket = place.filled("bar", "baz", "foo", "quxx", "zap")
    one = place.client.list_objects_v2(Bucket=bucket, MaxKeys=2)
    same((keys_of(one), one["IsTruncated"], one["KeyCount"]), (["bar", "baz"], True, 2))
    token = one["NextContinuationToken"]
    two = place.client.list_objects_v2(Bucket=bucket, MaxKeys=2, ContinuationToken=token)
    same((keys_of(two), two["ContinuationToken"]), (["foo", "quxx"], token))
    three = place.client.list_objects_v2(Bucket=bucket, MaxKeys=2, ContinuationToken=two["NextContinuationToken"])
    same((keys_of(three), three["IsTruncated"]), (["zap"], False))
    assert "NextContinuationToken" not in three


@case
def list_exactly_full_page_is_not_truncated(place):
    page = sees(place, place.filled("a", "b"), ["a", "b"], MaxKeys=2)
    same(page["IsTruncated"], False)


@case
def list_delimiter(place):
    bucket = place.filled(*TREE)
    page = sees(place, bucket, ["asdf"], ["boo/", "cquux/"], Delimiter="/")
    same(page["Delimiter"], "/")
    sees(place, bucket, ["boo/bar"], ["boo/baz/"], Delimiter="/", Prefix="boo/")
    sees(place, bucket, [], ["boo/"], Delimiter="/", Prefix="boo")
    sees(place, bucket, sorted(TREE), [], Delimiter="%")
    sees(place, bucket, sorted(TREE), [], Delimiter="notthere")


@case
def list_delimiter_and_pages(place):
    bucket = place.filled(*TREE)
    for version in (1, 2):
        seen, more = [], {}
        for _ in range(8):
            call = place.client.list_objects if version == 1 else place.client.list_objects_v2
            page = call(Bucket=bucket, Delimiter="/", MaxKeys=1, **more)
            seen += keys_of(page) + prefixes_of(page)
            if not page["IsTruncated"]:
                break
            more = {"Marker": page["NextMarker"]} if version == 1 else {"ContinuationToken": page["NextContinuationToken"]}
        same(seen, ["asdf", "boo/", "cquux/"])


@case
def list_delimiter_prefix_and_pages(place):
    bucket = place.filled(*TREE)
    one = place.client.list_objects(Bucket=bucket, Delimiter="/", Prefix="boo/", MaxKeys=1)
    same((keys_of(one), prefixes_of(one), one["NextMarker"]), (["boo/bar"], [], "boo/bar"))
    two = place.client.list_objects(Bucket=bucket, Delimiter="/", Prefix="boo/", MaxKeys=1, Marker="boo/bar")
    same((keys_of(two), prefixes_of(two), two["IsTruncated"]), ([], ["boo/baz/"], False))


@case
def list_delimiters_of_all_kinds(place):
    for delimiter in ("a", "%", " ", ".", "_", "\x0a", "ab", "ü", "&", "<"):
        bucket = place.filled(f"b{delimiter}r", f"b{delimiter}z", f"c{delimiter}b", "foo")
        sees(place, bucket, ["foo"], [f"b{delimiter}", f"c{delimiter}"], Delimiter=delimiter)


@case
def list_prefix_underscore(place):
    bucket = place.filled("_obj1_", "_under1/bar", "_under1/baz/xyzzy", "_under2/thud", "_under2/bla")
    sees(place, bucket, ["_obj1_"], ["_under1/", "_under2/"], Delimiter="/")
    sees(place, bucket, ["_under1/bar"], ["_under1/baz/"], Delimiter="/", Prefix="_under1/")
    sees(place, bucket, [], ["_under1/", "_under2/"], Delimiter="/", Prefix="_under")


@case
def list_prefix_that_ends_with_the_delimiter(place):
    sees(place, place.filled("asdf/"), ["asdf/"], [], Delimiter="/", Prefix="asdf/")


@case
def list_special_prefixes(place):
    bucket = place.filled("_bla/1", "_bla/2", "_bla/3", "_bla/4", "abcd")
    sees(place, bucket, ["_bla/1", "_bla/2", "_bla/3", "_bla/4", "abcd"])
    sees(place, bucket, ["_bla/1", "_bla/2", "_bla/3", "_bla/4"], Prefix="_bla/")


@case
def list_delimiter_does_not_skip_special_names(place):
    keys = [f"0/{n}" for n in range(1000, 1012)] + ["1999", "1999#", "1999+", "2000"]
    sees(place, place.filled(*keys), ["1999", "1999#", "1999+", "2000"], ["0/"], Delimiter="/")


@case
def list_empty_parameters(place):
    bucket = place.filled("bar", "foo")
    page = sees(place, bucket, ["bar", "foo"], Delimiter="", Prefix="")
    assert "Delimiter" not in page or page["Delimiter"] == ""
    sees(place, bucket, ["bar", "foo"], Prefix="")
    one = place.client.list_objects(Bucket=bucket, Marker="")
    same((keys_of(one), one["Marker"]), (["bar", "foo"], ""))
    two = place.client.list_objects_v2(Bucket=bucket, StartAfter="")
    same(keys_of(two), ["bar", "foo"])


@case
def list_prefixes(place):
    bucket = place.filled("foo/bar", "foo/baz", "quux")
    sees(place, bucket, ["foo/bar", "foo/baz"], Prefix="foo/")
    sees(place, bucket, ["foo/bar", "foo/baz"], Prefix="foo")
    sees(place, bucket, [], Prefix="d")
    sees(place, bucket, [], Prefix="\x0a")
    sees(place, bucket, [], ["foo/"], Prefix="fo", Delimiter="/")
    sees(place, bucket, [], Prefix="y", Delimiter="/")
    sees(place, bucket, ["foo/bar", "foo/baz"], Prefix="foo/", Delimiter="z/")


@case
def list_markers(place):
    bucket = place.filled("bar", "baz", "foo", "quxx")
    for marker, left in (("baz", ["foo", "quxx"]), ("blah", ["foo", "quxx"]), ("zzz", []), ("\x0a", ["bar", "baz", "foo", "quxx"])):
        one = place.client.list_objects(Bucket=bucket, Marker=marker)
        same((keys_of(one), one["Marker"], one["IsTruncated"]), (left, marker, False))
        two = place.client.list_objects_v2(Bucket=bucket, StartAfter=marker)
        same((keys_of(two), two["StartAfter"]), (left, marker))


@case
def list_marker_that_is_a_common_prefix(place):
    bucket = place.filled("a/1", "a/2", "b", "c/1")
    one = place.client.list_objects(Bucket=bucket, Marker="a/", Delimiter="/")
    same((keys_of(one), prefixes_of(one)), (["b"], ["c/"]))


@case
def list_start_after_and_token(place):
    bucket = place.filled("bar", "baz", "foo", "quxx")
    one = place.client.list_objects_v2(Bucket=bucket, StartAfter="bar", MaxKeys=1)
    same(keys_of(one), ["baz"])
    two = place.client.list_objects_v2(Bucket=bucket, StartAfter="bar", ContinuationToken=one["NextContinuationToken"])
    same((keys_of(two), two["StartAfter"]), (["foo", "quxx"], "bar"))


@case
def list_max_keys(place):
    bucket = place.filled("bar", "baz", "foo")
    page = sees(place, bucket, [], MaxKeys=0)
    same((page["IsTruncated"], page["MaxKeys"]), (False, 0))
    sees(place, bucket, ["bar"], MaxKeys=1)
    sees(place, bucket, ["bar", "baz", "foo"], MaxKeys=1000)
    same(sees(place, bucket, ["bar", "baz", "foo"], MaxKeys=5000)["MaxKeys"], 1000)
    for bad in ("blah", "-1"):
        is_answer(place.raw("GET", f"/{bucket}?max-keys={bad}"), 400, "InvalidArgument")
        is_answer(place.raw("GET", f"/{bucket}?list-type=2&max-keys={bad}"), 400, "InvalidArgument")


@case
def list_bad_encodings(place):
    bucket = place.filled("bar")
    is_answer(place.raw("GET", f"/{bucket}?encoding-type=base64"), 400, "InvalidArgument")


@case
def list_encoded(place):
    bucket = place.filled("asdf+b", "foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "asdf%b")
    page = place.client.list_objects_v2(Bucket=bucket, Delimiter="/", EncodingType="url")
    same((keys_of(page), prefixes_of(page)), (["asdf%25b", "asdf%2Bb"], ["foo%2B1/", "foo/", "quux%20ab/"]))
    same(page["EncodingType"], "url")


@case
def list_tells_what_head_tells(place):
    bucket = place.filled("bar", "foo")
    heads = {key: place.client.head_object(Bucket=bucket, Key=key) for key in ("bar", "foo")}
    for page in (place.client.list_objects(Bucket=bucket), place.client.list_objects_v2(Bucket=bucket, FetchOwner=True)):
        for row in page["Contents"]:
            head = heads[row["Key"]]
            same((row["ETag"], row["Size"]), (head["ETag"], head["ContentLength"]))
            same(row["LastModified"].replace(microsecond=0), head["LastModified"])
            same(row["StorageClass"], "STANDARD")
            assert row["Owner"]["ID"]
    assert all("Owner" not in row for row in place.client.list_objects_v2(Bucket=bucket)["Contents"])
    assert all("Owner" not in row for row in place.client.list_objects_v2(Bucket=bucket, FetchOwner=False)["Contents"])


@case
def list_in_order_of_bytes(place):
    keys = ["Z", "a", "a b", "a!b", "a/b", "a//b", "á", "ä", "\U0001f600", "\uffee", "~", "0", "%41", "+"]
    sees(place, place.filled(*keys), sorted(keys, key=str.encode))


@case
def list_many(place):
    keys = [f"key-{n:04d}" for n in range(1101)]
    bucket = place.filled(*keys)
    one = place.client.list_objects_v2(Bucket=bucket)
    same((len(one["Contents"]), one["IsTruncated"]), (1000, True))
    walked = [row["Key"] for page in place.client.get_paginator("list_objects").paginate(Bucket=bucket) for row in page["Contents"]]
    same(walked, keys)


@case
def list_after_writes_and_deletes(place):
    bucket = place.filled("a", "b")
    sees(place, bucket, ["a", "b"])
    place.client.put_object(Bucket=bucket, Key="aa", Body=b"")
    sees(place, bucket, ["a", "aa", "b"])
    place.client.delete_object(Bucket=bucket, Key="a")
    sees(place, bucket, ["aa", "b"])
    place.client.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/b")
    sees(place, bucket, ["aa", "b", "c"])
    place.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "aa"}, {"Key": "b"}]})
    sees(place, bucket, ["c"])


@case
def list_versions(place):
    bucket = place.filled("a", "b/c", "b/d")
    page = place.client.list_object_versions(Bucket=bucket)
    same([(row["Key"], row["VersionId"], row["IsLatest"]) for row in page["Versions"]], [("a", "null", True), ("b/c", "null", True), ("b/d", "null", True)])
    rolled = place.client.list_object_versions(Bucket=bucket, Delimiter="/")
    same(([row["Key"] for row in rolled["Versions"]], prefixes_of(rolled)), (["a"], ["b/"]))
    first = place.client.list_object_versions(Bucket=bucket, MaxKeys=1)
    assert first["IsTruncated"]
    rest = place.client.list_object_versions(Bucket=bucket, KeyMarker=first["NextKeyMarker"], VersionIdMarker=first.get("NextVersionIdMarker", ""))
    same([row["Key"] for row in rest["Versions"]], ["b/c", "b/d"])


@case
def list_path_forms(place):
    bucket = place.filled("a")
    for path in (f"/{bucket}", f"/{bucket}/", f"/{bucket}/?", f"/{bucket}?list-type=2", f"/{bucket}/?list-type=2&prefix="):
        answer = place.raw("GET", path)
        is_answer(answer, 200)
        assert b"<Key>a</Key>" in answer.body
        same(answer.headers["content-type"].split(";")[0], "application/xml")
