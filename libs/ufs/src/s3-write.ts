/** Writes to s3:// mounts: objects, copies, tags and the bucket itself. Multipart uploads are in s3-multipart.ts. */
import { createHash } from "node:crypto";
import {
  type CopyRequest,
  type DeleteItem,
  type DeleteOutcome,
  isRinglightError,
  type ObjectAttributes,
  type ObjectChecksums,
  type ObjectTag,
  type PartPlace,
  type PutRequest,
  RinglightError,
  Stop,
  toRinglightError,
  type UfsCallOptions,
  type UfsObservation,
  type UfsWrites,
  type WriteConditions,
  type WriteResult,
} from "@ringlight/core";
import { Observed } from "./call.ts";
import { ConnectionLimit } from "./connection-limit.ts";
import type { CredentialsSource } from "./credentials.ts";
import type { UfsLimits } from "./options.ts";
import { describe } from "./s3-errors.ts";
import type { S3Location } from "./s3-location.ts";
import { etagOf, metaOf } from "./s3-meta.ts";
import { checksumElements, S3Multipart } from "./s3-multipart.ts";
import {
  checksums,
  checksumsOf,
  clientHeaders,
  conditionHeaders,
  copySource,
  isConditional,
  settingsHeaders,
  sourceHeaders,
} from "./s3-write-headers.ts";
import { type RunWrite, S3WriteHttp } from "./s3-write-http.ts";
import { documentOf, element, elementsOf, isXmlText, textOf } from "./s3-xml.ts";

/** Copies and completions move up to 5 TiB inside of the store before they answer. */
const SLOW_ANSWER_MS = 15 * 60_000;
/** Deletes of keys that XML cannot carry, at once. */
const SINGLE_DELETES_AT_ONCE = 8;

const WITH_CHECKSUMS = { "x-amz-checksum-mode": "ENABLED" };

/** For callers that never leave. */
const NEVER = new Stop();

/** The writes of an s3:// mount. */
export class S3Writes extends S3Multipart implements UfsWrites {
  readonly #location: S3Location;
  readonly #http: S3WriteHttp;
  /** The store was seen to keep checksums. */
  #keepsChecksums = false;
  /** The store was not seen to fail over the question for an object's parts. */
  #tellsParts = true;

  constructor(
    location: S3Location,
    credentials: CredentialsSource,
    limits: UfsLimits,
    observe: ((observation: UfsObservation) => void) | undefined,
  ) {
    const http = new S3WriteHttp(location, credentials, limits.stallTimeoutMs);
    const connections = new ConnectionLimit(limits.maxConnections, limits.maxQueued);
    const run: RunWrite = (op, verb, ask, options) => {
      const operation = `${verb} ${JSON.stringify(location.prefix + (ask.key ?? ""))}`;
      const observed = new Observed(op, observe);
      return observed.run(async () => {
        const signal = options?.signal ?? NEVER;
        const release = await connections.take(signal);
        try {
          const answerMs = ask.slow ? SLOW_ANSWER_MS : limits.timeoutMs;
          const answer = await http.send({ ...ask, operation, answerMs }, signal);
          observed.bytes = ask.body instanceof Uint8Array ? 0 : (ask.body?.sizeBytes ?? 0);
          return answer;
        } finally {
          release();
        }
      });
    };
    super(location, run);
    this.#location = location;
    this.#http = http;
  }

  /** Ends what is under way. Idempotent. */
  close(): void {
    this.#http.close(new RinglightError("RL_CANCELLED", `the mount of bucket "${this.#location.bucket}" was closed`));
  }

