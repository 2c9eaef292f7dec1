/** Verification of the policies of browser uploads: what is signed is the policy itself, as it was sent. */
import { createHmac } from "node:crypto";
import { parseCredential, type Refusal, refuse, refuseOldVersion } from "./authorization.ts";
import { ALGORITHM, parseAmzDate, sameSignature, signingKey } from "./signing-key.ts";
import { credentialsOf, DEFAULT_MAX_SKEW_MS, MISMATCH, type VerifyOptions } from "./verify.ts";

/** The fields of a form that prove its policy. */
export interface PolicyClaim {
  /** In base64, as it was sent. */
  readonly policy: string;
  readonly algorithm: string | undefined;
  readonly credential: string | undefined;
  readonly amzDate: string | undefined;
  readonly signature: string | undefined;
  readonly sessionToken: string | undefined;
  /** The form has the fields of Signature Version 2. */
  readonly isOldVersion: boolean;
}

/** Longest life of a signing key, which bounds that of everything that it signed. */
const MAX_LIFE_MS = 7 * 24 * 60 * 60_000;

/**
 * Verifies that a policy was signed by the holder of a key. What the policy says, its expiration too, is not looked at.
 */
export function verifyPolicy(
  claim: PolicyClaim,
  options: VerifyOptions,
): { readonly ok: true; readonly accessKeyId: string } | Refusal {
  const { algorithm, credential, amzDate, signature } = claim;
  if (!algorithm && claim.isOldVersion) return refuseOldVersion();
  const fields = {
    "x-amz-algorithm": algorithm,
    "x-amz-credential": credential,
    "x-amz-date": amzDate,
    "x-amz-signature": signature,
  };
  for (const [name, value] of Object.entries(fields)) {
    if (!value) return refuse("InvalidArgument", `Bucket POST must contain a field named '${name}'.`);
  }
  if (algorithm !== ALGORITHM) return refuse("InvalidArgument", `X-Amz-Algorithm only supports "${ALGORITHM}"`);
  const malformed = (what: string) => refuse("InvalidArgument", `Error parsing the X-Amz-Credential field; ${what}`);
  const parsed = parseCredential(credential ?? "", options.service ?? "s3");
  if (typeof parsed === "string") return malformed(parsed);
  const signedMs = parseAmzDate(amzDate ?? "");
  if (signedMs === undefined) {
    return refuse("InvalidArgument", "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  if (amzDate?.slice(0, 8) !== parsed.scope.day) {
    return malformed(`Invalid credential date "${parsed.scope.day}". This date is not the same as X-Amz-Date.`);
  }
  if (signedMs - options.now > (options.maxSkewMs ?? DEFAULT_MAX_SKEW_MS)) {
    return refuse("AccessDenied", "Request is not yet valid");
  }
  if (options.now > signedMs + MAX_LIFE_MS) return refuse("AccessDenied", "Request has expired");
  const whole = { ok: true, ...parsed, signedHeaders: [], signature: signature ?? "" } as const;
  const credentials = credentialsOf(whole, claim.sessionToken, options, malformed);
  if ("ok" in credentials) return credentials;
  const expected = createHmac("sha256", signingKey(credentials.secretAccessKey, parsed.scope))
    .update(claim.policy, "latin1")
    .digest("hex");
  return sameSignature(expected, whole.signature) ? { ok: true, accessKeyId: parsed.accessKeyId } : MISMATCH;
}
