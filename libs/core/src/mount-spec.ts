/** Mounts as they are written on the command line: /name=s3://bucket/prefix,endpoint=http://...,read-only */
import { type CredentialsRef, DEFAULT_FRESHNESS, type Freshness, type MountRecord } from "./cluster.ts";
import { RinglightError } from "./errors.ts";
import { checkMountName } from "./path.ts";
import { parseDuration } from "./units.ts";

const MAX_REPLICAS = 3;
const UFS_OPTIONS = ["endpoint", "region", "addressing", "checksum-trailers"] as const;
/** Options that the workers read, and the words that they know. */
const WORD_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  eviction: ["default", "freeze"],
  verify: ["always", "sampled"],
  "write-cache": ["true", "false"],
  "trace-context": ["true", "false"],
};
const URI = /^(s3:\/\/[^/]+(\/.*)?|file:\/\/\/.*)$/;

/** What a mount's options are, for help texts. */
export const MOUNT_OPTIONS_HELP =
  "endpoint=URL, region=NAME, addressing=path|virtual, credentials=env:PREFIX|profile:NAME|file:PATH|anonymous|default, freshness=ttl:60s|immutable|strict, replicas=N, access=signed|anonymous-read, eviction=default|freeze, verify=always|sampled, write-cache=true|false, checksum-trailers=true|false, trace-context=true|false, read-only";

function bad(message: string): RinglightError {
  return new RinglightError("RL_BAD_REQUEST", message);
}

/** Parses "ttl:60s", "immutable" or "strict". @throws RL_BAD_REQUEST */
export function parseFreshness(text: string): Freshness {
  if (text === "immutable" || text === "strict") return { kind: text };
  const ttl = /^ttl[:=](.+)$/.exec(text)?.[1];
  if (ttl) return { kind: "ttl", ttlMs: parseDuration(ttl) };
  throw bad(`freshness "${text}" is none of immutable, strict and ttl:60s`);
}

/** Freshness as it is written. */
export function formatFreshness(freshness: Freshness): string {
  return freshness.kind === "ttl" ? `ttl:${freshness.ttlMs / 1000}s` : freshness.kind;
}

/** Parses a reference to credentials; never credentials themselves. @throws RL_BAD_REQUEST */
function parseCredentials(text: string): CredentialsRef {
  if (text === "default" || text === "anonymous") return { kind: text };
  const match = /^(env|profile|file):(.+)$/.exec(text);
  if (match?.[1] === "env") return { kind: "env", prefix: match[2]! };
  if (match?.[1] === "profile") return { kind: "profile", name: match[2]! };
  if (match?.[1] === "file") return { kind: "file", path: match[2]! };
  // The text may hold a secret, so it is not repeated.
  throw bad("credentials are given by reference: env:PREFIX, profile:NAME, file:PATH, anonymous or default");
}

/** A reference to credentials as it is written. */
export function formatCredentials(credentials: CredentialsRef): string {
  switch (credentials.kind) {
    case "env":
      return `env:${credentials.prefix}`;
    case "profile":
      return `profile:${credentials.name}`;
    case "file":
      return `file:${credentials.path}`;
    default:
      return credentials.kind;
  }
}

function parseWord(name: string, value: string, words: readonly string[]): string {
  if (words.includes(value)) return value;
  throw bad(`mount option ${name}=${value} is not known; it is one of ${words.join(", ")}`);
}

/** Options of a mount after its URI. */
export interface MountOptions {
  readonly readOnly: boolean;
  readonly freshness: Freshness;
  readonly credentials: CredentialsRef;
  readonly replicas: number;
  readonly access?: "anonymous-read";
  readonly options: Readonly<Record<string, string>>;
}