  async put(key: string, request: PutRequest, options?: UfsCallOptions): Promise<WriteResult> {
    const { body, settings, conditions } = request;
    const headers = { ...settingsHeaders(settings), ...conditionHeaders(conditions) };
    const repeatable = !isConditional(conditions);
    // A store that tells of the checksum keeps it.
    const notesChecksum = body.checksum !== undefined && !this.#location.checksumTrailers && !this.#keepsChecksums;
    const ask = { method: "PUT", key, headers, body, repeatable, notesChecksum } as const;
    const answer = await this.run("put", "PUT", ask, options).catch(async (error: unknown) => {
      // Some stores (radosgw 16) call it a condition that does not hold when there is nothing to match.
      if (conditions?.ifMatch !== undefined && isRinglightError(error, "RL_PRECONDITION_FAILED")) {
        await this.checkConditions(key, conditions, options);
      }
      throw error;
    });
    if (checksumsOf(answer.headers) !== undefined) this.#keepsChecksums = true;
    const etag = this.#etag(answer.headers.etag, "PUT");
    const value = body.checksum?.value();
    const kept =
      checksumsOf(answer.headers) ??
      (body.checksum && value !== undefined
        ? checksums({ [body.checksum.algorithm]: value }, "FULL_OBJECT")
        : undefined);
    return {
      version: etag,
      etag,
      sizeBytes: body.sizeBytes,
      ...(kept && { checksums: kept }),
      ...clientHeaders(answer.headers),
    };
  }

  async copy(key: string, request: CopyRequest, options?: UfsCallOptions): Promise<WriteResult> {
    const { settings, tagging, conditions, checksumAlgorithm, sourceConditions } = request;
    // The source of another mount is asked for by whoever knows that mount.
    if (sourceConditions !== undefined && request.sourceUri === undefined)
      await this.checkSource(request.sourceKey, sourceConditions, options);
    await this.checkConditions(key, conditions, options);
    const headers: Record<string, string> = {
      ...settingsHeaders(settings),
      ...request.headers,
      ...sourceHeaders(request.sourceConditions),
      ...conditionHeaders(conditions),
      "x-amz-copy-source": copySource(this.#location, request.sourceKey, request.sourceUri),
      ...(settings !== undefined && { "x-amz-metadata-directive": "REPLACE" }),
      ...(tagging !== undefined && { "x-amz-tagging-directive": "REPLACE", "x-amz-tagging": tagging }),
      ...(checksumAlgorithm !== undefined && { "x-amz-checksum-algorithm": checksumAlgorithm }),
    };
    const ask = { method: "PUT", key, headers, repeatable: !isConditional(conditions), slow: true } as const;
    const answer = await this.run("copy", "copy to", ask, options);
    const etag = this.#etag(textOf(answer.text, "ETag"), "copy");
    const modifiedMs = Date.parse(textOf(answer.text, "LastModified") ?? "");
    const kept = checksumsOf(answer.headers);
    if (tagging !== undefined) await this.#seeToTags(key, tagging, options);
    return {
      version: etag,
      etag,
      ...(!Number.isNaN(modifiedMs) && { modifiedMs }),
      ...(kept && { checksums: kept }),
      ...clientHeaders(answer.headers),
    };
  }

  /** Some stores (radosgw 16) overlook that a copy is to have other tags than its source. */
  async #seeToTags(key: string, tagging: string, options: UfsCallOptions | undefined): Promise<void> {
    const wanted = [...new URLSearchParams(tagging)].map(([name, value]) => ({ key: name, value }));
    const text = (tags: readonly ObjectTag[]) => JSON.stringify(tags.map((tag) => [tag.key, tag.value]).sort());
    if (text(await this.getTagging(key, options)) === text(wanted)) return;
    await this.putTagging(key, wanted, options);
  }

  async delete(key: string, conditions?: WriteConditions, options?: UfsCallOptions): Promise<void> {
    const headers = conditionHeaders(conditions);
    const repeatable = !isConditional(conditions);
    await this.checkConditions(key, conditions, options);
    try {
      await this.run("delete", "DELETE", { method: "DELETE", key, headers, repeatable }, options);
    } catch (error) {
      // Some stores say so; S3 itself does not.
      if (!repeatable || !isRinglightError(error, "RL_NOT_FOUND")) throw error;
    }
  }

