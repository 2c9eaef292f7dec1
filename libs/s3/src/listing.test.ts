import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
} from "@aws-sdk/client-s3";
import type { ListedObject, ListPage, ListRequest } from "@ringlight/core";
import { XMLParser } from "fast-xml-parser";
import { compareKeys, listSorted, MemoryBackend } from "./memory-backend.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

/** Number of keys of the synthetic bucket: three levels, 100 x 100 x 10. */
const MANY = 100_000;

function manyKey(index: number): string {
  const text = String(index).padStart(5, "0");
  return `d${text.slice(0, 2)}/e${text.slice(2, 4)}/k${text.slice(4)}`;
}

/** A backend with one more bucket, "many", whose keys are computed. */
class ManyKeysBackend extends MemoryBackend {
  lists = 0;

  override bucketExists(bucket: string): boolean {
    return bucket === "many" || super.bucketExists(bucket);
  }

  override async list(
    bucket: string,
    request: ListRequest,
    context: Parameters<MemoryBackend["list"]>[2],
  ): Promise<ListPage> {
    this.lists++;
    if (bucket !== "many") return super.list(bucket, request, context);
    const describe = (index: number): ListedObject => {
      return { key: manyKey(index), sizeBytes: index, etag: '"e"', version: "e", modifiedMs: 1_700_000_000_123 };
    };
    return listSorted(MANY, manyKey, describe, request);
  }
}

let server: TestServer;
const backend = new ManyKeysBackend();
const small = ["a", "b/1", "b/2", "c", "c//x", "d&<>\"'", "ü", "z--1", "z--2"];

before(async () => {
  server = await startTestServer({ anonymous: (bucket) => bucket === "bkt" }, backend);
  backend.addBucket("bkt");
  backend.addBucket("another");
  for (const key of small) backend.put("bkt", key, key);
});
after(() => server.close());

test("ListBuckets names every bucket with its time of creation", async () => {
  const answer = await server.sdk.send(new ListBucketsCommand({}));
  assert.deepEqual(
    answer.Buckets?.map((bucket) => bucket.Name),
    ["another", "bkt"],
  );
  assert.equal(answer.Buckets?.[0]?.CreationDate?.toISOString(), "2026-01-01T00:00:00.000Z");
});

test("ListBuckets pages, and finds by prefix and region", async () => {
  const names = async (input: object) => {
    const { Buckets, ContinuationToken, Prefix } = await server.sdk.send(new ListBucketsCommand(input));
    return { names: Buckets?.map(({ Name }) => Name) ?? [], ContinuationToken, Prefix };
  };
  const first = await names({ MaxBuckets: 1 });
  assert.deepEqual(first.names, ["another"]);
  const { ContinuationToken } = first;
  assert.deepEqual((await names({ MaxBuckets: 1, ContinuationToken })).names, ["bkt"]);
  assert.equal((await names({ MaxBuckets: 2 })).ContinuationToken, undefined);
  const found = await names({ Prefix: "bk" });
  assert.deepEqual([found.names, found.Prefix], [["bkt"], "bk"]);
  assert.deepEqual((await names({ BucketRegion: "us-east-1" })).names, ["another", "bkt"]);
  assert.deepEqual((await names({ BucketRegion: "mars-1" })).names, []);
  for (const bad of ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "continuation-token=x"]) {
    assert.equal((await server.ask(`/?${bad}`)).code, "InvalidArgument", bad);
  }
});

test("V2 lists keys with size, tag, time and class, and counts keys and common prefixes", async () => {
  const answer = await server.sdk.send(new ListObjectsV2Command({ Bucket: "bkt", Delimiter: "/" }));
  assert.deepEqual(
    answer.Contents?.map((object) => object.Key),
    ["a", "c", "d&<>\"'", "z--1", "z--2", "ü"],
  );
  assert.deepEqual(
    answer.CommonPrefixes?.map((row) => row.Prefix),
    ["b/", "c/"],
  );
  assert.deepEqual([answer.KeyCount, answer.MaxKeys, answer.IsTruncated], [8, 1000, false]);
  const [first] = answer.Contents ?? [];
  assert.deepEqual(
    [first?.Size, first?.ETag, first?.StorageClass, first?.LastModified?.toISOString(), first?.Owner],
    [1, '"0cc175b9c0f1b6a831c399e269772661"', "STANDARD", "2026-01-02T03:04:05.000Z", undefined],
  );
});

test("fetch-owner names the owner in V2; V1 always does", async () => {
  const v2 = await server.sdk.send(new ListObjectsV2Command({ Bucket: "bkt", FetchOwner: true, MaxKeys: 1 }));
  assert.equal(v2.Contents?.[0]?.Owner?.ID, "ringlight");
  const v1 = await server.sdk.send(new ListObjectsCommand({ Bucket: "bkt", MaxKeys: 1 }));
  assert.equal(v1.Contents?.[0]?.Owner?.ID, "ringlight");
});