/** Parses "endpoint=http://host:1", "read-only", ... @throws RL_BAD_REQUEST naming the option */
export function parseMountOptions(texts: readonly string[]): MountOptions {
  let readOnly = false;
  let freshness = DEFAULT_FRESHNESS;
  let credentials: CredentialsRef = { kind: "default" };
  let replicas = 1;
  let access: Pick<MountOptions, "access"> = {};
  const options: Record<string, string> = {};
  for (const text of texts) {
    const equals = text.indexOf("=");
    const name = equals === -1 ? text : text.slice(0, equals);
    const value = equals === -1 ? "" : text.slice(equals + 1);
    if (name === "read-only" && (value === "" || value === "true")) readOnly = true;
    else if (value === "") throw bad(`mount option "${name}" has no value; there are ${MOUNT_OPTIONS_HELP}`);
    else if (name === "freshness") freshness = parseFreshness(value);
    else if (name === "credentials") credentials = parseCredentials(value);
    else if (name === "replicas") replicas = parseReplicas(value);
    else if (name === "access") access = parseAccess(value);
    else if (WORD_OPTIONS[name] !== undefined) options[name] = parseWord(name, value, WORD_OPTIONS[name]);
    else if (UFS_OPTIONS.some((known) => known === name)) options[name] = value;
    else throw bad(`"${name}" is no mount option; there are ${MOUNT_OPTIONS_HELP}`);
  }
  return { readOnly, freshness, credentials, replicas, ...access, options };
}

/** Who may read over S3. */
function parseAccess(text: string): Pick<MountOptions, "access"> {
  if (text === "signed") return {};
  if (text === "anonymous-read") return { access: text };
  throw bad(`access=${text} is none of signed and anonymous-read`);
}

function parseReplicas(text: string): number {
  const replicas = Number(text);
  if (Number.isInteger(replicas) && replicas >= 1 && replicas <= MAX_REPLICAS) return replicas;
  throw bad(`replicas=${text} is not a whole number from 1 to ${MAX_REPLICAS}`);
}

/** Checks a mount's URI. @throws RL_BAD_REQUEST */
export function checkUri(uri: string): string {
  if (URI.test(uri)) return uri;
  throw bad(`"${uri}" is not a store; write s3://bucket/prefix or file:///directory`);
}

/** Parses "/name" or "name". @throws RL_BAD_REQUEST */
export function parseMountName(text: string): string {
  return checkMountName(text.replace(/^\//, "").replace(/\/$/, ""));
}

/** Parses a whole mount: /name=URI[,option...]. A comma within a URI or value is written as %2C. @throws RL_BAD_REQUEST */
export function parseMountSpec(spec: string, nowMs: number): MountRecord {
  const equals = spec.indexOf("=");
  if (equals === -1) throw bad(`"${spec}" is not a mount; write /name=s3://bucket/prefix or /name=file:///directory`);
  const [uri = "", ...options] = spec.slice(equals + 1).split(",");
  const name = parseMountName(spec.slice(0, equals));
  const decoded = options.map((option) => option.replaceAll(/%2C/gi, ","));
  return {
    name,
    uri: checkUri(uri.replaceAll(/%2C/gi, ",")),
    ...parseMountOptions(decoded),
    createdMs: nowMs,
  };
}

/** What stands for the bucket's name in the URI of a bucket template. */
const BUCKET_PLACE = "{bucket}";
/** The option of mounts that CreateBucket made: only such are removed by DeleteBucket. */
export const MADE_BY_OPTION = "made-by";

/** How the mount of a bucket is made that an S3 client asks for by CreateBucket. */
export type BucketTemplate = (bucket: string, nowMs: number) => MountRecord;

/**
 * Parses what buckets are made of: a mount's URI with {bucket} in it, and options, as s3://{bucket},endpoint=URL,credentials=env:X
 * or file:///srv/buckets/{bucket}. A comma within is written as %2C. @throws RL_BAD_REQUEST
 */
export function parseBucketTemplate(spec: string): BucketTemplate {
  const [uri = "", ...options] = spec.split(",").map((word) => word.replaceAll(/%2C/gi, ","));
  if (uri.split(BUCKET_PLACE).length !== 2) {
    throw bad(`"${uri}" does not say where buckets are made; write s3://{bucket} or file:///directory/{bucket}`);
  }
  checkUri(uri.replace(BUCKET_PLACE, "bucket"));
  const parsed = parseMountOptions(options);
  if (parsed.readOnly) throw bad("buckets that clients make cannot be read-only; leave that option out");
  return (bucket, nowMs) => ({
    name: checkMountName(bucket),
    uri: uri.replace(BUCKET_PLACE, bucket),
    ...parsed,
    options: { ...parsed.options, [MADE_BY_OPTION]: "CreateBucket" },
    createdMs: nowMs,
  });
}
