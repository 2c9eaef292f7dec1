/** Tagging of objects; making and removing of buckets. */
import { isRinglightError } from "@ringlight/core";
import type { ReceivedHeaders } from "../conditions.ts";
import { checkVersionId } from "../object-headers.ts";
import { notImplemented, S3Error } from "../s3-error.ts";
import { element, parent, xmlDocument } from "../xml.ts";
import { requireOwnersAcl } from "./acl.ts";
import { headerText } from "./checksum-headers.ts";
import { parseLocation, parseTagging } from "./documents.ts";
import { checkTags } from "./tags.ts";
import { documentOf, hasNoBody, type WriteCall } from "./write-call.ts";

/** Serves GetObjectTagging. */
export async function getTagging({ exchange, target, context, writes }: WriteCall): Promise<void> {
  checkVersionId(target.query);
  const tags = await writes.getTagging(target.bucket, target.key, context);
  const rows = tags.map(({ key, value }) => parent("Tag", element("Key", key), element("Value", value)));
  exchange.sendXml(200, xmlDocument("Tagging", parent("TagSet", ...rows)));
}

/** Serves PutObjectTagging. */
export async function putTagging(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  checkVersionId(target.query);
  const tags = parseTagging(await documentOf(call));
  checkTags(tags);
  await writes.putTagging(target.bucket, target.key, tags, context);
  exchange.send(200, {}, undefined);
}

/** Serves DeleteObjectTagging. */
export async function deleteTagging({ exchange, target, context, writes }: WriteCall): Promise<void> {
  checkVersionId(target.query);
  await writes.deleteTagging(target.bucket, target.key, context);
  exchange.send(204, {}, undefined);
}

/** Names that are read if they are there, and that S3 makes no new buckets of: hyphens beside dots, and reserved ones. */
const NO_NEW_NAME = /\.-|-\.|^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/;

const OWNERSHIPS = new Set(["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]);

/** Refuses what a bucket is to have from its beginning and would not: others' access, object lock. @throws S3Error */
function refuseUnkept(headers: ReceivedHeaders): void {
  requireOwnersAcl(headers);
  if (headerText(headers, "x-amz-bucket-object-lock-enabled")?.toLowerCase() === "true") {
    throw notImplemented("the header x-amz-bucket-object-lock-enabled");
  }
  // Whose the objects are makes no difference while all are one owner's.
  const ownership = headerText(headers, "x-amz-object-ownership");
  if (ownership !== undefined && !OWNERSHIPS.has(ownership)) {
    throw new S3Error("InvalidArgument", `Invalid x-amz-object-ownership header: ${ownership}`, {
      ArgumentName: "x-amz-object-ownership",
      ArgumentValue: ownership,
    });
  }
}

/** Serves CreateBucket. */
export async function createBucket(call: WriteCall): Promise<void> {
  const { exchange, target, context, writes } = call;
  if (NO_NEW_NAME.test(target.bucket)) {
    throw new S3Error("InvalidBucketName", "The specified bucket is not valid.", { BucketName: target.bucket });
  }
  refuseUnkept(call.exchange.req.headers);
  const location = hasNoBody(call) ? undefined : parseLocation(await documentOf(call));
  if (location !== undefined && location !== call.region) {
    throw new S3Error(
      "IllegalLocationConstraintException",
      `The ${location} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    );
  }
  try {
    await writes.createBucket(target.bucket, context);
  } catch (error) {
    if (!isRinglightError(error, "RL_CONFLICT") && !isRinglightError(error, "RL_MOUNT_EXISTS")) throw error;
    const isOwn = error.s3 === undefined || error.s3.code === "BucketAlreadyOwnedByYou";
    if (!isOwn) throw error;
    // S3's oldest region answers as if the bucket had been made now, and clients of that time rely on it.
    if (call.region === "us-east-1") return exchange.send(200, { Location: `/${target.bucket}` }, undefined);
    throw new S3Error(
      "BucketAlreadyOwnedByYou",
      "Your previous request to create the named bucket succeeded and you already own it.",
      { BucketName: target.bucket },
    );
  }
  exchange.send(200, { Location: `/${target.bucket}` }, undefined);
}

/** Serves DeleteBucket. */
export async function deleteBucket({ exchange, target, context, writes }: WriteCall): Promise<void> {
  await writes.deleteBucket(target.bucket, context);
  exchange.send(204, {}, undefined);
}
