/** The headers by which clients send and ask for checksums. */
import { CHECKSUM_ALGORITHMS, isChecksumBase64 } from "@ringlight/checksum";
import type { ChecksumAlgorithm, ObjectChecksums } from "@ringlight/core";
import type { ReceivedHeaders } from "../conditions.ts";
import { S3Error } from "../s3-error.ts";

/** Name of the header and trailer of each algorithm. */
export const CHECKSUM_HEADERS: Readonly<Record<ChecksumAlgorithm, string>> = {
  CRC32: "x-amz-checksum-crc32",
  CRC32C: "x-amz-checksum-crc32c",
  CRC64NVME: "x-amz-checksum-crc64nvme",
  SHA1: "x-amz-checksum-sha1",
  SHA256: "x-amz-checksum-sha256",
};

/** The text of a header, of repeated ones joined. */
export function headerText(headers: ReceivedHeaders, name: string): string | undefined {
  const value = headers[name];
  return value === undefined || typeof value === "string" ? value : value.join(", ");
}

function invalid(message: string): S3Error {
  return new S3Error("InvalidRequest", message);
}

/** The algorithm that a header names, in any case; undefined when it is absent. @throws S3Error InvalidRequest */
export function namedAlgorithm(headers: ReceivedHeaders, header: string): ChecksumAlgorithm | undefined {
  const text = headerText(headers, header);
  if (text === undefined) return undefined;
  const algorithm = CHECKSUM_ALGORITHMS.find((name) => name === text.toUpperCase());
  if (!algorithm) {
    throw invalid(
      header === "x-amz-checksum-algorithm"
        ? "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
        : `Value for ${header} header is invalid.`,
    );
  }
  return algorithm;
}

/** How the checksum of a multipart upload is made; undefined when the request does not say. @throws S3Error InvalidRequest */
export function checksumType(headers: ReceivedHeaders): ObjectChecksums["type"] | undefined {
  const text = headerText(headers, "x-amz-checksum-type")?.toUpperCase();
  if (text === undefined || text === "COMPOSITE" || text === "FULL_OBJECT") return text;
  throw invalid("Value for x-amz-checksum-type header is invalid.");
}

/** The checksums among the headers, as sent. With `composite`, "-<parts>" may follow the digest. @throws S3Error InvalidRequest */
export function givenChecksums(headers: ReceivedHeaders, composite = false): ObjectChecksums["values"] {
  const values: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const header = CHECKSUM_HEADERS[algorithm];
    const value = headerText(headers, header);
    if (value === undefined) continue;
    const digest = composite ? value.replace(/-\d{1,5}$/, "") : value;
    if (!isChecksumBase64(algorithm, digest)) throw invalid(`Value for ${header} header is invalid.`);
    values[algorithm] = value;
  }
  if (Object.keys(values).length > 1) {
    throw invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
  }
  return values;
}

/** The checksum that comes with a body. */
export interface ExpectedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** In base64; undefined when it comes in the trailer. */
  readonly value: string | undefined;
}

/** The algorithm of the trailer that a request announces. */
function announcedTrailer(headers: ReceivedHeaders): ChecksumAlgorithm | undefined {
  const text = headerText(headers, "x-amz-trailer");
  if (text === undefined) return undefined;
  const algorithm = CHECKSUM_ALGORITHMS.find((name) => CHECKSUM_HEADERS[name] === text.trim().toLowerCase());
  if (!algorithm) throw invalid("The value specified in the x-amz-trailer header is not supported");
  return algorithm;
}

/** The checksum that a request announces for its body, by header or trailer. @throws S3Error InvalidRequest */
export function expectedChecksum(headers: ReceivedHeaders): ExpectedChecksum | undefined {
  const [given] = Object.entries(givenChecksums(headers)) as [ChecksumAlgorithm, string][];
  const trailer = announcedTrailer(headers);
  if (given && trailer) {
    throw invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
  }
  const sdk = namedAlgorithm(headers, "x-amz-sdk-checksum-algorithm");
  const algorithm = given?.[0] ?? trailer;
  if (sdk !== undefined && algorithm === undefined) {
    throw invalid(
      "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
    );
  }
  if (sdk !== undefined && sdk !== algorithm)
    throw invalid("Value for x-amz-sdk-checksum-algorithm header is invalid.");
  return algorithm === undefined ? undefined : { algorithm, value: given?.[1] };
}

/** Response headers of checksums. */
export function checksumResponseHeaders(checksums: ObjectChecksums | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (!checksums) return headers;
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = checksums.values[algorithm];
    if (value !== undefined) headers[CHECKSUM_HEADERS[algorithm]] = value;
  }
  if (Object.keys(headers).length > 0) headers["x-amz-checksum-type"] = checksums.type;
  return headers;
}
