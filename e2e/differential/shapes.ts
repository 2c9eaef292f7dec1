/** Request shapes, generated and named: what clients ask of S3, and what they should not. */
import { createHash } from "node:crypto";
import type { Shape } from "./ask.ts";

const MIB = 1024 * 1024;

/** An object that the shapes ask for. */
export interface ShapeObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const ODD_KEYS = [
  "with space",
  "plus+sign",
  "percent%20encoded",
  "a+b c%2Bd",
  "umlaut-äöüß",
  "emoji-😀-key",
  "combining-e\u0301",
  "composed-\u00e9",
  "日本語/キー",
  "double//slash",
  "..two-dots",
  "quote'single",
  'quote"double',
  "amp&ersand",
  "less<greater>",
  "semi;colon:at@",
  "eq=uals?question#hash",
  "brackets[1]{2}(3)",
  "star*tilde~bang!",
  "dollar$comma,",
  "back\\slash^caret`tick|pipe",
];

/** The objects that must be in the store, the same for everybody. */
export const OBJECTS: readonly ShapeObject[] = [
  { key: "empty", sizeBytes: 0 },
  { key: "one", sizeBytes: 1 },
  { key: "small", sizeBytes: 4_097, headers: { "content-type": "text/plain; charset=utf-8" } },
  {
    key: "dressed",
    sizeBytes: 70_000,
    headers: {
      "content-type": "application/x-dressed",
      "cache-control": "max-age=60, private",
      "content-disposition": 'attachment; filename="d r.bin"',
      "content-encoding": "identity",
      "content-language": "de, en",
      expires: "Wed, 21 Oct 2026 07:28:00 GMT",
      "x-amz-meta-color": "blue",
      "x-amz-meta-long-name-with-dashes": "a value, with comma",
    },
  },
  { key: "pages", sizeBytes: 3 * MIB + 17 },
  ...ODD_KEYS.map((name) => ({ key: `odd/${name}`, sizeBytes: 100 + name.length })),
  ...["a", "a/b", "a/b/c", "a/bb", "ab", "b/1", "b/2", "b/3", "c", "d/e/f/g"].map((name) => ({
    key: `tree/${name}`,
    sizeBytes: name.length,
  })),
];

