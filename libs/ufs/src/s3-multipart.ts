/** Multipart uploads to s3:// mounts, passed through to the store's own. */
import {
  type ChecksumAlgorithm,
  type CompleteRequest,
  type CreatedUpload,
  type CreateUploadRequest,
  isRinglightError,
  type ListUploadsRequest,
  type ObjectChecksums,
  type PartCopyRequest,
  type PartsPage,
  RinglightError,
  type SourceConditions,
  type UfsCallOptions,
  type UfsWriteBody,
  type UploadsPage,
  type WriteConditions,
  type WriteResult,
  type WrittenPart,
} from "@ringlight/core";
import { multipartEtag } from "./multipart-etag.ts";
import { describe } from "./s3-errors.ts";
import type { S3Location } from "./s3-location.ts";
import { etagOf } from "./s3-meta.ts";
import {
  ALGORITHMS,
  checksumHeader,
  checksums,
  checksumsOf,
  clientHeaders,
  conditionHeaders,
  copySource,
  isConditional,
  settingsHeaders,
  sourceHeaders,
} from "./s3-write-headers.ts";
import type { Ask, RunWrite } from "./s3-write-http.ts";
import { documentOf, element, elementsOf, textOf } from "./s3-xml.ts";
import { checkWriteConditions, holdForSource } from "./write-conditions.ts";

/** Multipart uploads of one mount. */
export class S3Multipart {
  /** Runs one operation on the store. */
  protected readonly run: RunWrite;
  readonly #where: S3Location;

  constructor(location: S3Location, run: RunWrite) {
    this.#where = location;
    this.run = run;
  }

  async createUpload(key: string, request: CreateUploadRequest, options?: UfsCallOptions): Promise<CreatedUpload> {
    const { settings, checksumAlgorithm, checksumType } = request;
    const headers: Record<string, string> = {
      ...settingsHeaders(settings),
      ...(checksumAlgorithm !== undefined && { "x-amz-checksum-algorithm": checksumAlgorithm }),
      ...(checksumType !== undefined && { "x-amz-checksum-type": checksumType }),
    };
    // Sent once: an upload that was begun unseen would stay for ever.
    const ask = { method: "POST", key, query: [["uploads", ""]], headers, repeatable: false } as const;
    const answer = await this.run("multipart", "begin an upload of", ask, options);
    const uploadId = textOf(answer.text, "UploadId");
    if (uploadId === undefined || uploadId === "") throw this.#unclear("the store sent no upload id", key);
    return { uploadId, ...clientHeaders(answer.headers) };
  }

