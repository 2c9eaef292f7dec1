/** The claims of a signed request, read from its Authorization header or its query, with S3's words for what is malformed. */
import type { QueryPair } from "./canonical.ts";
import { ALGORITHM, type Scope } from "./signing-key.ts";

/** S3's error codes for requests that are not let in. */
export type RefusalCode =
  | "AccessDenied"
  | "AuthorizationHeaderMalformed"
  | "AuthorizationQueryParametersError"
  | "InvalidAccessKeyId"
  | "InvalidArgument"
  | "InvalidRequest"
  | "InvalidToken"
  | "RequestTimeTooSkewed"
  | "SignatureDoesNotMatch";

/** Why a request is not let in. */
export interface Refusal {
  readonly ok: false;
  readonly s3Code: RefusalCode;
  readonly message: string;
}

/** Makes a refusal. */
export function refuse(s3Code: RefusalCode, message: string): Refusal {
  return { ok: false, s3Code, message };
}

/** What a request claims; nothing of it is proved yet. */
export interface Claim {
  readonly ok: true;
  readonly accessKeyId: string;
  readonly scope: Scope;
  /** Names in lower case, in the order of the claim. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const UNSUPPORTED = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";

/** Takes "AKID/20130524/us-east-1/s3/aws4_request" apart; an access key may have slashes in it. Returns S3's complaint otherwise. */
export function parseCredential(text: string, service: string): { accessKeyId: string; scope: Scope } | string {
  const parts = text.split("/");
  if (parts.length < 5) {
    return `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`;
  }
  const [day = "", region = "", claimed = "", terminal = ""] = parts.slice(-4);
  if (!/^\d{8}$/.test(day))
    return `incorrect date format "${day}". This date in the credential must be in the format "yyyyMMdd".`;
  if (claimed !== service) return `incorrect service "${claimed}". This endpoint belongs to "${service}".`;
  if (terminal !== "aws4_request") return `incorrect terminal "${terminal}". This endpoint uses "aws4_request".`;
  return { accessKeyId: parts.slice(0, -4).join("/"), scope: { day, region, service } };
}

/** Reads an Authorization header. */
export function parseAuthorization(header: string, service: string): Claim | Refusal {
  const space = header.indexOf(" ");
  const scheme = space === -1 ? header : header.slice(0, space);
  if (scheme === "") return refuse("AccessDenied", "Access Denied");
  if (scheme === "AWS") return refuse("InvalidRequest", UNSUPPORTED);
  if (scheme !== ALGORITHM) return refuse("InvalidArgument", "Unsupported Authorization Type");
  const fields = new Map<string, string>();
  for (const piece of header.slice(scheme.length).split(",")) {
    const equals = piece.indexOf("=");
    if (equals > 0) fields.set(piece.slice(0, equals).trim(), piece.slice(equals + 1).trim());
  }
  const malformed = (what: string) =>
    refuse("AuthorizationHeaderMalformed", `The authorization header is malformed; ${what}`);
  const credential = fields.get("Credential");
  const names = fields.get("SignedHeaders");
  const signature = fields.get("Signature");
  if (!credential) return malformed('the authorization component "Credential" is missing.');
  if (!names) return malformed('the authorization component "SignedHeaders" is missing.');
  if (!signature) return malformed('the authorization component "Signature" is missing.');
  const parsed = parseCredential(credential, service);
  if (typeof parsed === "string") return malformed(parsed);
  return { ok: true, ...parsed, signedHeaders: names.toLowerCase().split(";"), signature };
}

/** The claim of a presigned URL, with its times as written. */
export interface PresignedClaim extends Claim {
  readonly amzDate: string;
  readonly expiresS: number;
  readonly sessionToken: string | undefined;
  /** The hash that the query names, if it does. */
  readonly payloadHash: string | undefined;
}

/** Longest life of a presigned URL, seconds: a week. */
const MAX_EXPIRES_S = 604_800;

/** Decoded value of a query parameter, its name matched exactly; undefined when it is absent. */
function decodedValue(pairs: readonly QueryPair[], name: string): string | undefined {
  const pair = pairs.find((candidate) => candidate.name === name);
  // The canonical form always decodes to bytes; bytes that are no UTF-8 cannot be part of a valid claim.
  if (!pair) return undefined;
  try {
    return decodeURIComponent(pair.value);
  } catch {
    return "";
  }
}

/** Reads the claim of a presigned URL from its query. */
export function parsePresigned(pairs: readonly QueryPair[], service: string): PresignedClaim | Refusal {
  const bad = (message: string) => refuse("AuthorizationQueryParametersError", message);
  const algorithm = decodedValue(pairs, "X-Amz-Algorithm");
  const credential = decodedValue(pairs, "X-Amz-Credential");
  const signature = decodedValue(pairs, "X-Amz-Signature");
  const amzDate = decodedValue(pairs, "X-Amz-Date");
  const names = decodedValue(pairs, "X-Amz-SignedHeaders");
  const expires = decodedValue(pairs, "X-Amz-Expires");
  if (!algorithm || !credential || !signature || !amzDate || !names || !expires) {
    return bad(
      "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    );
  }
  if (algorithm !== ALGORITHM) return bad(`X-Amz-Algorithm only supports "${ALGORITHM}"`);
  const parsed = parseCredential(credential, service);
  if (typeof parsed === "string") return bad(`Error parsing the X-Amz-Credential parameter; ${parsed}`);
  if (!/^-?\d+$/.test(expires)) return bad("X-Amz-Expires should be a number");
  const expiresS = Number(expires);
  if (expiresS < 0) return bad("X-Amz-Expires must be non-negative");
  if (expiresS > MAX_EXPIRES_S) {
    return bad(
      "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
    );
  }
  return {
    ok: true,
    ...parsed,
    signedHeaders: names.toLowerCase().split(";"),
    signature,
    amzDate,
    expiresS,
    sessionToken: decodedValue(pairs, "X-Amz-Security-Token"),
    payloadHash: decodedValue(pairs, "X-Amz-Content-Sha256"),
  };
}

/** The refusal of the older signature versions. */
export function refuseOldVersion(): Refusal {
  return refuse("InvalidRequest", UNSUPPORTED);
}
