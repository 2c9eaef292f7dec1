/**
 * What S3 says of a bucket's and an object's settings when nothing was ever set. Clients ask for them in passing (rclone for
 * versioning, s3cmd for location and policy, Terraform for all), and a plain "not set" lets them go on.
 */
import { OWNER } from "./listing.ts";
import { S3Error, type S3ErrorCode } from "./s3-error.ts";
import { element, parent, xmlDocument } from "./xml.ts";

const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"';

/** Full control for the one owner. */
const ACL = xmlDocument(
  "AccessControlPolicy",
  OWNER,
  parent(
    "AccessControlList",
    parent(
      "Grant",
      `<Grantee ${XSI}>${element("ID", "ringlight")}${element("DisplayName", "ringlight")}</Grantee>`,
      element("Permission", "FULL_CONTROL"),
    ),
  ),
);

/** Documents of settings that have a value even when nothing was set. */
const DOCUMENTS: Readonly<Record<string, string>> = {
  GetBucketAccelerateConfiguration: xmlDocument("AccelerateConfiguration"),
  GetBucketAcl: ACL,
  GetObjectAcl: ACL,
  GetBucketLogging: xmlDocument("BucketLoggingStatus"),
  GetBucketNotificationConfiguration: xmlDocument("NotificationConfiguration"),
  GetBucketRequestPayment: xmlDocument("RequestPaymentConfiguration", element("Payer", "BucketOwner")),
  GetBucketVersioning: xmlDocument("VersioningConfiguration"),
  GetObjectTagging: xmlDocument("Tagging", parent("TagSet")),
};

/** Errors of settings that are absent when nothing was set. */
const ABSENT: Readonly<Record<string, readonly [S3ErrorCode, string]>> = {
  GetBucketCors: ["NoSuchCORSConfiguration", "The CORS configuration does not exist"],
  GetBucketEncryption: [
    "ServerSideEncryptionConfigurationNotFoundError",
    "The server side encryption configuration was not found",
  ],
  GetBucketLifecycleConfiguration: ["NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"],
  GetBucketOwnershipControls: ["OwnershipControlsNotFoundError", "The bucket ownership controls were not found"],
  GetBucketPolicy: ["NoSuchBucketPolicy", "The bucket policy does not exist"],
  GetBucketPolicyStatus: ["NoSuchBucketPolicy", "The bucket policy does not exist"],
  GetBucketReplication: ["ReplicationConfigurationNotFoundError", "The replication configuration was not found"],
  GetBucketTagging: ["NoSuchTagSet", "The TagSet does not exist"],
  GetBucketWebsite: ["NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"],
  GetObjectLegalHold: ["InvalidRequest", "Bucket is missing Object Lock Configuration"],
  GetObjectLockConfiguration: [
    "ObjectLockConfigurationNotFoundError",
    "Object Lock configuration does not exist for this bucket",
  ],
  GetObjectRetention: ["InvalidRequest", "Bucket is missing Object Lock Configuration"],
  GetPublicAccessBlock: ["NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"],
  ListParts: [
    "NoSuchUpload",
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
  ],
};

/** The document of a setting, or undefined when the operation is none of a setting. @throws S3Error when the setting is absent */
export function settingDocument(api: string): string | undefined {
  const absent = ABSENT[api];
  if (absent) throw new S3Error(absent[0], absent[1]);
  return DOCUMENTS[api];
}

/** The document of GetBucketLocation; us-east-1 is written as nothing. */
export function locationDocument(region: string): string {
  return xmlDocument("LocationConstraint", region === "us-east-1" ? "" : region);
}

/** The document of ListMultipartUploads: there are none. */
export function uploadsDocument(bucket: string, query: ReadonlyMap<string, string>): string {
  return xmlDocument(
    "ListMultipartUploadsResult",
    element("Bucket", bucket),
    element("KeyMarker", query.get("key-marker") ?? ""),
    element("UploadIdMarker", query.get("upload-id-marker") ?? ""),
    element("MaxUploads", 1000),
    element("IsTruncated", false),
  );
}