  async uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UfsWriteBody,
    options?: UfsCallOptions & { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<WrittenPart> {
    const ask = {
      method: "PUT",
      key,
      query: partQuery(uploadId, partNumber),
      headers: options?.headers ?? {},
      body,
      repeatable: true,
    } as const;
    const { headers } = await this.#ofUpload(`part ${partNumber} of`, ask, options);
    const etag = etagOf(headers.etag);
    if (etag === undefined) throw this.#unclear("the store sent no ETag of the part", key);
    const value = body.checksum?.value();
    const kept =
      checksumsOf(headers) ??
      (body.checksum && value !== undefined ? checksums({ [body.checksum.algorithm]: value }, undefined) : undefined);
    return { etag, ...(kept && { checksums: kept }), ...clientHeaders(headers) };
  }

  async uploadPartCopy(
    key: string,
    uploadId: string,
    partNumber: number,
    request: PartCopyRequest,
    options?: UfsCallOptions,
  ): Promise<WrittenPart> {
    const { range, sourceConditions } = request;
    if (sourceConditions !== undefined && request.sourceUri === undefined)
      await this.checkSource(request.sourceKey, sourceConditions, options);
    const headers: Record<string, string> = {
      ...request.headers,
      ...sourceHeaders(request.sourceConditions),
      "x-amz-copy-source": copySource(this.#where, request.sourceKey, request.sourceUri),
      ...(range !== undefined && { "x-amz-copy-source-range": `bytes=${range.start}-${range.end}` }),
    };
    const query = partQuery(uploadId, partNumber);
    const ask = { method: "PUT", key, query, headers, repeatable: true, slow: true } as const;
    const answer = await this.run("multipart", `part ${partNumber} of`, ask, options);
    const etag = etagOf(textOf(answer.text, "ETag"));
    if (etag === undefined) throw this.#unclear("the store sent no ETag of the part", key);
    const modifiedMs = Date.parse(textOf(answer.text, "LastModified") ?? "");
    return { etag, ...(!Number.isNaN(modifiedMs) && { modifiedMs }), ...clientHeaders(answer.headers) };
  }

  async listParts(
    key: string,
    uploadId: string,
    page: { readonly partNumberMarker: number; readonly maxParts: number },
    options?: UfsCallOptions,
  ): Promise<PartsPage> {
    const query = [
      ["max-parts", String(page.maxParts)],
      ["part-number-marker", String(page.partNumberMarker)],
      ["uploadId", uploadId],
    ] as const;
    const { text } = await this.#ofUpload("parts of", { method: "GET", key, query, repeatable: true }, options);
    const parts = elementsOf(text, "Part").map((part) => {
      const kept = checksums(checksumElements(part), undefined);
      return {
        partNumber: Number(textOf(part, "PartNumber")),
        etag: etagOf(textOf(part, "ETag")) ?? '""',
        sizeBytes: Number(textOf(part, "Size")),
        modifiedMs: Date.parse(textOf(part, "LastModified") ?? "") || 0,
        ...(kept && { checksums: kept }),
      };
    });
    const storageClass = textOf(text, "StorageClass");
    return {
      parts,
      truncated: textOf(text, "IsTruncated") === "true",
      nextPartNumberMarker: Number(textOf(text, "NextPartNumberMarker") ?? parts.at(-1)?.partNumber ?? 0),
      ...(storageClass !== undefined && { storageClass }),
      ...checksumOfUpload(text.replace(/<Part>.*<\/Part>/s, "")),
    };
  }

  async completeUpload(
    key: string,
    uploadId: string,
    request: CompleteRequest,
    options?: UfsCallOptions,
  ): Promise<WriteResult> {
    const { conditions, sizeBytes } = request;
    await this.checkConditions(key, conditions, options);
    if (sizeBytes !== undefined) await this.#checkSize(key, uploadId, request.parts, sizeBytes, options);
    const rows = request.parts.map((part) => {
      const sums = Object.entries(part.checksums ?? {}).map(([name, value]) => element(`Checksum${name}`, value));
      return `<Part>${element("PartNumber", part.partNumber)}${element("ETag", part.etag)}${sums.join("")}</Part>`;
    });
    const body = documentOf("CompleteMultipartUpload", rows.join(""));
    const headers: Record<string, string> = {
      "content-type": "application/xml",
      ...conditionHeaders(conditions),
      ...(sizeBytes !== undefined && { "x-amz-mp-object-size": String(sizeBytes) }),
      ...(request.checksums && { "x-amz-checksum-type": request.checksums.type }),
    };
    for (const algorithm of ALGORITHMS) {
      const value = request.checksums?.values[algorithm];
      if (value !== undefined) headers[checksumHeader(algorithm)] = value;
    }
    // Sent once: after a completion that was not seen, the store knows the upload no more.
    const ask = {
      method: "POST",
      key,
      query: [["uploadId", uploadId]],
      headers,
      body,
      repeatable: false,
      slow: true,
    } as const;
    const answer = await this.#ofUpload("complete the upload of", ask, options).catch(async (error: unknown) => {
      // Some stores (radosgw 16) fail obscurely over an upload that was aborted or completed: then it is not there.
      if (isRinglightError(error, "RL_UFS_ERROR")) {
        await this.listParts(key, uploadId, { partNumberMarker: 0, maxParts: 1 }, options);
      }
      throw error;
    });
    // Some stores (radosgw 16) leave the element empty.
    const etag = etagOf(textOf(answer.text, "ETag")) ?? multipartEtag(request.parts.map((part) => part.etag));
    if (etag === undefined) throw this.#unclear("the store sent no ETag of the object", key);
    const kept = checksums(checksumElements(answer.text), textOf(answer.text, "ChecksumType"));
    return { version: etag, etag, ...(kept && { checksums: kept }), ...clientHeaders(answer.headers) };
  }

