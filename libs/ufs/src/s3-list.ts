/** Listings by the AWS SDK, which is loaded with the first one: it takes long to load, and most of a cache's calls need it not. */
import { Agent as HttpAgent } from "node:http";
import type { ListObjectsV2CommandOutput, S3Client } from "@aws-sdk/client-s3";
import { compareKeys, type ListedObject, type ListPage, type ListRequest, RinglightError } from "@ringlight/core";
import { withRetries } from "./retry.ts";
import { failureError, networkError, silenceError } from "./s3-errors.ts";
import type { S3Http } from "./s3-http.ts";
import { etagOf } from "./s3-meta.ts";

/** Sorts behind every key that begins with the text before it (but for keys that continue with this very character). */
const LAST_CHARACTER = "\u{10ffff}";
const MAX_KEYS = 1000;

/** Lists one bucket. */
export class S3Lister {
  readonly #http: S3Http;
  readonly #stallTimeoutMs: number;
  #client: Promise<S3Client> | undefined;

  constructor(http: S3Http, stallTimeoutMs: number) {
    this.#http = http;
    this.#stallTimeoutMs = stallTimeoutMs;
  }

  async close(): Promise<void> {
    (await this.#client?.catch(() => undefined))?.destroy();
  }

  /** Lists one page of the mount. */
  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    const { prefix: root } = this.#http.location;
    const { prefix, delimiter, startAfter } = request;
    // Stores differ on a start within a common prefix: AWS names that prefix again, radosgw does not. Asking past all
    // of it makes both skip it, and saves AWS's walk through it; the filter below takes out what comes all the same.
    const skipped = rolledUp(startAfter, prefix, delimiter);
    let from = startAfter === "" ? "" : root + (skipped === undefined ? startAfter : skipped + LAST_CHARACTER);
    for (;;) {
      const maxKeys = Math.min(MAX_KEYS, Math.max(1, request.maxKeys));
      const output = await this.#page(root + prefix, delimiter, from, maxKeys, signal);
      const page = this.#read(output, startAfter);
      // A page of nothing new is not handed out while there is more, so that nobody takes it for the end.
      if (page.objects.length + page.commonPrefixes.length > 0 || !page.truncated) return page;
      const last = lastOf(output);
      if (last === "" || compareKeys(last, from) <= 0) {
        throw new RinglightError("RL_UFS_ERROR", `the store's listing of "${root + prefix}" does not advance`);
      }
      from = last;
    }
  }