test("delimiters of any length roll up", async () => {
  const answer = await server.sdk.send(new ListObjectsV2Command({ Bucket: "bkt", Prefix: "z", Delimiter: "--" }));
  assert.deepEqual([answer.CommonPrefixes, answer.KeyCount], [[{ Prefix: "z--" }], 1]);
});

test("the bucket's address may end with a slash", async () => {
  for (const path of ["/bkt?list-type=2", "/bkt/?list-type=2"]) {
    const answer = await server.ask(path);
    assert.equal(answer.status, 200);
    assert.match(answer.body.toString(), /<KeyCount>9<\/KeyCount>/);
  }
});

test("start-after and continuation tokens go on behind a key, and the token wins", async () => {
  const first = await server.sdk.send(new ListObjectsV2Command({ Bucket: "bkt", StartAfter: "b/1", MaxKeys: 2 }));
  assert.deepEqual(
    [first.Contents?.map((object) => object.Key), first.StartAfter, first.IsTruncated],
    [["b/2", "c"], "b/1", true],
  );
  const second = await server.sdk.send(
    new ListObjectsV2Command({
      Bucket: "bkt",
      StartAfter: "z",
      MaxKeys: 1,
      ContinuationToken: first.NextContinuationToken,
    }),
  );
  assert.deepEqual(
    [second.Contents?.[0]?.Key, second.ContinuationToken, second.IsTruncated],
    ["c//x", first.NextContinuationToken, true],
  );
});

test("tokens that are not ours are InvalidArgument, and an empty one starts at the beginning", async () => {
  for (const token of ["x", "rl1.%21", "rl1.YQ%3D%3D", "rl2.YQ"]) {
    const answer = await server.ask(`/bkt?list-type=2&continuation-token=${token}`);
    assert.deepEqual([answer.status, answer.code], [400, "InvalidArgument"], token);
  }
  const empty = await server.ask("/bkt?list-type=2&continuation-token=");
  assert.match(empty.body.toString(), /<ContinuationToken><\/ContinuationToken>.*<KeyCount>9</);
});

test("max-keys=0 lists nothing without asking the backend; over 1000 is cut; what is no number is refused", async () => {
  const before = backend.lists;
  const none = await server.ask("/bkt?list-type=2&max-keys=0");
  assert.match(none.body.toString(), /<KeyCount>0<\/KeyCount><MaxKeys>0<\/MaxKeys><IsTruncated>false</);
  assert.equal(backend.lists, before);
  assert.match((await server.ask("/bkt?max-keys=5000")).body.toString(), /<MaxKeys>1000<\/MaxKeys>/);
  assert.match((await server.ask("/bkt?max-keys=")).body.toString(), /<MaxKeys>1000<\/MaxKeys>/);
  for (const bad of ["-1", "abc", "1.5", "99999999999", "%20"]) {
    const answer = await server.ask(`/bkt?max-keys=${bad}`);
    assert.deepEqual([answer.status, answer.code], [400, "InvalidArgument"], bad);
  }
});

test("other list types and encodings are InvalidArgument", async () => {
  assert.equal((await server.ask("/bkt?list-type=3")).code, "InvalidArgument");
  assert.equal((await server.ask("/bkt?encoding-type=base64")).code, "InvalidArgument");
});

test("encoding-type=url encodes every name in the answer, and says so", async () => {
  const text = (await server.ask("/bkt?encoding-type=url&prefix=d%26&delimiter=%22&marker=a%20b")).body.toString();
  assert.match(text, /<Prefix>d&amp;<\/Prefix><Marker>a%20b<\/Marker>/);
  assert.match(text, /<Delimiter>%22<\/Delimiter><EncodingType>url<\/EncodingType>/);
  assert.match(text, /<CommonPrefixes><Prefix>d%26%3C%3E%22<\/Prefix><\/CommonPrefixes>/);
});

test("V1 tells the prefix as it is where decoding it changes nothing, for some clients decode it and some do not", async () => {
  const shown = async (query: string) =>
    /<Prefix>(.*?)<\/Prefix>/s.exec((await server.ask(`/bkt?encoding-type=url&${query}`)).body.toString())?.[1];
  assert.equal(await shown("prefix=%0a"), "&#10;");
  assert.equal(await shown("prefix=a%20b/%C3%BC"), "a b/\u00fc");
  assert.equal(await shown("prefix=50%25"), "50%25");
  assert.equal(await shown("prefix=a%2Bb"), "a%2Bb");
  assert.equal(await shown("prefix=%01"), "%01");
  assert.equal(await shown("list-type=2&prefix=a%20b"), "a%20b");
  assert.equal(await shown("versions&prefix=a%20b"), "a%20b");
});

