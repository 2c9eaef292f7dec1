/** Multipart uploads. */
import { isCrc } from "@ringlight/checksum";
import { type ChecksumAlgorithm, type ObjectChecksums, type PartsPage, RinglightError } from "@ringlight/core";
import { encodeName, isUrlEncoded, OWNER, parseCount } from "../listing.ts";
import { S3Error } from "../s3-error.ts";
import { element, parent, xmlDocument, xmlTime } from "../xml.ts";
import {
  checksumResponseHeaders,
  checksumType,
  givenChecksums,
  headerText,
  namedAlgorithm,
} from "./checksum-headers.ts";
import { copySource, copySourceRange } from "./copy-source.ts";
import { parseComplete } from "./documents.ts";
import { objectSettings, storeHeaders, taggingHeader, writeConditions } from "./object-settings.ts";
import { checksumElements } from "./put-object.ts";
import { answerSlowly } from "./slow-answer.ts";
import { accessDenied, bodyOf, documentOf, hasNoBody, passedHeaders, type WriteCall } from "./write-call.ts";

const MAX_PARTS = 10_000;
/** A completion without a document names no parts, which is what it is told. */
const NOTHING = new Uint8Array();
const INITIATOR = parent("Initiator", element("ID", "ringlight"), element("DisplayName", "ringlight"));

/** The type that an upload's checksum has where the client named none. */
function defaultType(algorithm: ChecksumAlgorithm): ObjectChecksums["type"] {
  return algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE";
}

/** Elements of what an upload was begun with. */
function checksumOfUpload(upload: Pick<PartsPage, "checksumAlgorithm" | "checksumType">): string {
  const { checksumAlgorithm: algorithm, checksumType: type } = upload;
  if (algorithm === undefined) return "";
  return element("ChecksumAlgorithm", algorithm) + element("ChecksumType", type ?? defaultType(algorithm));
}

/** Serves CreateMultipartUpload. */
export async function createUpload(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  const { headers } = exchange.req;
  const tagging = taggingHeader(headers);
  if (tagging !== undefined && !call.allows("s3:PutObjectTagging", target.bucket, target.key)) throw accessDenied();
  const settings = { ...objectSettings(headers), ...(tagging !== undefined && { tagging }) };
  const algorithm = namedAlgorithm(headers, "x-amz-checksum-algorithm");
  const type = checksumType(headers);
  if (type !== undefined && algorithm === undefined) {
    throw new S3Error(
      "InvalidRequest",
      "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
    );
  }
  const impossible =
    algorithm !== undefined &&
    ((type === "FULL_OBJECT" && !isCrc(algorithm)) || (type === "COMPOSITE" && algorithm === "CRC64NVME"));
  if (impossible) {
    throw new S3Error(
      "InvalidRequest",
      `The ${type} checksum type cannot be used with the ${algorithm?.toLowerCase()} checksum algorithm.`,
    );
  }
  const created = await writes.createUpload(
    target.bucket,
    target.key,
    { settings, ...(algorithm && { checksumAlgorithm: algorithm }), ...(type && { checksumType: type }) },
    context,
  );
  const document = xmlDocument(
    "InitiateMultipartUploadResult",
    element("Bucket", target.bucket),
    element("Key", target.key),
    element("UploadId", created.uploadId),
  );
  exchange.sendXml(200, document, {
    ...(algorithm && {
      "x-amz-checksum-algorithm": algorithm,
      "x-amz-checksum-type": type ?? defaultType(algorithm),
    }),
    ...passedHeaders(created.headers),
  });
}

function uploadId(call: WriteCall): string {
  const id = call.target.query.get("uploadId") ?? "";
  if (id === "") {
    throw new RinglightError("RL_NO_SUCH_UPLOAD", "The specified upload does not exist.");
  }
  return id;
}

function partNumber(call: WriteCall): number {
  const text = call.target.query.get("partNumber") ?? "";
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > MAX_PARTS) {
    throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", {
      ArgumentName: "partNumber",
      ArgumentValue: text,
    });
  }
  return number;
}

/** Serves UploadPart. */
export async function uploadPart(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  // Refuses keys of the client, which a part may bring too.
  storeHeaders(exchange.req.headers);
  const part = { uploadId: uploadId(call), partNumber: partNumber(call) };
  const body = await bodyOf(call);
  const result = await writes.uploadPart(target.bucket, target.key, { ...part, body }, context);
  const headers: Record<string, string> = {
    ETag: result.etag,
    ...checksumResponseHeaders(result.checksums),
    ...passedHeaders(result.headers),
  };
  delete headers["x-amz-checksum-type"];
  exchange.send(200, headers, undefined);
}

/** Serves UploadPartCopy. */
export async function uploadPartCopy(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  const { headers } = exchange.req;
  storeHeaders(headers);
  const part = { uploadId: uploadId(call), partNumber: partNumber(call) };
  const source = copySource(headers);
  if (!call.allows("s3:GetObject", source.bucket, source.key)) throw accessDenied();
  const range = copySourceRange(headers);
  await answerSlowly(call, async () => {
    const result = await writes.uploadPartCopy(
      target.bucket,
      target.key,
      {
        ...part,
        sourceBucket: source.bucket,
        sourceKey: source.key,
        sourceConditions: source.conditions,
        ...(range && { range }),
      },
      context,
    );
    const document = xmlDocument(
      "CopyPartResult",
      element("LastModified", xmlTime(result.modifiedMs ?? Date.now())),
      element("ETag", result.etag),
      checksumElements(result.checksums, false),
    );
    return { document, headers: passedHeaders(result.headers) };
  });
}