  #read(output: ListObjectsV2CommandOutput, startAfter: string): ListPage {
    const { prefix: root } = this.#http.location;
    const isNew = (key: string) => startAfter === "" || compareKeys(key, startAfter) > 0;
    const strip = (raw: string | undefined) => {
      const key = decode(raw ?? "", output.EncodingType);
      return key.startsWith(root) ? key.slice(root.length) : "";
    };
    const objects: ListedObject[] = [];
    for (const row of output.Contents ?? []) {
      const key = strip(row.Key);
      // The directory marker of the mount's own prefix is the mount itself, not an object in it.
      if (key === "" || !isNew(key)) continue;
      const etag = etagOf(row.ETag) ?? '""';
      objects.push({
        key,
        sizeBytes: row.Size ?? 0,
        etag,
        version: etag,
        modifiedMs: row.LastModified?.getTime() ?? 0,
        ...(row.StorageClass !== undefined && { storageClass: row.StorageClass }),
      });
    }
    const commonPrefixes: string[] = [];
    for (const row of output.CommonPrefixes ?? []) {
      const common = strip(row.Prefix);
      if (common !== "" && isNew(common)) commonPrefixes.push(common);
    }
    const truncated = output.IsTruncated ?? false;
    const nextStartAfter = truncated ? later(objects.at(-1)?.key ?? "", commonPrefixes.at(-1) ?? "") : "";
    return { objects, commonPrefixes, truncated, nextStartAfter };
  }

  #page(
    prefix: string,
    delimiter: string,
    startAfter: string,
    maxKeys: number,
    signal: AbortSignal,
  ): Promise<ListObjectsV2CommandOutput> {
    const { location, credentials } = this.#http;
    return withRetries(signal, async () => {
      const { ListObjectsV2Command } = await import("@aws-sdk/client-s3");
      // The SDK wraps what a credentials provider throws; asked here, its error reaches the caller as it is.
      await credentials.get();
      this.#client ??= this.#connect();
      const client = await this.#client;
      const command = new ListObjectsV2Command({
        Bucket: location.bucket,
        EncodingType: "url",
        MaxKeys: maxKeys,
        ...(prefix !== "" && { Prefix: prefix }),
        ...(delimiter !== "" && { Delimiter: delimiter }),
        ...(startAfter !== "" && { StartAfter: startAfter }),
      });
      const operation = `list ${JSON.stringify(prefix)}`;
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), this.#stallTimeoutMs);
      try {
        return await client.send(command, { abortSignal: AbortSignal.any([signal, silence.signal]) });
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (silence.signal.aborted) throw silenceError(location, operation, this.#stallTimeoutMs);
        throw this.#failure(operation, error);
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /** Only status, code, message and two headers are taken from an SDK's error: the rest of it holds the signed request. */
  #failure(operation: string, error: unknown): Error {
    const { location, credentials } = this.#http;
    const failure = error as SdkError;
    const status = failure.$metadata?.httpStatusCode;
    if (status === undefined) return networkError(location, operation, error);
    if (status === 401 || status === 403) credentials.forget();
    const headers = failure.$response?.headers ?? {};
    const code = failure.name === "UnknownError" || failure.name === "Unknown" ? "" : (failure.name ?? "");
    return failureError(location, operation, credentials.description, {
      status,
      code,
      message: failure.message ?? "",
      retryAfter: headers["retry-after"],
      bucketRegion: headers["x-amz-bucket-region"],
    });
  }

  async #connect(): Promise<S3Client> {
    const { S3Client } = await import("@aws-sdk/client-s3");
    const { location, credentials, agent } = this.#http;
    const anonymous = (await credentials.get()) === undefined;
    return new S3Client({
      region: location.region,
      ...(location.endpoint !== undefined && { endpoint: location.endpoint }),
      forcePathStyle: location.addressing === "path",
      maxAttempts: 1,
      requestHandler: agent instanceof HttpAgent && !location.secure ? { httpAgent: agent } : { httpsAgent: agent },
      // Without an end the SDK would keep the first pair for ever; the source knows when to renew.
      credentials: async () => ({
        ...((await credentials.get()) ?? NOBODY),
        expiration: new Date(Date.now() + 60_000),
      }),
      ...(anonymous && { signer: { sign: async (request) => request } }),
    });
  }
}

interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

const NOBODY = { accessKeyId: "", secretAccessKey: "" };

function decode(text: string, encoding: string | undefined): string {
  if (encoding !== "url") return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new RinglightError("RL_UFS_ERROR", `the store's listing has a key that is not UTF-8: ${text}`);
  }
}

function later(a: string, b: string): string {
  return compareKeys(a, b) > 0 ? a : b;
}

/** Last key or common prefix of the store's own page. */
function lastOf(output: ListObjectsV2CommandOutput): string {
  const key = decode(output.Contents?.at(-1)?.Key ?? "", output.EncodingType);
  return later(key, decode(output.CommonPrefixes?.at(-1)?.Prefix ?? "", output.EncodingType));
}

/** The common prefix in which a start lies, if it lies in one. */
function rolledUp(startAfter: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === "" || !startAfter.startsWith(prefix)) return undefined;
  const at = startAfter.indexOf(delimiter, prefix.length);
  return at === -1 ? undefined : startAfter.slice(0, at + delimiter.length);
}
