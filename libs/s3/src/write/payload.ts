/** What a request's headers say of its body: length, coding, and all that it must agree with. */
import { UNSIGNED_PAYLOAD } from "@ringlight/sigv4";
import type { ReceivedHeaders } from "../conditions.ts";
import { S3Error } from "../s3-error.ts";
import { type ExpectedChecksum, expectedChecksum, headerText } from "./checksum-headers.ts";

/** Most bytes of one PutObject or UploadPart: 5 GiB. */
export const MAX_PUT_BYTES = 5 * 1024 ** 3;

/** A body as announced. */
export interface Payload {
  /** Bytes of the object, the coding taken off. */
  readonly lengthBytes: number;
  /** How the body is chunked inside; signed chunks carry signatures, and a signed trailer one more. */
  readonly coding: "plain" | "chunked" | "chunked-signed";
  /** The trailer must carry a signature. */
  readonly signedTrailer: boolean;
  /** Hex SHA-256 of the body; undefined when it is not signed as a whole. */
  readonly sha256: string | undefined;
  /** As sent. */
  readonly contentMd5: string | undefined;
  readonly checksum: ExpectedChecksum | undefined;
}

/** True for a Content-Encoding that names S3's own coding, which is no part of the object. */
function namesAwsChunked(headers: ReceivedHeaders): boolean {
  const text = headerText(headers, "content-encoding");
  return text !== undefined && /(^|,)\s*aws-chunked\s*(,|$)/i.test(text);
}

function lengthOf(headers: ReceivedHeaders, isChunked: boolean): number {
  const name = isChunked ? "x-amz-decoded-content-length" : "content-length";
  const text = headerText(headers, name);
  if (text === undefined) {
    throw new S3Error("MissingContentLength", "You must provide the Content-Length HTTP header.");
  }
  if (!/^\d{1,15}$/.test(text)) {
    throw new S3Error("InvalidArgument", `The value of ${name} is no length.`, {
      ArgumentName: name,
      ArgumentValue: text,
    });
  }
  return Number(text);
}

/** The Content-MD5 as sent. @throws S3Error InvalidDigest */
export function md5Of(headers: ReceivedHeaders): string | undefined {
  const text = headerText(headers, "content-md5");
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== 16 || bytes.toString("base64") !== text) {
    throw new S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.", { "Content-MD5": text });
  }
  return text;
}

/**
 * Reads what is announced. `payloadHash` is what the signature covers; undefined for an unsigned request, whose own header
 * counts then. Without `checksummed` the headers' checksums are not those of the body. @throws S3Error MissingContentLength, EntityTooLarge, InvalidDigest, InvalidArgument or InvalidRequest
 */
export function parsePayload(
  headers: ReceivedHeaders,
  payloadHash: string | undefined,
  maxBytes: number = MAX_PUT_BYTES,
  checksummed: boolean = true,
): Payload {
  const hash = payloadHash ?? headerText(headers, "x-amz-content-sha256") ?? UNSIGNED_PAYLOAD;
  const streaming = hash.startsWith("STREAMING-");
  // Some clients chunk without saying so in the payload hash; the decoded length gives them away.
  const isChunked = streaming || (namesAwsChunked(headers) && headers["x-amz-decoded-content-length"] !== undefined);
  const signedChunks = hash.startsWith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  const lengthBytes = lengthOf(headers, isChunked);
  if (lengthBytes > maxBytes) {
    throw new S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", {
      ProposedSize: lengthBytes,
      MaxSizeAllowed: maxBytes,
    });
  }
  const checksum = checksummed ? expectedChecksum(headers) : undefined;
  if (checksum !== undefined && checksum.value === undefined && !isChunked) {
    throw new S3Error("InvalidRequest", "A trailer was announced for a body that cannot have one.");
  }
  if (signedChunks && payloadHash === undefined) {
    throw new S3Error("AccessDenied", "Signed chunks belong to a signed request.");
  }
  return {
    lengthBytes,
    coding: !isChunked ? "plain" : signedChunks ? "chunked-signed" : "chunked",
    signedTrailer: signedChunks && hash.endsWith("-TRAILER"),
    sha256: !streaming && hash !== UNSIGNED_PAYLOAD ? hash.toLowerCase() : undefined,
    contentMd5: md5Of(headers),
    checksum,
  };
}
