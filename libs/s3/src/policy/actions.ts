/** Which action of a policy each operation needs. */

/**
 * True when the policy of a key allows an action on a bucket ("" for the service) or a key in it ("" for the bucket itself).
 * The query holds what conditions may ask for: prefix, delimiter, max-keys.
 */
export type Permits = (
  accessKeyId: string,
  action: string,
  bucket: string,
  key: string,
  query: ReadonlyMap<string, string>,
) => boolean;

/** Operations whose action is not called as they are. */
const ACTIONS: Readonly<Record<string, string>> = {
  AbortMultipartUpload: "s3:AbortMultipartUpload",
  CompleteMultipartUpload: "s3:PutObject",
  CopyObject: "s3:PutObject",
  CreateMultipartUpload: "s3:PutObject",
  GetBucketAccelerateConfiguration: "s3:GetAccelerateConfiguration",
  GetBucketCors: "s3:GetBucketCORS",
  GetBucketEncryption: "s3:GetEncryptionConfiguration",
  GetBucketLifecycleConfiguration: "s3:GetLifecycleConfiguration",
  GetBucketNotificationConfiguration: "s3:GetBucketNotification",
  GetBucketReplication: "s3:GetReplicationConfiguration",
  GetObjectAttributes: "s3:GetObject",
  GetObjectLockConfiguration: "s3:GetBucketObjectLockConfiguration",
  GetPublicAccessBlock: "s3:GetBucketPublicAccessBlock",
  HeadBucket: "s3:ListBucket",
  HeadObject: "s3:GetObject",
  ListBuckets: "s3:ListAllMyBuckets",
  ListMultipartUploads: "s3:ListBucketMultipartUploads",
  ListObjectVersions: "s3:ListBucketVersions",
  ListObjects: "s3:ListBucket",
  ListObjectsV2: "s3:ListBucket",
  ListParts: "s3:ListMultipartUploadParts",
  SelectObjectContent: "s3:GetObject",
  UploadPart: "s3:PutObject",
  UploadPartCopy: "s3:PutObject",
};

/** The action that an operation needs before it begins; undefined for DeleteObjects, which needs one for each of its keys. */
export function actionOf(operation: string): string | undefined {
  return operation === "DeleteObjects" ? undefined : (ACTIONS[operation] ?? `s3:${operation}`);
}