  async deleteMany(items: readonly DeleteItem[], options?: UfsCallOptions): Promise<DeleteOutcome[]> {
    const { prefix } = this.#location;
    const together = items.filter(({ key, ifMatch }) => key !== "" && ifMatch === undefined && isXmlText(key));
    const failed = new Map<DeleteItem, DeleteOutcome["error"]>();
    if (together.length > 0) {
      const rows = together.map(({ key }) => `<Object>${element("Key", prefix + key)}</Object>`);
      const body = documentOf("Delete", `<Quiet>true</Quiet>${rows.join("")}`);
      const headers = {
        "content-type": "application/xml",
        "content-md5": createHash("md5").update(body).digest("base64"),
      };
      const query = [["delete", ""]] as const;
      const ask = { method: "POST", key: undefined, query, headers, body, repeatable: true } as const;
      const answer = await this.run("delete", "delete objects in", ask, options);
      const byKey = new Map(together.map((item) => [prefix + item.key, item]));
      for (const row of elementsOf(answer.text, "Error")) {
        const item = byKey.get(textOf(row, "Key") ?? "");
        const code = textOf(row, "Code") ?? "InternalError";
        if (item !== undefined) failed.set(item, { code, message: textOf(row, "Message") ?? code });
      }
    }
    const alone = items.filter((item) => !together.includes(item));
    const work = async () => {
      for (let item = alone.pop(); item !== undefined; item = alone.pop()) {
        try {
          await this.delete(item.key, item.ifMatch === undefined ? undefined : { ifMatch: item.ifMatch }, options);
        } catch (error) {
          const { s3, info, message } = toRinglightError(error);
          failed.set(item, { code: s3?.code ?? info.s3, message: s3?.message ?? message });
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(SINGLE_DELETES_AT_ONCE, alone.length) }, work));
    return items.map((item) => {
      const error = failed.get(item);
      return { key: item.key, ...(error && { error }) };
    });
  }

  async getTagging(key: string, options?: UfsCallOptions): Promise<ObjectTag[]> {
    const ask = { method: "GET", key, query: [["tagging", ""]], repeatable: true } as const;
    const { text } = await this.run("tagging", "tags of", ask, options);
    return elementsOf(text, "Tag").map((tag) => ({ key: textOf(tag, "Key") ?? "", value: textOf(tag, "Value") ?? "" }));
  }

  async putTagging(key: string, tags: readonly ObjectTag[], options?: UfsCallOptions): Promise<void> {
    const rows = tags.map((tag) => `<Tag>${element("Key", tag.key)}${element("Value", tag.value)}</Tag>`);
    const body = documentOf("Tagging", `<TagSet>${rows.join("")}</TagSet>`);
    const headers = {
      "content-type": "application/xml",
      "content-md5": createHash("md5").update(body).digest("base64"),
    };
    const ask = { method: "PUT", key, query: [["tagging", ""]], headers, body, repeatable: true } as const;
    await this.run("tagging", "tags of", ask, options);
  }

  async deleteTagging(key: string, options?: UfsCallOptions): Promise<void> {
    const ask = { method: "DELETE", key, query: [["tagging", ""]], repeatable: true } as const;
    await this.run("tagging", "tags of", ask, options);
  }