test("names with characters that XML 1.0 forbids are numeric references, and every document parses", async () => {
  backend.addBucket("controls");
  backend.put("controls", "a\u0001b\r\n\t\ufffe", "x");
  const plain = (await server.ask("/controls")).body.toString();
  assert.match(plain, /<Key>a&#x1;b&#xD;&#10;&#x9;&#xFFFE;<\/Key>/);
  const encoded = (await server.ask("/controls?encoding-type=url")).body.toString();
  assert.match(encoded, /<Key>a%01b%0D%0A%09%EF%BF%BE<\/Key>/);
  assert.ok(new XMLParser().parse(encoded).ListBucketResult);
});

test("V1 names the next marker where a delimiter is given", async () => {
  const answer = await server.sdk.send(new ListObjectsCommand({ Bucket: "bkt", Delimiter: "/", MaxKeys: 2 }));
  assert.deepEqual(
    [answer.Contents?.[0]?.Key, answer.CommonPrefixes?.[0]?.Prefix, answer.NextMarker, answer.IsTruncated],
    ["a", "b/", "b/", true],
  );
  const plain = await server.ask("/bkt?max-keys=2");
  assert.doesNotMatch(plain.body.toString(), /NextMarker/);
});

test("ListObjectVersions shows each object once, as the version null", async () => {
  const answer = await server.sdk.send(new ListObjectVersionsCommand({ Bucket: "bkt", MaxKeys: 2, KeyMarker: "a" }));
  assert.deepEqual(
    answer.Versions?.map((row) => [row.Key, row.VersionId, row.IsLatest]),
    [
      ["b/1", "null", true],
      ["b/2", "null", true],
    ],
  );
  assert.deepEqual([answer.NextKeyMarker, answer.IsTruncated], ["b/2", true]);
});

test("listing a bucket that is not there is NoSuchBucket", async () => {
  for (const query of ["", "?list-type=2", "?versions", "?max-keys=0"]) {
    assert.equal((await server.ask(`/nobucket${query}`)).code, "NoSuchBucket");
  }
});

/** Walks a listing to its end and gives keys and prefixes, in order of arrival, and the number of pages. */
async function walk(version: "v1" | "v2", query: string): Promise<{ names: string[]; pages: number }> {
  const parser = new XMLParser({
    isArray: (name) => name === "Contents" || name === "CommonPrefixes",
    parseTagValue: false,
    trimValues: false,
  });
  const names: string[] = [];
  let position = "";
  for (let pages = 1; ; pages++) {
    const type = version === "v2" ? "list-type=2&" : "";
    const result = parser.parse((await server.ask(`/many?${type}${query}${position}`)).body).ListBucketResult;
    const page: string[] = [
      ...(result.Contents ?? []).map((row: { Key: string }) => row.Key),
      ...(result.CommonPrefixes ?? []).map((row: { Prefix: string }) => row.Prefix),
    ];
    names.push(...page.sort(compareKeys));
    if (result.IsTruncated === "false") return { names, pages };
    position =
      version === "v2"
        ? `&continuation-token=${encodeURIComponent(result.NextContinuationToken)}`
        : `&marker=${encodeURIComponent(result.NextMarker ?? page.at(-1))}`;
  }
}

test("walks of a hundred thousand keys by V1 and V2 give each name once, in order", async () => {
  const all = Array.from({ length: MANY }, (_, index) => manyKey(index));
  const rolled = (delimiter: string, prefix = "") => [
    ...new Set(
      all
        .filter((key) => key.startsWith(prefix))
        .map((key) => {
          const cut = key.indexOf(delimiter, prefix.length);
          return cut === -1 ? key : key.slice(0, cut + delimiter.length);
        }),
    ),
  ];
  const shapes: [version: "v1" | "v2", query: string, expected: string[], pages: number][] = [
    ["v2", "", all, 100],
    ["v1", "delimiter=%2F", rolled("/"), 1],
    ["v2", "delimiter=%2F&max-keys=7", rolled("/"), 15],
    ["v1", "delimiter=%2F&max-keys=7", rolled("/"), 15],
    ["v1", "delimiter=%2Fk&max-keys=999", rolled("/k"), 11],
    ["v2", "prefix=d42%2F&delimiter=%2F&max-keys=33", rolled("/", "d42/"), 4],
    ["v1", "prefix=d42%2Fe0&max-keys=30", all.filter((key) => key.startsWith("d42/e0")), 4],
    ["v2", "prefix=d9&delimiter=e9", rolled("e9", "d9"), 10],
  ];
  for (const [version, query, expected, pages] of shapes) {
    const walked = await walk(version, query);
    assert.deepEqual(walked.names, expected, query);
    assert.equal(walked.pages, pages, query);
  }
});
