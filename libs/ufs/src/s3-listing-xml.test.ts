import assert from "node:assert/strict";
import { test } from "node:test";
import { parseListing } from "./s3-listing-xml.ts";

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">';
const END = "</ListBucketResult>";
const row = (key: string, rest = "<Size>7</Size>") => `<Contents><Key>${key}</Key>${rest}</Contents>`;
const refused = (xml: string, why: RegExp) =>
  assert.throws(
    () => parseListing(xml, "list"),
    (error: Error & { code?: string }) => error.code === "RL_UFS_ERROR" && why.test(error.message),
  );

test("a page is read whatever the order of its elements, and what is said of it is not taken from its keys", () => {
  const contents = row(
    "a%2Fb+c%25",
    "<LastModified>2026-02-03T04:05:06.000Z</LastModified><ETag>&quot;e&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>" +
      "<Size>12</Size><Owner><ID>x</ID><DisplayName>y</DisplayName></Owner><StorageClass>STANDARD</StorageClass>",
  );
  const tricky = row("%3CIsTruncated%3Efalse", "<ETag/><Size>0</Size>");
  const xml = `${HEAD}<Name>n</Name>${contents}<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>${tricky}<CommonPrefixes><Prefix>p%2F</Prefix></CommonPrefixes><CommonPrefixes><Prefix>q%2F</Prefix></CommonPrefixes>${END}\n`;
  assert.deepEqual(parseListing(xml, "list"), {
    contents: [
      {
        key: "a/b c%",
        sizeBytes: 12,
        etag: '"e"',
        modifiedMs: Date.UTC(2026, 1, 3, 4, 5, 6),
        storageClass: "STANDARD",
      },
      { key: "<IsTruncated>false", sizeBytes: 0, etag: "", modifiedMs: 0, storageClass: "" },
    ],
    commonPrefixes: ["p/", "q/"],
    truncated: true,
  });
});

test("keys of a store that does not encode them are taken as they are", () => {
  const xml = `${HEAD}<IsTruncated>false</IsTruncated>${row("a+b%2F&lt;&amp;&#x41;&#10;")}${END}`;
  assert.deepEqual(
    parseListing(xml, "list").contents.map(({ key }) => key),
    ["a+b%2F<&A\n"],
  );
});

test("an empty page is one", () => {
  const empty = { contents: [], commonPrefixes: [], truncated: false };
  assert.deepEqual(parseListing(`${HEAD}${END}`, "list"), empty);
  assert.deepEqual(parseListing("<ListBucketResult/>", "list"), empty);
});

test("what is no page, or not all of one, is refused", () => {
  const whole = `${HEAD}${row("a")}${row("b")}<IsTruncated>false</IsTruncated>${END}`;
  for (let length = 0; length < whole.length; length++) refused(whole.slice(0, length), /no whole ListBucketResult/);
  refused("<html><body>ListBucketResult</body></html>", /no whole/);
  refused(`${HEAD}<Contents><Size>1</Size></Contents>${END}`, /without a key/);
  refused(`${HEAD}${row("a", "")}${END}`, /size that is none/);
  refused(`${HEAD}${row("a", "<Size>-1</Size>")}${END}`, /size that is none/);
  refused(`${HEAD}<Contents><Key>a</Key>${END}`, /breaks off/);
  refused(`${HEAD}<EncodingType>url</EncodingType>${row("%ff")}${END}`, /not UTF-8/);
});
