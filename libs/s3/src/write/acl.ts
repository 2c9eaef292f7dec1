/**
 * ACLs as far as they change nothing: all is the owner's alone, which is what GetBucketAcl and GetObjectAcl tell. Tools and suites
 * set that by habit. What would give access to others is refused: access is given by the policies of keys, and by mounts.
 */
import type { ReceivedHeaders } from "../conditions.ts";
import { checkVersionId } from "../object-headers.ts";
import { notImplemented, S3Error } from "../s3-error.ts";
import { headerText } from "./checksum-headers.ts";
import { parseAcl } from "./documents.ts";
import { documentOf, hasNoBody, type WriteCall } from "./write-call.ts";

const CANNED_ACLS = new Set([
  "private",
  "public-read",
  "public-read-write",
  "authenticated-read",
  "aws-exec-read",
  "bucket-owner-read",
  "bucket-owner-full-control",
  "log-delivery-write",
]);

/** Canned ACLs that say what is so anyway: the owner alone has access. Tools send them by habit (rclone, s3fs, s3cmd). */
const ACLS_OF_THE_OWNER = new Set(["private", "bucket-owner-full-control"]);

/** ID of the one owner, in every document. */
const OWNER_ID = "ringlight";

/** The canned ACL that a request names, unless it says what is so anyway. @throws S3Error InvalidArgument */
export function cannedAcl(headers: ReceivedHeaders): string | undefined {
  const acl = headerText(headers, "x-amz-acl");
  if (acl !== undefined && !CANNED_ACLS.has(acl)) {
    throw new S3Error("InvalidArgument", "The canned ACL is not valid.", {
      ArgumentName: "x-amz-acl",
      ArgumentValue: acl,
    });
  }
  return acl === undefined || ACLS_OF_THE_OWNER.has(acl) ? undefined : acl;
}

/** Refuses headers by which a bucket or object would be more than the owner's. @throws S3Error */
export function requireOwnersAcl(headers: ReceivedHeaders): void {
  const acl = cannedAcl(headers);
  if (acl !== undefined) throw notImplemented(`the canned ACL ${acl}`);
  const grant = Object.keys(headers).find((name) => name.startsWith("x-amz-grant-"));
  if (grant !== undefined) throw notImplemented(`the header ${grant}`);
}

/** Serves PutObjectAcl and PutBucketAcl. */
export async function putAcl(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes, backend } = call;
  const { headers } = exchange.req;
  checkVersionId(target.query);
  requireOwnersAcl(headers);
  await writes.requireWritable(target.bucket);
  if (target.key !== "") await backend.head(target.bucket, target.key, context);
  if (!hasNoBody(call)) {
    const grants = parseAcl(await documentOf(call));
    const [only] = grants;
    const isOwners = only !== undefined && only.grantee === OWNER_ID && only.permission === "FULL_CONTROL";
    if (!isOwners || grants.length > 1) throw notImplemented("grants to others than the owner");
  } else if (headerText(headers, "x-amz-acl") === undefined) {
    throw new S3Error("MissingSecurityHeader", "Your request was missing a required header", {
      MissingHeaderName: "x-amz-acl",
    });
  }
  exchange.send(200, {}, undefined);
}
