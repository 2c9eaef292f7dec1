/** PutObject, CopyObject, DeleteObject and DeleteObjects. */
import { CHECKSUM_ALGORITHMS } from "@ringlight/checksum";
import type { ObjectChecksums } from "@ringlight/core";
import type { ReceivedHeaders } from "../conditions.ts";
import { checkVersionId } from "../object-headers.ts";
import { notImplemented, S3Error } from "../s3-error.ts";
import { checkKey } from "../target.ts";
import { element, parent, xmlDocument, xmlTime } from "../xml.ts";
import { checksumResponseHeaders, headerText, namedAlgorithm } from "./checksum-headers.ts";
import { copySource, replaces } from "./copy-source.ts";
import { parseDelete, quoted } from "./documents.ts";
import { objectSettings, storageClass, storeHeaders, taggingHeader, writeConditions } from "./object-settings.ts";
import { answerSlowly } from "./slow-answer.ts";
import { accessDenied, bodyOf, documentOf, passedHeaders, type WriteCall } from "./write-call.ts";

/** Refuses headers that S3 knows in directory buckets alone: passed over, they would make another request of this one. */
function refuseHeaders(headers: ReceivedHeaders, ...names: readonly string[]): void {
  const sent = names.find((name) => headers[name] !== undefined);
  if (sent !== undefined) throw notImplemented(`the header ${sent}`);
}

/** A part without its upload is none, and no object of its own. @throws S3Error InvalidArgument */
function refuseLoosePart(query: ReadonlyMap<string, string>): void {
  const partNumber = query.get("partNumber");
  if (partNumber === undefined) return;
  throw new S3Error("InvalidArgument", "This operation does not accept partNumber without uploadId", {
    ArgumentName: "partNumber",
    ArgumentValue: partNumber,
  });
}

/** Serves PutObject. */
export async function putObject(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  const { headers } = exchange.req;
  refuseHeaders(headers, "x-amz-write-offset-bytes");
  refuseLoosePart(target.query);
  const tagging = taggingHeader(headers);
  if (tagging !== undefined && !call.allows("s3:PutObjectTagging", target.bucket, target.key)) throw accessDenied();
  const settings = { ...objectSettings(headers), ...(tagging !== undefined && { tagging }) };
  const conditions = writeConditions(headers);
  const body = await bodyOf(call);
  const result = await writes.put(target.bucket, target.key, { body, settings, conditions }, context);
  exchange.send(
    200,
    { ETag: result.etag, ...checksumResponseHeaders(result.checksums), ...passedHeaders(result.headers) },
    undefined,
  );
}

/** Elements of checksums. */
export function checksumElements(checksums: ObjectChecksums | undefined, withType = true): string {
  if (!checksums) return "";
  const rows = CHECKSUM_ALGORITHMS.map((algorithm) => {
    const value = checksums.values[algorithm];
    return value === undefined ? "" : element(`Checksum${algorithm}`, value);
  }).join("");
  return rows === "" || !withType ? rows : rows + element("ChecksumType", checksums.type);
}

/** Serves CopyObject. */
export async function copyObject(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  const { headers } = exchange.req;
  refuseLoosePart(target.query);
  const source = copySource(headers);
  if (!call.allows("s3:GetObject", source.bucket, source.key)) throw accessDenied();
  const replacesMetadata = replaces(headers, "metadata");
  const replacesTags = replaces(headers, "tagging");
  const passed = storeHeaders(headers);
  const asked = storageClass(headers);
  const algorithm = namedAlgorithm(headers, "x-amz-checksum-algorithm");
  if (
    source.bucket === target.bucket &&
    source.key === target.key &&
    !replacesMetadata &&
    asked === undefined &&
    Object.keys(passed).length === 0
  ) {
    throw new S3Error(
      "InvalidRequest",
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
  await answerSlowly(call, async () => {
    const result = await writes.copy(
      target.bucket,
      target.key,
      {
        sourceBucket: source.bucket,
        sourceKey: source.key,
        sourceConditions: source.conditions,
        conditions: writeConditions(headers),
        ...(replacesMetadata
          ? { settings: objectSettings(headers) }
          : { headers: { ...passed, ...(asked !== undefined && { "x-amz-storage-class": asked }) } }),
        ...(replacesTags && { tagging: taggingHeader(headers) ?? "" }),
        ...(algorithm && { checksumAlgorithm: algorithm }),
      },
      context,
    );
    const document = xmlDocument(
      "CopyObjectResult",
      element("LastModified", xmlTime(result.modifiedMs ?? Date.now())),
      element("ETag", result.etag),
      checksumElements(result.checksums),
    );
    return { document, headers: passedHeaders(result.headers) };
  });
}

/** Serves DeleteObject. */
export async function deleteObject(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  checkVersionId(target.query);
  refuseHeaders(exchange.req.headers, "x-amz-if-match-size", "x-amz-if-match-last-modified-time");
  const ifMatch = headerText(exchange.req.headers, "if-match");
  await writes.delete(target.bucket, target.key, ifMatch === undefined ? {} : { ifMatch }, context);
  exchange.send(204, {}, undefined);
}

/** Serves DeleteObjects: each key has an outcome of its own. */
export async function deleteObjects(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  const { headers } = exchange.req;
  const proved = Object.keys(headers).some((name) => name === "content-md5" || name.startsWith("x-amz-checksum-"));
  if (!proved && headers["x-amz-trailer"] === undefined) {
    throw new S3Error("InvalidRequest", "Missing required header for this request: Content-MD5");
  }
  const { quiet, entries } = parseDelete(await documentOf(call));
  const rows: string[] = [];
  const refuse = (key: string, code: string, message: string, versionId?: string) => {
    rows.push(
      parent(
        "Error",
        element("Key", key),
        versionId === undefined ? "" : element("VersionId", versionId),
        element("Code", code),
        element("Message", message),
      ),
    );
  };
  const versions = new Map<string, string | undefined>();
  const items = entries.filter(({ key, versionId, unknownCondition }) => {
    try {
      checkKey(key);
      if (unknownCondition !== undefined) throw notImplemented(`the element ${unknownCondition}`);
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      refuse(key, error.s3Code, error.message, versionId);
      return false;
    }
    if (versionId !== undefined && versionId !== "" && versionId !== "null") {
      refuse(key, "NoSuchVersion", "The specified version does not exist.", versionId);
      return false;
    }
    if (!call.allows("s3:DeleteObject", target.bucket, key)) {
      refuse(key, "AccessDenied", "Access Denied", versionId);
      return false;
    }
    versions.set(key, versionId);
    return true;
  });
  const asked = items.map(({ key, etag }) => ({ key, ...(etag !== undefined && { ifMatch: quoted(etag) }) }));
  const outcomes = asked.length === 0 ? [] : await writes.deleteMany(target.bucket, asked, context);
  for (const { key, error } of outcomes) {
    const versionId = versions.get(key);
    if (error) refuse(key, error.code, error.message, versionId);
    else if (!quiet) {
      rows.push(parent("Deleted", element("Key", key), versionId === undefined ? "" : element("VersionId", versionId)));
    }
  }
  exchange.sendXml(200, xmlDocument("DeleteResult", ...rows));
}