  /** Some stores (radosgw 16) overlook the size that the object is to have. @throws RL_BAD_REQUEST */
  async #checkSize(
    key: string,
    uploadId: string,
    named: CompleteRequest["parts"],
    sizeBytes: number,
    options: UfsCallOptions | undefined,
  ): Promise<void> {
    const numbers = new Set(named.map((part) => part.partNumber));
    let sum = 0;
    for (let partNumberMarker = 0; ; ) {
      const page = await this.listParts(key, uploadId, { partNumberMarker, maxParts: 1000 }, options);
      for (const part of page.parts) if (numbers.has(part.partNumber)) sum += part.sizeBytes;
      if (!page.truncated || page.nextPartNumberMarker <= partNumberMarker) break;
      partNumberMarker = page.nextPartNumberMarker;
    }
    if (sum === sizeBytes) return;
    throw new RinglightError("RL_BAD_REQUEST", `the parts have ${sum} bytes, not ${sizeBytes}`);
  }

  /** Some stores (radosgw 16) overlook conditions on the source of a copy. */
  protected async checkSource(
    key: string,
    conditions: SourceConditions,
    options: UfsCallOptions | undefined,
  ): Promise<void> {
    const ask = { method: "HEAD", key, repeatable: true } as const;
    const { headers } = await this.run("head", "HEAD of the source", ask, options);
    const etag = etagOf(headers.etag);
    if (etag === undefined) throw this.#unclear("the store sent no ETag of the source", key);
    if (holdForSource(conditions, { etag, modifiedMs: Date.parse(headers["last-modified"] ?? "") })) return;
    throw new RinglightError("RL_PRECONDITION_FAILED", `the source "${key}" does not meet the copy's conditions`);
  }

  /** Some stores (radosgw 16) overlook conditions of copies, completions and deletes: they are looked at before, too. */
  protected async checkConditions(
    key: string,
    conditions: WriteConditions | undefined,
    options: UfsCallOptions | undefined,
  ): Promise<void> {
    if (!isConditional(conditions)) return;
    const current = await this.run("head", "HEAD", { method: "HEAD", key, repeatable: true }, options).then(
      ({ headers }) => ({ etag: etagOf(headers.etag) ?? "" }),
      (error: unknown) => {
        if (isRinglightError(error, "RL_NOT_FOUND")) return undefined;
        throw error;
      },
    );
    checkWriteConditions(conditions, current, key);
  }

  async abortUpload(key: string, uploadId: string, options?: UfsCallOptions): Promise<void> {
    const ask = { method: "DELETE", key, query: [["uploadId", uploadId]], repeatable: true } as const;
    await this.#ofUpload("abort the upload of", ask, options);
  }

  async listUploads(request: ListUploadsRequest, options?: UfsCallOptions): Promise<UploadsPage> {
    const page = await this.#listUploads(request, options);
    if (request.delimiter === "" || page.commonPrefixes.length > 0) return page;
    // Some stores (radosgw 16) leave out what is rolled up: one look without the delimiter shows whether there is such.
    return rolledUp(request, (flat) => this.#listUploads(flat, options));
  }

  async #listUploads(request: ListUploadsRequest, options: UfsCallOptions | undefined): Promise<UploadsPage> {
    const { prefix } = this.#where;
    const given: [string, string][] = [
      ["delimiter", request.delimiter],
      ["encoding-type", "url"],
      ["key-marker", request.keyMarker === "" ? "" : prefix + request.keyMarker],
      ["max-uploads", String(request.maxUploads)],
      ["prefix", prefix + request.prefix],
      ["upload-id-marker", request.uploadIdMarker],
    ];
    const query: (readonly [string, string])[] = [...given.filter(([, value]) => value !== ""), ["uploads", ""]];
    const ask = { method: "GET", key: undefined, query, repeatable: true } as const;
    const { text } = await this.run("multipart", "uploads in", ask, options);
    const encoded = textOf(text, "EncodingType") === "url";
    const own = (raw: string | undefined) => {
      const key = encoded ? decode(raw ?? "") : (raw ?? "");
      return key.startsWith(prefix) ? key.slice(prefix.length) : "";
    };
    const uploads = elementsOf(text, "Upload").map((row) => {
      const storageClass = textOf(row, "StorageClass");
      return {
        key: own(textOf(row, "Key")),
        uploadId: textOf(row, "UploadId") ?? "",
        initiatedMs: Date.parse(textOf(row, "Initiated") ?? "") || 0,
        ...(storageClass !== undefined && { storageClass }),
        ...checksumOfUpload(row),
      };
    });
    const truncated = textOf(text, "IsTruncated") === "true";
    const rolled = elementsOf(text, "CommonPrefixes").map((row) => own(textOf(row, "Prefix")));
    return {
      uploads,
      commonPrefixes: rolled,
      truncated,
      nextKeyMarker: truncated ? own(textOf(text, "NextKeyMarker")) : "",
      nextUploadIdMarker: truncated ? (textOf(text, "NextUploadIdMarker") ?? "") : "",
    };
  }

  /** An operation on an upload that was begun: whatever the store calls it, what is missing is the upload. */
  async #ofUpload(verb: string, ask: Ask, options: UfsCallOptions | undefined): ReturnType<RunWrite> {
    try {
      return await this.run("multipart", verb, ask, options);
    } catch (error) {
      if (!isRinglightError(error, "RL_NOT_FOUND")) throw error;
      throw new RinglightError("RL_NO_SUCH_UPLOAD", error.message, { cause: error });
    }
  }

  #unclear(what: string, key: string): RinglightError {
    return new RinglightError("RL_UFS_ERROR", `${what}: ${describe(this.#where, JSON.stringify(key))}`);
  }
}

