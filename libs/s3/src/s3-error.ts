/** Errors of the S3 protocol: codes, statuses, and what becomes of a RinglightError. */
import { type ErrorCode, toRinglightError } from "@ringlight/core";
import { element, plainXmlDocument } from "./xml.ts";

/** HTTP status of every error code that this package answers with by itself. */
const STATUSES = {
  AccessControlListNotSupported: 400,
  AccessDenied: 403,
  AccessForbidden: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  EntityTooLarge: 400,
  EntityTooSmall: 400,
  IllegalLocationConstraintException: 400,
  IncompleteBody: 400,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidPart: 400,
  InvalidPartNumber: 416,
  InvalidPartOrder: 400,
  InvalidPolicyDocument: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidStorageClass: 400,
  InvalidTag: 400,
  InvalidToken: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedPOSTRequest: 400,
  MalformedTrailerError: 400,
  MalformedXML: 400,
  MaxMessageLengthExceeded: 400,
  MaxPostPreDataLengthExceeded: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  MissingRequestBodyError: 400,
  MissingSecurityHeader: 400,
  NoSuchBucket: 404,
  NoSuchBucketPolicy: 404,
  NoSuchCORSConfiguration: 404,
  NoSuchKey: 404,
  NoSuchLifecycleConfiguration: 404,
  NoSuchPublicAccessBlockConfiguration: 404,
  NoSuchTagSet: 404,
  NoSuchUpload: 404,
  NoSuchWebsiteConfiguration: 404,
  NotImplemented: 501,
  ObjectLockConfigurationNotFoundError: 404,
  OwnershipControlsNotFoundError: 404,
  PreconditionFailed: 412,
  ReplicationConfigurationNotFoundError: 404,
  RequestTimeTooSkewed: 403,
  RequestTimeout: 400,
  ServerSideEncryptionConfigurationNotFoundError: 404,
  SignatureDoesNotMatch: 403,
  TemporaryRedirect: 307,
  UnexpectedContent: 400,
  XAmzContentSHA256Mismatch: 400,
} as const;

/** An error code that this package answers with by itself. */
export type S3ErrorCode = keyof typeof STATUSES;

/** An answer of the protocol that is an error: refused by this package before or after the backend was asked. */
export class S3Error extends Error {
  readonly s3Code: string;
  readonly status: number;
  /** Further elements of the error document, by name. */
  readonly details: Readonly<Record<string, string | number>>;
  /** Code of the Ringlight error behind it, if one is. */
  readonly ringlightCode: string | undefined;

  constructor(
    s3Code: S3ErrorCode | { code: string; status: number; ringlightCode: string },
    message: string,
    details: Readonly<Record<string, string | number>> = {},
  ) {
    super(message);
    this.name = "S3Error";
    this.details = details;
    this.s3Code = typeof s3Code === "string" ? s3Code : s3Code.code;
    this.status = typeof s3Code === "string" ? STATUSES[s3Code] : s3Code.status;
    this.ringlightCode = typeof s3Code === "string" ? undefined : s3Code.ringlightCode;
  }
}

/** What S3 says where its clients and their tests know the words. */
const WORDS = {
  RL_NO_SUCH_UPLOAD:
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
  RL_INVALID_PART:
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
  RL_INVALID_PART_ORDER: "The list of parts was not in ascending order. Parts must be ordered by part number.",
  RL_ENTITY_TOO_SMALL: "Your proposed upload is smaller than the minimum allowed size",
  RL_NOT_EMPTY: "The bucket you tried to delete is not empty",
  RL_NOT_FOUND: "The specified key does not exist.",
  RL_NO_SUCH_MOUNT: "The specified bucket does not exist",
} satisfies Partial<Record<ErrorCode, string>>;

function wordsOf(code: ErrorCode): string | undefined {
  return (WORDS as Partial<Record<ErrorCode, string>>)[code];
}

/**
 * Turns whatever was thrown into an answer: bucket and key are named where S3 names them, and the condition of the request
 * where one did not hold.
 */
export function toS3Error(
  error: unknown,
  bucket: string | undefined,
  key: string | undefined,
  condition?: string,
): S3Error {
  if (error instanceof S3Error) return error;
  const known = toRinglightError(error);
  if (known.code === "RL_PRECONDITION_FAILED") {
    const how = { code: "PreconditionFailed", status: 412, ringlightCode: known.code };
    const message = "At least one of the pre-conditions you specified did not hold";
    return new S3Error(how, message, condition === undefined ? {} : { Condition: condition });
  }
  if (known.s3) {
    // Some stores (radosgw 16) send no words with their codes.
    const { code: s3Code, message } = known.s3;
    const words = message === "" ? (wordsOf(known.code) ?? `The store refused the request: ${s3Code}.`) : message;
    return new S3Error({ ...known.s3, ringlightCode: known.code }, words);
  }
  const how = { code: known.info.s3, status: known.info.http, ringlightCode: known.code };
  if (known.code === "RL_NOT_FOUND") {
    return new S3Error(how, WORDS.RL_NOT_FOUND, { Key: key ?? "" });
  }
  if (known.code === "RL_NO_SUCH_MOUNT") {
    return new S3Error(how, WORDS.RL_NO_SUCH_MOUNT, { BucketName: bucket ?? "" });
  }
  // A defect's text may carry what no client should see; the log has it, found by the request id.
  if (known.code === "RL_INTERNAL") {
    return new S3Error(how, "We encountered an internal error. Please try again.");
  }
  return new S3Error(
    how,
    wordsOf(known.code) ?? known.message,
    known.code === "RL_NOT_EMPTY" ? { BucketName: bucket ?? "" } : {},
  );
}

/** The error document. */
export function errorDocument(error: S3Error, resource: string, requestId: string, hostId: string): string {
  const details = Object.entries(error.details).map(([name, value]) => element(name, value));
  return plainXmlDocument(
    "Error",
    element("Code", error.s3Code),
    element("Message", error.message),
    ...details,
    element("Resource", resource),
    element("RequestId", requestId),
    element("HostId", hostId),
  );
}

/** What S3 has and this endpoint has not: an operation, a header, a parameter. */
export function notImplemented(what: string): S3Error {
  return new S3Error(
    "NotImplemented",
    `A header or parameter you provided implies functionality that is not implemented: ${what}.`,
  );
}