  async headPart(key: string, partNumber: number, options?: UfsCallOptions): Promise<PartPlace> {
    const query = [["partNumber", String(partNumber)]] as const;
    const { headers } = await this.run(
      "head",
      "HEAD of a part of",
      { method: "HEAD", key, query, headers: WITH_CHECKSUMS, repeatable: true },
      options,
    );
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers["content-range"] ?? "");
    const count = headers["x-amz-mp-parts-count"];
    const sizeBytes = Number(range?.[3] ?? headers["content-length"] ?? Number.NaN);
    const meta = metaOf(headers, sizeBytes, describe(this.#location, `HEAD ${JSON.stringify(key)}`));
    if (range !== null) {
      return {
        meta,
        range: { start: Number(range[1]), end: Number(range[2]) },
        ...(count !== undefined && { partsCount: Number(count) }),
        ...(meta.checksums && { checksums: meta.checksums }),
      };
    }
    // The object has no parts, or the store knows nothing of them: then all of it is its first.
    if (partNumber !== 1) throw new RinglightError("RL_BAD_RANGE", `the object has no part ${partNumber}`);
    return { meta, ...(sizeBytes > 0 && { range: { start: 0, end: sizeBytes - 1 } }) };
  }

  async attributes(key: string, options?: UfsCallOptions): Promise<ObjectAttributes> {
    const ask = { method: "HEAD", key, headers: WITH_CHECKSUMS, repeatable: true } as const;
    const { headers } = await this.run("head", "HEAD", ask, options);
    const what = describe(this.#location, `HEAD ${JSON.stringify(key)}`);
    const meta = metaOf(headers, Number(headers["content-length"] ?? Number.NaN), what);
    if (!this.#tellsParts || !/-\d+"$/.test(meta.etag)) return { meta };
    try {
      const parts = await this.#partsOf(key, options);
      return { meta, ...(parts.length > 0 && { parts }) };
    } catch (error) {
      if (!isRinglightError(error, "RL_NOT_IMPLEMENTED") && !isRinglightError(error, "RL_UFS_ERROR")) throw error;
      // The store knows no such question (radosgw 16 fails over it), and is not asked again.
      this.#tellsParts = false;
      return { meta };
    }
  }

  async #partsOf(key: string, options: UfsCallOptions | undefined): Promise<NonNullable<ObjectAttributes["parts"]>> {
    const parts: { partNumber: number; sizeBytes: number; checksums?: ObjectChecksums["values"] }[] = [];
    for (let marker = "0"; ; ) {
      const headers = { "x-amz-object-attributes": "ObjectParts", "x-amz-part-number-marker": marker };
      const ask = { method: "GET", key, query: [["attributes", ""]], headers, repeatable: false } as const;
      const { text } = await this.run("head", "attributes of", ask, options);
      for (const row of elementsOf(text, "Part")) {
        const place = { partNumber: Number(textOf(row, "PartNumber")), sizeBytes: Number(textOf(row, "Size")) };
        const kept = checksumElements(row);
        parts.push({ ...place, ...(Object.keys(kept).length > 0 && { checksums: kept }) });
      }
      const next = textOf(text, "NextPartNumberMarker");
      if (textOf(text, "IsTruncated") !== "true" || next === undefined || Number(next) <= Number(marker)) return parts;
      marker = next;
    }
  }

  async createBucket(options?: UfsCallOptions): Promise<void> {
    this.#requireWholeBucket();
    const { region, endpoint } = this.#location;
    const isNamed = endpoint === undefined && region !== "us-east-1";
    const body = isNamed ? documentOf("CreateBucketConfiguration", element("LocationConstraint", region)) : undefined;
    await this.run(
      "bucket",
      "create",
      { method: "PUT", key: undefined, ...(body && { body }), repeatable: false },
      options,
    );
  }

  async deleteBucket(options?: UfsCallOptions): Promise<void> {
    this.#requireWholeBucket();
    await this.run("bucket", "delete", { method: "DELETE", key: undefined, repeatable: false }, options);
  }

  #requireWholeBucket(): void {
    if (this.#location.prefix === "") return;
    throw new RinglightError(
      "RL_FORBIDDEN",
      "the mount is a prefix of a bucket, which is neither made nor removed through it",
    );
  }

  #etag(raw: string | undefined, operation: string): string {
    const etag = etagOf(raw);
    if (etag !== undefined) return etag;
    throw new RinglightError("RL_UFS_ERROR", `the store sent no ETag: ${describe(this.#location, operation)}`);
  }
}