function partQuery(uploadId: string, partNumber: number): readonly (readonly [string, string])[] {
  return [
    ["partNumber", String(partNumber)],
    ["uploadId", uploadId],
  ];
}

/**
 * Rolls a listing of uploads up by itself: uploads in order, with one row for each common prefix. Page by page until as much is
 * found as was asked for, or there is no more.
 */
async function rolledUp(
  request: ListUploadsRequest,
  list: (flat: ListUploadsRequest) => Promise<UploadsPage>,
): Promise<UploadsPage> {
  const { prefix, delimiter, maxUploads } = request;
  const uploads: UploadsPage["uploads"][number][] = [];
  const rolled = new Set<string>();
  let { keyMarker, uploadIdMarker } = request;
  for (;;) {
    const page = await list({ ...request, delimiter: "", keyMarker, uploadIdMarker, maxUploads: 1000 });
    for (const upload of page.uploads) {
      const at = upload.key.indexOf(delimiter, prefix.length);
      const common = at === -1 ? undefined : upload.key.slice(0, at + delimiter.length);
      const isSeen = common !== undefined && (rolled.has(common) || request.keyMarker.startsWith(common));
      if (!isSeen && uploads.length + rolled.size >= maxUploads) {
        const next = { nextKeyMarker: keyMarker, nextUploadIdMarker: uploadIdMarker };
        return { uploads, commonPrefixes: [...rolled], truncated: true, ...next };
      }
      if (common === undefined) uploads.push(upload);
      else if (!isSeen) rolled.add(common);
      keyMarker = upload.key;
      uploadIdMarker = upload.uploadId;
    }
    const isLast = !page.truncated || page.uploads.length === 0;
    if (isLast) {
      return { uploads, commonPrefixes: [...rolled], truncated: false, nextKeyMarker: "", nextUploadIdMarker: "" };
    }
  }
}

/** What an upload was begun with. */
function checksumOfUpload(xml: string): Pick<PartsPage, "checksumAlgorithm" | "checksumType"> {
  const algorithm = ALGORITHMS.find((name) => name === textOf(xml, "ChecksumAlgorithm"));
  const type = textOf(xml, "ChecksumType");
  return {
    ...(algorithm !== undefined && { checksumAlgorithm: algorithm }),
    ...((type === "COMPOSITE" || type === "FULL_OBJECT") && { checksumType: type }),
  };
}

/** Checksums by the names of their elements. */
export function checksumElements(xml: string): ObjectChecksums["values"] {
  const values: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of ALGORITHMS) {
    const value = textOf(xml, `Checksum${algorithm}`);
    if (value !== undefined) values[algorithm] = value;
  }
  return values;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
