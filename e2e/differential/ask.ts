/** Signed requests of any shape to an S3 endpoint, and what of the answer must be the same everywhere. */
import { createHash } from "node:crypto";
import { Agent, request } from "node:http";
import { type Credentials, signRequest } from "@ringlight/sigv4";

/** A request, without the place that it goes to. `{bucket}` in the target stands for the bucket's name. */
export interface Shape {
  readonly name: string;
  readonly method: string;
  /** Percent-encoded path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** An endpoint with the keys that it knows. */
export interface Endpoint {
  readonly url: string;
  readonly bucket: string;
  readonly credentials: Credentials;
  readonly agent: Agent;
}

/** An answer, whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An endpoint for a number of requests. */
export function endpointOf(url: string, bucket: string, credentials: Credentials): Endpoint {
  return { url, bucket, credentials, agent: new Agent({ keepAlive: true, maxSockets: 16 }) };
}

/** Connections to a killed worker that the agent may still keep. */
const MAX_CUT = 20;

/** Sends a request; a connection that the other side cut is no answer, and a read is then asked again, as any client does. */
export async function ask(endpoint: Endpoint, shape: Shape): Promise<Answer> {
  const isRead = shape.method === "GET" || shape.method === "HEAD";
  for (let cut = 0; ; cut++) {
    try {
      return await askOnce(endpoint, shape);
    } catch (error) {
      const { code = "" } = error as { code?: string };
      if (!isRead || cut >= MAX_CUT || !["ECONNRESET", "ECONNREFUSED", "EPIPE"].includes(code)) throw error;
    }
  }
}

function askOnce(endpoint: Endpoint, shape: Shape): Promise<Answer> {
  const { host, hostname, port } = new URL(endpoint.url);
  const rawUrl = shape.target.replaceAll("{bucket}", endpoint.bucket);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(shape.headers ?? {})) {
    headers[name] = value.replaceAll("{bucket}", endpoint.bucket);
  }
  if (shape.body !== undefined) headers["content-length"] = String(shape.body.length);
  const payloadHash = createHash("sha256")
    .update(shape.body ?? "")
    .digest("hex");
  const { method } = shape;
  const signed = signRequest(
    { method, url: { host, rawUrl }, headers },
    { credentials: endpoint.credentials, region: "us-east-1", payloadHash },
  );
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const options = { host: hostname, port, method, path: rawUrl, headers: signed, agent: endpoint.agent };
  const sent = request(options, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.once("error", reject);
    response.once("end", () => {
      const all: Record<string, string> = {};
      for (const [name, value] of Object.entries(response.headers)) all[name] = String(value);
      resolve({ status: response.statusCode ?? 0, headers: all, body: Buffer.concat(chunks) });
    });
  });
  sent.once("error", reject).end(shape.body);
  return promise;
}

const COMPARED =
  /^(accept-ranges|content-(type|length|range|encoding|disposition|language)|cache-control|expires|etag|last-modified|x-amz-meta-.*|x-amz-mp-parts-count|x-amz-tagging-count)$/;

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Text as an XML parser gives it: which characters are escaped, and how, is the writer's choice. */
function plainText(text: string): string {
  return text.replaceAll(/&(#x?)?([0-9a-zA-Z]+);/g, (whole, number: string | undefined, word: string) => {
    if (number === undefined) return ENTITIES[word] ?? whole;
    return String.fromCodePoint(Number.parseInt(word, number === "#x" ? 16 : 10));
  });
}

/** One element's text, for each time that it occurs. */
export function textsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map((match) => plainText(match[1] ?? ""));
}

const LISTED = [
  "Name",
  "Prefix",
  "Delimiter",
  "MaxKeys",
  "IsTruncated",
  "KeyCount",
  "StartAfter",
  "EncodingType",
  "Key",
  "Size",
  "ETag",
  "LastModified",
  "StorageClass",
];

/** What must be the same at the store and through the cluster; `bucket` is taken out of it. */
export function essence(shape: Shape, answer: Answer, bucket: string): Record<string, unknown> {
  const headers: Record<string, string> = {};
  const isXml = answer.headers["content-type"] === "application/xml" && answer.status !== 304;
  for (const [name, value] of Object.entries(answer.headers)) if (COMPARED.test(name)) headers[name] = value;
  if (!isXml || shape.method === "HEAD") {
    // An answer to HEAD has the headers of a body that is not there: of an error document, each server has its own.
    if (answer.status >= 400) {
      for (const name of ["content-length", "content-type", "accept-ranges", "content-range"]) delete headers[name];
    }
    // The gateway leaves the validators out of 304, which RFC 9110 and S3 have.
    if (answer.status === 304) return { status: 304, headers: {} };
    // What is written has no ranges to be asked for; the gateway says so all the same.
    if (shape.method !== "GET" && shape.method !== "HEAD") delete headers["accept-ranges"];
    // A bucket has no length; the gateway says 0.
    if (!shape.target.includes("/", 1)) delete headers["content-length"];
    const body = createHash("sha256").update(answer.body).digest("hex");
    return { status: answer.status, headers, body };
  }
  for (const name of ["content-length", "content-type", "accept-ranges"]) delete headers[name];
  const xml = answer.body.toString("utf8");
  if (answer.status >= 400) return { status: answer.status, headers: {}, code: textsOf(xml, "Code") };
  const listed = Object.fromEntries(LISTED.map((name) => [name, textsOf(xml, name)]));
  // The same holds for what is percent-encoded, where the listing is.
  if (textsOf(xml, "EncodingType")[0] === "url") {
    for (const name of ["Key", "Prefix", "Delimiter", "StartAfter"])
      listed[name] = listed[name]?.map(decodeURIComponent) ?? [];
  }
  // The results of a deletion stand in any order.
  if (xml.includes("<DeleteResult")) listed.Key?.sort();
  // Entity tags stand in quotes, but for those of some of the gateway's documents.
  listed.ETag = listed.ETag?.map((tag) => tag.replaceAll('"', "")) ?? [];
  // S3's listings have whole seconds, the gateway's have milliseconds.
  const text = JSON.stringify(listed)
    .replaceAll(bucket, "{bucket}")
    .replaceAll(/(T[\d:]+)\.\d+Z/g, "$1Z");
  return { status: answer.status, root: /<([A-Za-z]+)[ >]/.exec(xml.replace(/<\?.*?\?>/, ""))?.[1], listed: text };
}