/** A key as it stands in a URL. */
export function encodeKey(key: string): string {
  return key
    .split("/")
    .map((word) =>
      encodeURIComponent(word).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join("/");
}

const at = (key: string, query = "") => `/{bucket}/${encodeKey(key)}${query && `?${query}`}`;

function rangesOf(size: number): string[] {
  const last = Math.max(0, size - 1);
  const ranges = [
    "bytes=0-0",
    "bytes=0-99",
    "bytes=0-",
    "bytes=1-",
    "bytes=10-20",
    `bytes=${last}-${last}`,
    `bytes=${last}-`,
    `bytes=0-${last}`,
    `bytes=0-${size}`,
    `bytes=0-${size + 1000}`,
    `bytes=${size}-`,
    `bytes=${size}-${size + 10}`,
    `bytes=${size + 1}-${size + 2}`,
    "bytes=-1",
    "bytes=-100",
    `bytes=-${size}`,
    `bytes=-${size + 1}`,
    `bytes=${Math.floor(size / 2)}-${Math.floor(size / 2) + 70_000}`,
    "bytes=0-999999999999",
  ];
  return [...new Set(ranges)];
}

/** What GET and HEAD of one object can be asked with. */
function rangeShapes(): Shape[] {
  const shapes: Shape[] = [];
  for (const { key, sizeBytes } of OBJECTS.slice(0, 5)) {
    for (const range of rangesOf(sizeBytes)) {
      for (const method of ["GET", "HEAD"]) {
        // An empty object has no byte that a range could name; a suffix of it is answered in as many ways as there are servers.
        if (sizeBytes === 0 && range.startsWith("bytes=-")) continue;
        if (method === "HEAD" && sizeBytes > MIB) continue;
        shapes.push({ name: `${method} ${key} ${range}`, method, target: at(key), headers: { range } });
      }
    }
  }
  return shapes;
}

function conditionShapes(etagOf: (key: string) => string, modifiedOf: (key: string) => string): Shape[] {
  const key = "small";
  const etag = etagOf(key);
  const past = "Tue, 01 Jan 2019 00:00:00 GMT";
  const modified = modifiedOf(key);
  const conditions: Record<string, Record<string, string>> = {
    "If-Match same": { "if-match": etag },
    "If-Match other": { "if-match": '"0123456789abcdef0123456789abcdef"' },
    "If-Match any": { "if-match": "*" },
    "If-None-Match same": { "if-none-match": etag },
    "If-None-Match other": { "if-none-match": '"0123456789abcdef0123456789abcdef"' },
    "If-Modified-Since past": { "if-modified-since": past },
    "If-Modified-Since its time": { "if-modified-since": modified },
    "If-Unmodified-Since past": { "if-unmodified-since": past },
    "If-Unmodified-Since its time": { "if-unmodified-since": modified },
    "If-Match same, If-Unmodified-Since past": { "if-match": etag, "if-unmodified-since": past },
    "If-Match other, If-Unmodified-Since its time": {
      "if-match": '"0123456789abcdef0123456789abcdef"',
      "if-unmodified-since": modified,
    },
    "If-None-Match same, If-Modified-Since past": { "if-none-match": etag, "if-modified-since": past },
    "If-None-Match other, If-Modified-Since past": {
      "if-none-match": '"0123456789abcdef0123456789abcdef"',
      "if-modified-since": past,
    },
  };
  const shapes: Shape[] = [];
  for (const [name, headers] of Object.entries(conditions)) {
    for (const method of ["GET", "HEAD"]) {
      shapes.push({ name: `${method} ${name}`, method, target: at(key), headers });
      if (method === "GET") {
        const ranged = { ...headers, range: "bytes=5-50" };
        shapes.push({ name: `${method} ${name}, with a range`, method, target: at(key), headers: ranged });
      }
    }
  }
  return shapes;
}

function objectShapes(): Shape[] {
  const shapes: Shape[] = [];
  for (const { key } of OBJECTS) {
    for (const method of ["GET", "HEAD"]) shapes.push({ name: `${method} ${key}`, method, target: at(key) });
  }
  const overrides: Record<string, string> = {
    "response-content-type": "text/html",
    "response-content-language": "fr",
    "response-cache-control": "no-store",
    "response-content-disposition": "inline",
    "response-content-encoding": "br",
    "response-expires": "Thu, 01 Dec 2033 16:00:00 GMT",
  };
  for (const [name, value] of Object.entries(overrides)) {
    for (const key of ["small", "dressed"]) {
      const target = at(key, `${name}=${encodeURIComponent(value)}`);
      shapes.push({ name: `GET ${key} ${name}`, method: "GET", target });
      shapes.push({ name: `HEAD ${key} ${name}`, method: "HEAD", target });
    }
  }
  const missing = ["missing", "small/", "small/below", "tree", "tree/", "odd", "SMALL", "smal", "small%00"];
  for (const key of missing.slice(0, -1)) {
    shapes.push({ name: `GET ${key}, which is not there`, method: "GET", target: at(key) });
    shapes.push({ name: `HEAD ${key}, which is not there`, method: "HEAD", target: at(key) });
    shapes.push({ name: `GET ${key} in part`, method: "GET", target: at(key), headers: { range: "bytes=0-1" } });
  }
  shapes.push({ name: "GET in a bucket that is not there", method: "GET", target: "/no-such-bucket-here/key" });
  shapes.push({ name: "list a bucket that is not there", method: "GET", target: "/no-such-bucket-here" });
  shapes.push({ name: "HEAD of a bucket that is not there", method: "HEAD", target: "/no-such-bucket-here" });
  shapes.push({ name: "HEAD of the bucket", method: "HEAD", target: "/{bucket}" });
  return shapes;
}

function listShapes(): Shape[] {
  const prefixes = ["", "tree/", "tree/a", "tree/a/", "tree/b/", "odd/", "odd/u", "nothing", "tree/d/e/f/g", "small"];
  const queries: Record<string, string>[] = [];
  for (const prefix of prefixes) {
    for (const delimiter of ["", "/", "b"]) {
      for (const max of ["", "1", "2", "1000"]) {
        queries.push({ ...(prefix && { prefix }), ...(delimiter && { delimiter }), ...(max && { "max-keys": max }) });
      }
    }
  }
  queries.push({ "max-keys": "0" }, { prefix: "odd/", "encoding-type": "url" });
  queries.push({ prefix: "odd/", delimiter: "/", "encoding-type": "url" }, { delimiter: "ree/" });
  const shapes: Shape[] = [];
  for (const query of queries) {
    const text = new URLSearchParams(query).toString().replaceAll("+", "%20");
    const name = Object.entries(query)
      .map(([key, value]) => `${key}=${value}`)
      .join(" ");
    shapes.push({ name: `list ${name}`, method: "GET", target: `/{bucket}?${text}` });
    shapes.push({ name: `list v2 ${name}`, method: "GET", target: `/{bucket}?list-type=2&${text}` });
  }
  for (const start of ["tree/a", "tree/b", "tree/b/2", "zzz", "odd/日"]) {
    const encoded = encodeURIComponent(start);
    const after = `prefix=${encodeURIComponent(start.slice(0, start.indexOf("/") + 1))}`;
    shapes.push({ name: `list after marker ${start}`, method: "GET", target: `/{bucket}?${after}&marker=${encoded}` });
    const target = `/{bucket}?list-type=2&${after}&start-after=${encoded}`;
    shapes.push({ name: `list v2 after ${start}`, method: "GET", target });
  }
  return shapes;
}

/** Every read. @param etagOf and modifiedOf say what the store says of an object */
export function readShapes(etagOf: (key: string) => string, modifiedOf: (key: string) => string): Shape[] {
  return [...objectShapes(), ...rangeShapes(), ...conditionShapes(etagOf, modifiedOf), ...listShapes()];
}

const md5 = (body: Buffer) => createHash("md5").update(body).digest("base64");
const sha256 = (body: Buffer) => createHash("sha256").update(body).digest("base64");

/** Writes in an order in which each finds what it needs; to be sent one after another, each followed by a look at the key. */
export function writeShapes(): { readonly shape: Shape; readonly key: string }[] {
  const body = Buffer.from("the quick brown fox jumps over the lazy dog");
  const other = Buffer.from("another body");
  const wrong = Buffer.from("a body that the sum is not of");
  const put = (name: string, key: string, headers: Record<string, string> = {}, content = body) => ({
    shape: { name: `PUT ${name}`, method: "PUT", target: at(key), headers, body: content },
    key,
  });
  const copy = (name: string, key: string, from: string, headers: Record<string, string> = {}) => ({
    shape: {
      name: `copy ${name}`,
      method: "PUT",
      target: at(key),
      headers: { "x-amz-copy-source": `/{bucket}/${encodeKey(from)}`, ...headers },
      body: Buffer.alloc(0),
    },
    key,
  });
  const remove = (name: string, key: string) => ({
    shape: { name: `DELETE ${name}`, method: "DELETE", target: at(key) },
    key,
  });
  const deletion = Buffer.from(
    "<Delete><Object><Key>w/many-1</Key></Object><Object><Key>w/many-2</Key></Object><Object><Key>w/never</Key></Object></Delete>",
  );
  return [
    put("plain", "w/plain"),
    put("over an object", "w/plain", {}, other),
    put("an empty body", "w/empty", {}, Buffer.alloc(0)),
    put("with a content type", "w/typed", { "content-type": "text/csv" }),
    put("with all headers", "w/dressed", {
      "content-type": "application/x-w",
      "cache-control": "no-cache",
      "content-disposition": "inline",
      "content-encoding": "identity",
      "content-language": "en",
      "x-amz-meta-one": "1",
      "x-amz-meta-two-words": "zwei",
    }),
    put("with a right Content-MD5", "w/md5", { "content-md5": md5(body) }),
    put("with a wrong Content-MD5", "w/bad-md5", { "content-md5": md5(wrong) }),
    put("with a Content-MD5 that is none", "w/no-md5", { "content-md5": "not-a-sum" }),
    put("with a right SHA-256", "w/sha", { "x-amz-checksum-sha256": sha256(body) }),
    ...["with space", "plus+sign", "umlaut-äöüß", "日本語/キー", "quote'single", "amp&ersand"].map((name) =>
      put(`an odd key: ${name}`, `w/${name}`),
    ),
    copy("an object", "w/copy", "w/dressed"),
    copy("with other metadata", "w/copy-replaced", "w/dressed", {
      "x-amz-metadata-directive": "REPLACE",
      "x-amz-meta-three": "3",
      "content-type": "text/plain",
    }),
    copy("onto itself without a change", "w/copy", "w/copy"),
    copy("onto itself with other metadata", "w/copy", "w/copy", {
      "x-amz-metadata-directive": "REPLACE",
      "x-amz-meta-four": "4",
    }),
    copy("from an object that is not there", "w/copy-none", "w/not-there"),
    copy("if it matches another", "w/copy-if", "w/plain", {
      "x-amz-copy-source-if-match": '"0123456789abcdef0123456789abcdef"',
    }),
    copy("if it does not match another", "w/copy-if-none", "w/plain", {
      "x-amz-copy-source-if-none-match": '"0123456789abcdef0123456789abcdef"',
    }),
    copy("with an odd key", "w/copy of ünï+code", "w/umlaut-äöüß"),
    remove("an object", "w/plain"),
    remove("it again", "w/plain"),
    remove("one that never was", "w/never"),
    put("what is deleted at once, 1", "w/many-1"),
    put("what is deleted at once, 2", "w/many-2"),
    {
      shape: {
        name: "delete several",
        method: "POST",
        target: "/{bucket}?delete",
        headers: { "content-md5": md5(deletion) },
        body: deletion,
      },
      key: "w/many-1",
    },
    {
      shape: {
        name: "delete several by a document that is none",
        method: "POST",
        target: "/{bucket}?delete",
        headers: { "content-md5": md5(wrong) },
        body: wrong,
      },
      key: "w/many-2",
    },
    put("in a bucket's place that is empty", "w/again"),
  ];
}
