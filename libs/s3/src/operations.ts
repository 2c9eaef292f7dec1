/**
 * The table of S3's operations: from method, level and sub-resource to the operation's name and whether it writes.
 * A sub-resource is a query parameter that makes another operation of a request ("?acl", "?uploads").
 */

/** What an operation does to the store. */
export type Access = "read" | "write";

/** A row of the table. */
export interface Operation {
  readonly name: string;
  readonly access: Access;
}

/** What a request is addressed to. */
export type Level = "service" | "bucket" | "object";

/** Lines of "METHOD[?sub-resource] Operation"; the first sub-resource of a level that the query has decides. */
const TABLE: Readonly<Record<Level, string>> = {
  service: `
    GET ListBuckets`,
  bucket: `
    GET?accelerate GetBucketAccelerateConfiguration
    GET?acl GetBucketAcl
    GET?cors GetBucketCors
    GET?encryption GetBucketEncryption
    GET?lifecycle GetBucketLifecycleConfiguration
    GET?location GetBucketLocation
    GET?logging GetBucketLogging
    GET?notification GetBucketNotificationConfiguration
    GET?object-lock GetObjectLockConfiguration
    GET?ownershipControls GetBucketOwnershipControls
    GET?policy GetBucketPolicy
    GET?policyStatus GetBucketPolicyStatus
    GET?publicAccessBlock GetPublicAccessBlock
    GET?replication GetBucketReplication
    GET?requestPayment GetBucketRequestPayment
    GET?tagging GetBucketTagging
    GET?uploads ListMultipartUploads
    GET?versioning GetBucketVersioning
    GET?versions ListObjectVersions
    GET?website GetBucketWebsite
    GET?analytics GetBucketAnalyticsConfiguration
    GET?intelligent-tiering GetBucketIntelligentTieringConfiguration
    GET?inventory GetBucketInventoryConfiguration
    GET?metrics GetBucketMetricsConfiguration
    GET?session CreateSession
    GET ListObjects
    HEAD HeadBucket
    PUT?accelerate PutBucketAccelerateConfiguration
    PUT?acl PutBucketAcl
    PUT?analytics PutBucketAnalyticsConfiguration
    PUT?cors PutBucketCors
    PUT?encryption PutBucketEncryption
    PUT?intelligent-tiering PutBucketIntelligentTieringConfiguration
    PUT?inventory PutBucketInventoryConfiguration
    PUT?lifecycle PutBucketLifecycleConfiguration
    PUT?logging PutBucketLogging
    PUT?metrics PutBucketMetricsConfiguration
    PUT?notification PutBucketNotificationConfiguration
    PUT?object-lock PutObjectLockConfiguration
    PUT?ownershipControls PutBucketOwnershipControls
    PUT?policy PutBucketPolicy
    PUT?publicAccessBlock PutPublicAccessBlock
    PUT?replication PutBucketReplication
    PUT?requestPayment PutBucketRequestPayment
    PUT?tagging PutBucketTagging
    PUT?versioning PutBucketVersioning
    PUT?website PutBucketWebsite
    PUT CreateBucket
    DELETE?analytics DeleteBucketAnalyticsConfiguration
    DELETE?cors DeleteBucketCors
    DELETE?encryption DeleteBucketEncryption
    DELETE?intelligent-tiering DeleteBucketIntelligentTieringConfiguration
    DELETE?inventory DeleteBucketInventoryConfiguration
    DELETE?lifecycle DeleteBucketLifecycle
    DELETE?metrics DeleteBucketMetricsConfiguration
    DELETE?ownershipControls DeleteBucketOwnershipControls
    DELETE?policy DeleteBucketPolicy
    DELETE?publicAccessBlock DeletePublicAccessBlock
    DELETE?replication DeleteBucketReplication
    DELETE?tagging DeleteBucketTagging
    DELETE?website DeleteBucketWebsite
    DELETE DeleteBucket
    POST?delete DeleteObjects
    POST PostObject`,
  object: `
    GET?acl GetObjectAcl
    GET?attributes GetObjectAttributes
    GET?legal-hold GetObjectLegalHold
    GET?retention GetObjectRetention
    GET?tagging GetObjectTagging
    GET?torrent GetObjectTorrent
    GET?uploadId ListParts
    GET GetObject
    HEAD HeadObject
    PUT?acl PutObjectAcl
    PUT?legal-hold PutObjectLegalHold
    PUT?renameObject RenameObject
    PUT?retention PutObjectRetention
    PUT?tagging PutObjectTagging
    PUT?uploadId UploadPart
    PUT PutObject
    DELETE?tagging DeleteObjectTagging
    DELETE?uploadId AbortMultipartUpload
    DELETE DeleteObject
    POST?restore RestoreObject
    POST?select SelectObjectContent
    POST?uploadId CompleteMultipartUpload
    POST?uploads CreateMultipartUpload`,
};

interface MethodRows {
  readonly bySubresource: Map<string, Operation>;
  plain?: Operation;
}

/** Operations that POST or GET but whose nature the method does not tell. */
const READS_BY_POST = new Set(["SelectObjectContent"]);

function parseLevel(lines: string): Map<string, MethodRows> {
  const methods = new Map<string, MethodRows>();
  for (const line of lines.trim().split("\n")) {
    const [request = "", name = ""] = line.trim().split(" ");
    const [method = "", subresource] = request.split("?");
    const rows: MethodRows = methods.get(method) ?? { bySubresource: new Map() };
    methods.set(method, rows);
    const reads = method === "GET" || method === "HEAD" || READS_BY_POST.has(name);
    const operation: Operation = { name, access: reads ? "read" : "write" };
    if (subresource === undefined) rows.plain = operation;
    else rows.bySubresource.set(subresource, operation);
  }
  return methods;
}

const LEVELS: Readonly<Record<Level, Map<string, MethodRows>>> = {
  service: parseLevel(TABLE.service),
  bucket: parseLevel(TABLE.bucket),
  object: parseLevel(TABLE.object),
};

/** What a look-up may find. */
export type FoundOperation = Operation | "method-not-allowed" | "not-implemented";

function isSubresource(level: Level, name: string): boolean {
  for (const rows of LEVELS[level].values()) if (rows.bySubresource.has(name)) return true;
  return false;
}

/** Finds a request's operation. Parameters that name no sub-resource (as the SDKs' x-id) do not count. */
export function findOperation(
  method: string,
  level: Level,
  query: ReadonlyMap<string, string>,
  isCopy: boolean,
): FoundOperation {
  const rows = LEVELS[level].get(method);
  if (!rows) return LEVELS.object.has(method) ? "method-not-allowed" : "not-implemented";
  for (const name of query.keys()) {
    const operation = rows.bySubresource.get(name);
    if (operation) {
      return isCopy && operation.name === "UploadPart" ? { name: "UploadPartCopy", access: "write" } : operation;
    }
    if (method !== "HEAD" && isSubresource(level, name)) return "method-not-allowed";
  }
  if (rows.plain?.name === "PutObject" && isCopy) return { name: "CopyObject", access: "write" };
  if (rows.plain?.name === "ListObjects" && query.has("list-type")) return { name: "ListObjectsV2", access: "read" };
  return rows.plain ?? "method-not-allowed";
}
