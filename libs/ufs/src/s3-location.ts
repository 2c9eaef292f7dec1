/** Where an s3:// mount's objects are: endpoint, bucket, prefix, and how they are addressed. */
import { type MountRecord, RinglightError } from "@ringlight/core";
import type { RawTarget } from "@ringlight/sigv4";
import { checkOptionKeys } from "./options.ts";

/** A mount's place, parsed and checked. */
export interface S3Location {
  readonly bucket: string;
  /** Prepended to every key; "" or ending with a slash. */
  readonly prefix: string;
  readonly region: string;
  readonly addressing: "path" | "virtual";
  /** The endpoint that the mount names; undefined for AWS's own. */
  readonly endpoint: string | undefined;
  readonly secure: boolean;
  /** Connection target, without the port. */
  readonly hostname: string;
  readonly port: number;
  /** Value of the Host header. */
  readonly host: string;
  /** Path in front of every key, without the last slash. */
  readonly basePath: string;
  /** Does the store take checksums behind streamed bodies (aws-chunked trailers)? */
  readonly checksumTrailers: boolean;
  /** Endpoint for people. */
  readonly shownEndpoint: string;
}

const OPTIONS = ["endpoint", "region", "addressing", "checksum-trailers"];
const BUCKET = /^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$/;

const bad = (message: string) => new RinglightError("RL_BAD_REQUEST", message);

/** Parses an s3:// mount. @throws RL_BAD_REQUEST naming what is wrong; never quoting what may be a secret. */
export function parseS3Location(
  mount: Pick<MountRecord, "uri" | "options">,
  env: Readonly<Record<string, string | undefined>>,
): S3Location {
  checkOptionKeys("s3", mount.options, OPTIONS);
  const { bucket, prefix } = placeOf(mount.uri);
  if (bucket.includes("@"))
    throw bad("an s3 URI holds no credentials; write s3://bucket/prefix and refer to them by `credentials`");
  if (/[?#]/.test(mount.uri)) throw bad("an s3 URI has no query or fragment; write s3://bucket/prefix");
  if (!BUCKET.test(bucket)) throw bad(`"${bucket}" cannot name a bucket; write s3://bucket/prefix`);
  const region = mount.options.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? "us-east-1";
  if (!/^[a-z0-9-]+$/i.test(region))
    throw bad(`option region: "${region}" is not the name of a region, such as eu-central-1`);
  const endpoint = mount.options.endpoint;
  const addressing = mount.options.addressing ?? (endpoint !== undefined || bucket.includes(".") ? "path" : "virtual");
  if (addressing !== "path" && addressing !== "virtual") {
    throw bad(`option addressing: "${addressing}" is neither path nor virtual`);
  }
  const trailers = mount.options["checksum-trailers"];
  if (trailers !== undefined && trailers !== "true" && trailers !== "false") {
    throw bad(`option checksum-trailers: "${trailers}" is neither true nor false`);
  }
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const url = parseEndpoint(endpoint ?? `https://s3.${region}.${domain}`);
  const secure = url.protocol === "https:";
  const hostname = addressing === "virtual" ? `${bucket}.${url.hostname}` : url.hostname;
  const root = url.pathname.replace(/\/+$/, "");
  return {
    bucket,
    prefix,
    region,
    addressing,
    endpoint: endpoint === undefined ? undefined : `${url.protocol}//${url.host}${root}`,
    secure,
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    host: url.port === "" ? hostname : `${hostname}:${url.port}`,
    basePath: addressing === "virtual" ? root : `${root}/${bucket}`,
    checksumTrailers: trailers === undefined ? /(^|\.)amazonaws\.com(\.cn)?$/.test(url.hostname) : trailers === "true",
    shownEndpoint: `${url.protocol}//${url.host}${root}`,
  };
}

/** Bucket and prefix that an s3:// URI names, as they are. */
export function placeOf(uri: string): Pick<S3Location, "bucket" | "prefix"> {
  const match = /^s3:\/\/([^/]*)(?:\/(.*))?$/is.exec(uri);
  const given = match?.[2] ?? "";
  return { bucket: match?.[1] ?? "", prefix: given === "" || given.endsWith("/") ? given : `${given}/` };
}

function parseEndpoint(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw bad("option endpoint is not a URL; write for example http://127.0.0.1:9000");
  }
  if (url.username !== "" || url.password !== "") {
    throw bad("option endpoint holds credentials; take them out and refer to them by `credentials`");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw bad(`option endpoint begins with ${url.protocol}//; it must be http:// or https://`);
  }
  if (url.search !== "" || url.hash !== "") throw bad("option endpoint has a query or fragment; take it out");
  return url;
}

/** Nothing of such a key is encoded. */
const PLAIN_KEY = /^[A-Za-z0-9\-._~/]*$/;

/** Percent-encodes a key as S3's signature wants it: slashes stay, dot segments stay. */
function encodeKey(key: string): string {
  if (PLAIN_KEY.test(key)) return key;
  return encodeURIComponent(key)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/");
}

/** The request target of a key of the mount. @throws RL_NOT_FOUND for a key that no object can have. */
export function targetOf(location: S3Location, key: string): RawTarget {
  if (key === "" || !key.isWellFormed()) {
    throw new RinglightError("RL_NOT_FOUND", `"${key.toWellFormed()}" cannot be the key of an object`);
  }
  return { host: location.host, rawUrl: `${location.basePath}/${encodeKey(location.prefix + key)}` };
}

/** Parameters in order, as the signature wants them; an empty value is sent without "=". */
export function queryText(query: readonly (readonly [string, string])[]): string {
  const word = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = query.map(([name, value]) => (value === "" ? word(name) : `${word(name)}=${word(value)}`));
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
