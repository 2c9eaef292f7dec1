/** Mutated HTTP requests for an S3 port, from a seed: whole ones in bytes, and how they are to be sent. */
import { createHash, createHmac } from "node:crypto";
import { type Credentials, signRequest } from "@ringlight/sigv4";

/** A generator of whole numbers below a bound. */
type Numbers = (below: number) => number;

/** Seeded numbers (mulberry32), so that a failure can be repeated. */
function numbers(seed: number): Numbers {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A request, and how it goes out. */
export interface MutatedRequest {
  readonly bytes: Buffer;
  /** In one go; in pieces with pauses; cut off somewhere; or left hanging until the client gives up. */
  readonly manner: "whole" | "slow" | "cut" | "left";
}

const METHODS = ["GET", "GET", "GET", "HEAD", "PUT", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"];
const QUERIES = [
  ...[
    "",
    "",
    "",
    "list-type=2",
    "list-type=2&prefix=a&delimiter=/",
    "max-keys=3&marker=a",
    "acl",
    "partNumber=1",
    "tagging",
  ],
  ...[
    "versionId=null",
    "uploads",
    "uploads&prefix=x",
    "delete",
    "versions",
    "attributes",
    "location",
    "uploadId=x",
    "policy",
  ],
  ...[
    "partNumber=1&uploadId=0123456789abcdef0123456789abcdef",
    "response-content-type=a/b",
    "encoding-type=url",
    "x-id=PutObject",
  ],
];
const HEADERS: readonly (readonly [string, string])[] = [
  ["range", "bytes=0-3"],
  ["range", "bytes=-2"],
  ["range", "bytes=99999-"],
  ["if-match", '"a", W/"b"'],
  ["if-none-match", "*"],
  ["if-modified-since", "Fri, 02 Jan 2026 03:04:05 GMT"],
  ["if-range", "x"],
  ["expect", "100-continue"],
  ["content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="],
  ["x-amz-copy-source", "/open/plain"],
  ["x-amz-copy-source", "/open/../outside"],
  ["x-amz-copy-source-range", "bytes=0-1"],
  ["x-amz-checksum-crc32", "AAAAAA=="],
  ["x-amz-checksum-mode", "ENABLED"],
  ["x-amz-trailer", "x-amz-checksum-crc32"],
  ["x-amz-decoded-content-length", "5"],
  ["x-amz-meta-x", "value"],
  ["x-amz-tagging", "a=b"],
  ["x-amz-object-attributes", "ETag"],
  ["content-encoding", "aws-chunked"],
];
const BODIES = [
  "",
  "plain bytes",
  "<Delete><Object><Key>a</Key></Object><Object><Key>../outside</Key></Object></Delete>",
  "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
  "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
  "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
  "5;chunk-signature=0000000000000000000000000000000000000000000000000000000000000000\r\nhello\r\n0\r\n\r\n",
  '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>',
];
const KEYS = [
  "plain",
  "dir/key",
  "a%20b",
  "%2e%2e/outside",
  "..%2foutside",
  "%c0%ae%c0%ae/outside",
  "a%00b",
  "%FF",
  "x//y",
  "../outside",
  "%E2%82",
];
const NOISE = "%/.?&=+\u00ff\u0080 \t\0~*-9aZ:;,\"'<>\\\r\n";

function mutate(text: string, next: Numbers): string {
  let out = text;
  for (let count = next(4); count > 0; count--) {
    const at = next(out.length + 1);
    out = out.slice(0, at) + (NOISE[next(NOISE.length)] ?? "") + out.slice(at + next(3));
  }
  return out;
}

const FORM_KEYS = [
  "new",
  "dir/form",
  ["a-", "{filename}"].join("$"),
  "../outside",
  "..\\outside",
  "/x//y",
  "a\0b",
  "\u00ff",
  "plain/",
  "",
];
const FORM_FIELDS = [
  ["success_action_status", "201"],
  ["success_action_status", "abc"],
  ["success_action_redirect", "http://127.0.0.1/x?y"],
  ["content-type", "text/plain"],
  ["x-amz-meta-x", "value"],
  ["tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"],
  ["acl", "public-read"],
  ["x-ignore-this", "1"],
  ["not-in-the-policy", "1"],
] as const;

/** An upload by a form whose policy is signed, for the bucket "written". */
function formRequest(next: Numbers, host: string, { accessKeyId, secretAccessKey }: Credentials): MutatedRequest {
  const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T;
  const boundary = "a-boundary-of-a-form";
  const now = new Date().toISOString();
  const amzDate = now.replaceAll(/[-:]|\.\d+/g, "");
  const scope = [amzDate.slice(0, 8), "us-east-1", "s3", "aws4_request"];
  const conditions = [
    { bucket: "written" },
    ["starts-with", "$key", ""],
    ["content-length-range", 0, 1 << next(24)],
    ...["x-amz-algorithm", "x-amz-credential", "x-amz-date"].map((name) => ["starts-with", `$${name}`, ""]),
    ...FORM_FIELDS.slice(0, -1).map(([name]) => ["starts-with", `$${name}`, ""]),
  ];
  const document = JSON.stringify({ expiration: new Date(Date.now() + 60_000).toISOString(), conditions });
  const policy = Buffer.from(next(4) === 0 ? mutate(document, next) : document, "latin1").toString("base64");
  const key = scope.reduce<Buffer | string>(
    (from, part) => createHmac("sha256", from).update(part).digest(),
    `AWS4${secretAccessKey}`,
  );
  const fields: (readonly [string, string])[] = [
    ["key", pick(FORM_KEYS)],
    ["policy", policy],
    ["x-amz-algorithm", "AWS4-HMAC-SHA256"],
    ["x-amz-credential", [accessKeyId, ...scope].join("/")],
    ["x-amz-date", amzDate],
    ["x-amz-signature", createHmac("sha256", key).update(policy).digest("hex")],
  ];
  for (let count = next(3); count > 0; count--) fields.splice(next(fields.length + 1), 0, pick(FORM_FIELDS));
  const name = pick(["file.txt", "../outside", "C:\\x\\outside", ""]);
  const parts = [
    ...fields.map(
      ([field, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${field}"\r\n\r\n${value}\r\n`,
    ),
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n${"x".repeat(next(2000))}\r\n`,
    `--${boundary}--\r\n`,
  ];
  const body = Buffer.from(next(3) === 0 ? mutate(parts.join(""), next) : parts.join(""), "latin1");
  const head = [
    "POST /written HTTP/1.1",
    `host: ${host}`,
    `content-type: multipart/form-data; boundary=${boundary}`,
    `content-length: ${body.length}`,
    "connection: close",
  ].join("\r\n");
  const bytes = Buffer.concat([Buffer.from(`${next(8) === 0 ? mutate(head, next) : head}\r\n\r\n`, "latin1"), body]);
  return { bytes, manner: pick(["whole", "whole", "whole", "slow", "cut"]) };
}

/** Makes requests of all kinds for the buckets "open" (readable by anybody), "written" and others. */
export function requestMaker(seed: number, host: string, credentials: Credentials): () => MutatedRequest {
  const next = numbers(seed);
  const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T;
  return () => {
    if (next(12) === 0) return formRequest(next, host, credentials);
    const method = pick(METHODS);
    const bucket = next(6) === 0 ? pick(["..", "%2e%2e", "no-such-bucket", "shut", ""]) : pick(["open", "written"]);
    const query = pick(QUERIES);
    let target = `/${bucket}/${next(3) === 0 ? pick(KEYS) : pick(["plain", "plain", "new", "dir/key", ""])}${query === "" ? "" : `?${query}`}`;
    if (next(3) === 0) target = mutate(target, next).replaceAll(/[\r\n]/g, "");
    if (!target.startsWith("/")) target = `/${target}`;
    const body =
      method === "PUT" || method === "POST" ? (next(3) === 0 ? mutate(pick(BODIES), next) : pick(BODIES)) : "";
    const bytes = Buffer.from(body, "latin1");
    const headers: Record<string, string> = {};
    for (let count = next(4); count > 0; count--) {
      const [name, value] = pick(HEADERS);
      headers[name] = next(6) === 0 ? mutate(value, next).replaceAll(/[\r\n\0]/g, "") : value;
    }
    if (bytes.length > 0 || method === "PUT") headers["content-length"] = String(bytes.length);
    const payloadHash = pick([
      "UNSIGNED-PAYLOAD",
      createHash("sha256").update(bytes).digest("hex"),
      "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    ]);
    let sent: Record<string, string> = { host, ...headers };
    // Most carry a signature that holds, so that what is behind it is met, too.
    if (next(4) !== 0) {
      try {
        sent = signRequest(
          { method, url: { host, rawUrl: target }, headers },
          { credentials, region: "us-east-1", payloadHash },
        );
      } catch {
        // What cannot be signed goes out unsigned.
      }
    }
    const lines = Object.entries(sent).map(([name, value]) => `${name}: ${value}\r\n`);
    let head = `${method} ${target} HTTP/1.1\r\n${lines.join("")}connection: close\r\n\r\n`;
    if (next(5) === 0) head = mutate(head, next);
    const manner = next(40);
    return {
      bytes: Buffer.concat([Buffer.from(head, "latin1"), bytes]),
      manner: manner === 0 ? "slow" : manner === 1 ? "cut" : manner === 2 ? "left" : "whole",
    };
  };
}