/** Serves ListParts. */
export async function listParts(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  const id = uploadId(call);
  const urlEncoded = isUrlEncoded(target.query);
  const maxParts = parseCount("max-parts", target.query);
  const after = parseCount("part-number-marker", target.query, 0, Number.MAX_SAFE_INTEGER);
  // Asking for nothing still asks whether there is such an upload.
  const page = await writes.listParts(
    target.bucket,
    target.key,
    { uploadId: id, partNumberMarker: after, maxParts: Math.max(1, maxParts) },
    context,
  );
  const parts = page.parts.slice(0, maxParts);
  const document = xmlDocument(
    "ListPartsResult",
    element("Bucket", target.bucket),
    element("Key", urlEncoded ? encodeName(target.key) : target.key),
    element("UploadId", id),
    INITIATOR,
    OWNER,
    element("StorageClass", page.storageClass ?? "STANDARD"),
    element("PartNumberMarker", after),
    element("NextPartNumberMarker", parts.at(-1)?.partNumber ?? 0),
    element("MaxParts", maxParts),
    urlEncoded ? element("EncodingType", "url") : "",
    element("IsTruncated", maxParts > 0 && page.truncated),
    checksumOfUpload(page),
    ...parts.map((part) =>
      parent(
        "Part",
        element("PartNumber", part.partNumber),
        element("LastModified", xmlTime(part.modifiedMs)),
        element("ETag", part.etag),
        element("Size", part.sizeBytes),
        checksumElements(part.checksums, false),
      ),
    ),
  );
  exchange.sendXml(200, document);
}

function objectSize(call: WriteCall): number | undefined {
  const text = headerText(call.exchange.req.headers, "x-amz-mp-object-size");
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw new S3Error("InvalidRequest", "Value for x-amz-mp-object-size header is invalid.");
  }
  return Number(text);
}

/** Serves CompleteMultipartUpload. */
export async function completeUpload(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  const { headers } = exchange.req;
  const id = uploadId(call);
  const values = givenChecksums(headers, true);
  const given = Object.values(values)[0];
  const type = checksumType(headers) ?? (given?.includes("-") ? "COMPOSITE" : "FULL_OBJECT");
  const checksums: ObjectChecksums | undefined = given === undefined ? undefined : { type, values };
  const sizeBytes = objectSize(call);
  const conditions = writeConditions(headers);
  // The checksum among the headers is that of the object, not of this document.
  const parts = parseComplete(hasNoBody(call) ? NOTHING : await documentOf(call, false));
  if (parts.some((part) => part.partNumber < 1 || part.partNumber > MAX_PARTS)) {
    throw new S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive", {
      ArgumentName: "partNumber",
    });
  }
  if (parts.some((part, index) => part.partNumber <= (parts[index - 1]?.partNumber ?? 0))) {
    throw new S3Error(
      "InvalidPartOrder",
      "The list of parts was not in ascending order. Parts must be ordered by part number.",
      { UploadId: id },
    );
  }
  await answerSlowly(call, async () => {
    const result = await writes.completeUpload(
      target.bucket,
      target.key,
      {
        uploadId: id,
        parts,
        conditions,
        ...(checksums && { checksums }),
        ...(sizeBytes !== undefined && { sizeBytes }),
      },
      context,
    );
    const host = exchange.req.headers.host ?? "localhost";
    const document = xmlDocument(
      "CompleteMultipartUploadResult",
      element("Location", `http://${host}${target.rawPath}`),
      element("Bucket", target.bucket),
      element("Key", target.key),
      element("ETag", result.etag),
      checksumElements(result.checksums),
    );
    return { document, headers: passedHeaders(result.headers) };
  });
}

/** Serves AbortMultipartUpload. */
export async function abortUpload(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  await writes.abortUpload(target.bucket, target.key, uploadId(call), context);
  exchange.send(204, {}, undefined);
}

/** Serves ListMultipartUploads. */
export async function listUploads(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  const { query } = target;
  const urlEncoded = isUrlEncoded(query);
  const name = urlEncoded ? encodeName : (text: string) => text;
  const maxUploads = parseCount("max-uploads", query);
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const keyMarker = query.get("key-marker") ?? "";
  const uploadIdMarker = keyMarker === "" ? "" : (query.get("upload-id-marker") ?? "");
  const page = await writes.listUploads(
    target.bucket,
    { prefix, delimiter, keyMarker, uploadIdMarker, maxUploads: Math.max(1, maxUploads) },
    context,
  );
  const empty = maxUploads === 0;
  const truncated = page.truncated && !empty;
  const document = xmlDocument(
    "ListMultipartUploadsResult",
    element("Bucket", target.bucket),
    element("KeyMarker", name(keyMarker)),
    element("UploadIdMarker", uploadIdMarker),
    truncated ? element("NextKeyMarker", name(page.nextKeyMarker)) : "",
    truncated ? element("NextUploadIdMarker", page.nextUploadIdMarker) : "",
    element("Prefix", name(prefix)),
    delimiter === "" ? "" : element("Delimiter", name(delimiter)),
    element("MaxUploads", maxUploads),
    urlEncoded ? element("EncodingType", "url") : "",
    element("IsTruncated", truncated),
    ...(empty ? [] : page.uploads).map((upload) =>
      parent(
        "Upload",
        element("Key", name(upload.key)),
        element("UploadId", upload.uploadId),
        INITIATOR,
        OWNER,
        element("StorageClass", upload.storageClass ?? "STANDARD"),
        element("Initiated", xmlTime(upload.initiatedMs)),
        checksumOfUpload(upload),
      ),
    ),
    ...(empty ? [] : page.commonPrefixes).map((each) => parent("CommonPrefixes", element("Prefix", name(each)))),
  );
  exchange.sendXml(200, document);
}
