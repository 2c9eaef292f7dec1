/**
 * Proofs of presigned URLs, remembered. A presigned URL that signs nothing but the host proves the same thing each time it
 * comes: that its signer holds the key. So its signature is computed once; what may change meanwhile, the clock and the
 * key, is looked at each time.
 */

import { RecentMap } from "@ringlight/core";
import type { Refusal } from "./authorization.ts";
import { parsePresigned } from "./authorization.ts";
import { parseQuery, splitTarget } from "./canonical.ts";
import { HeaderProofs } from "./header-proofs.ts";
import { type Credentials, parseAmzDate } from "./signing-key.ts";
import {
  DEFAULT_MAX_SKEW_MS,
  type ReceivedRequest,
  signatureKind,
  type Verified,
  type VerifyOptions,
  verifyRequest,
} from "./verify.ts";

/** Proofs that are kept; the oldest goes first. */
const MAX_PROOFS = 8_192;
/** Longer targets are not remembered. */
const MAX_URL_LENGTH = 2_048;

interface Proof {
  readonly verified: Verified;
  /** The very key that it was proved with. */
  readonly credentials: Credentials;
  readonly host: string;
  readonly signedMs: number;
  readonly untilMs: number;
  readonly region: string | undefined;
  readonly service: string | undefined;
}

/** Verifies requests as verifyRequest does, and remembers proofs. */
export class RequestVerifier {
  readonly #proofs = new RecentMap<Proof>(MAX_PROOFS);
  readonly #headers = new HeaderProofs();

  /** True when the request carries no signature of any version. */
  isUnsigned(request: ReceivedRequest): boolean {
    if (request.headers.authorization !== undefined) return false;
    return !this.#proofs.has(keyOf(request)) && signatureKind(request) === "none";
  }

  /** As verifyRequest. */
  verify(request: ReceivedRequest, options: VerifyOptions): Verified | Refusal {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const proved =
        typeof authorization === "string" ? this.#headers.prove(request, authorization, options) : undefined;
      return proved ?? verifyRequest(request, options);
    }
    const key = keyOf(request);
    const proof = this.#proofs.get(key);
    if (proof !== undefined && holds(proof, request, options)) return proof.verified;
    const verified = verifyRequest(request, options);
    if (verified.ok && verified.kind === "presigned" && request.rawUrl.length <= MAX_URL_LENGTH) {
      const made = proofOf(verified, request, options);
      if (made !== undefined) {
        this.#proofs.set(Buffer.from(key, "latin1").toString("latin1"), made);
      }
    }
    return verified;
  }
}

/** A method has no blank in it. */
function keyOf({ method, rawUrl }: ReceivedRequest): string {
  return method === "GET" ? rawUrl : `${method} ${rawUrl}`;
}

/** Only the query and the host may bear on the proof. */
function isPlain(request: ReceivedRequest): boolean {
  if (request.headers.authorization !== undefined) return false;
  for (const name in request.headers) if (name.startsWith("x-amz-")) return false;
  return true;
}

function proofOf(verified: Verified, request: ReceivedRequest, options: VerifyOptions): Proof | undefined {
  const { host } = request.headers;
  const claim = parsePresigned(parseQuery(splitTarget(request.rawUrl).query), options.service ?? "s3");
  if (!claim.ok || typeof host !== "string" || !isPlain(request)) return undefined;
  const credentials = options.lookup(verified.accessKeyId);
  const signedMs = parseAmzDate(claim.amzDate);
  if (claim.signedHeaders.length !== 1 || credentials === undefined || signedMs === undefined) return undefined;
  return {
    verified,
    credentials,
    host,
    signedMs,
    untilMs: signedMs + claim.expiresS * 1000,
    region: options.region,
    service: options.service,
  };
}

function holds(proof: Proof, request: ReceivedRequest, options: VerifyOptions): boolean {
  const known = options.lookup(proof.verified.accessKeyId);
  return (
    request.headers.host === proof.host &&
    options.now <= proof.untilMs &&
    proof.signedMs - options.now <= (options.maxSkewMs ?? DEFAULT_MAX_SKEW_MS) &&
    options.region === proof.region &&
    options.service === proof.service &&
    known !== undefined &&
    known.secretAccessKey === proof.credentials.secretAccessKey &&
    known.sessionToken === proof.credentials.sessionToken &&
    isPlain(request)
  );
}
