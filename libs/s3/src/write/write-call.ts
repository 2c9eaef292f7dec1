/** One request that writes, after its signature and policy were found good, and its body. */
import type { UfsWriteBody } from "@ringlight/core";
import { ChunkSigner, chunkSeed, type PolicyClaim } from "@ringlight/sigv4";
import type { RequestContext, S3Backend } from "../backend.ts";
import type { Exchange } from "../exchange.ts";
import { S3Error } from "../s3-error.ts";
import type { Target } from "../target.ts";
import type { S3WriteBackend } from "../write-backend.ts";
import { bodyPieces, gatherBody } from "./body-pieces.ts";
import { MAX_DOCUMENT_BYTES } from "./documents.ts";
import { MAX_PUT_BYTES, parsePayload } from "./payload.ts";
import { openBody, readBody } from "./verified-body.ts";

/** What a form's policy proved. */
export interface FormProof {
  readonly accessKeyId: string;
  /** The time that the policy has to hold at, milliseconds since the Unix epoch. */
  readonly now: number;
  /** True when the policy of the key that signed allows an action. */
  readonly allows: (action: string, bucket: string, key: string) => boolean;
}

/** A request on its way to the backend. */
export interface WriteCall {
  readonly exchange: Exchange;
  readonly target: Target;
  readonly context: RequestContext;
  readonly backend: S3Backend;
  readonly writes: S3WriteBackend;
  /** What the signature covers of the body; undefined for a request without a signature. */
  readonly payloadHash: string | undefined;
  /** Secret of the key that signed the request. */
  readonly secret: string | undefined;
  readonly region: string;
  readonly stallTimeoutMs: number;
  /** True when the policy of the request's key allows a further action. */
  readonly allows: (action: string, bucket: string, key: string) => boolean;
  /** Proves the policy that a form carries in the place of a signed request. @throws S3Error */
  readonly proveForm: (claim: PolicyClaim) => FormProof;
}

/** The error of what the policy forbids. */
export function accessDenied(): S3Error {
  return new S3Error("AccessDenied", "Access Denied");
}

/**
 * Opens the request's body. Without `checksummed` the checksum headers are of something else than the body.
 * @throws S3Error for what its headers say of it
 */
export function bodyOf(
  call: WriteCall,
  maxBytes: number = MAX_PUT_BYTES,
  checksummed: boolean = true,
): Promise<UfsWriteBody> {
  const { exchange, target, payloadHash, secret } = call;
  const { req, res } = exchange;
  const payload = parsePayload(req.headers, payloadHash, maxBytes, checksummed);
  let signer: ChunkSigner | undefined;
  if (payload.coding === "chunked-signed") {
    const seed = chunkSeed({ method: req.method ?? "", rawUrl: target.rawUrl, headers: req.headers });
    if (!seed || secret === undefined) throw accessDenied();
    signer = new ChunkSigner(seed, secret);
  }
  const gather = payload.coding === "plain" ? () => gatherBody(req, res, call.stallTimeoutMs) : undefined;
  return openBody(bodyPieces(req, res, call.stallTimeoutMs), payload, signer, gather);
}

/** True when the request has no body at all. */
export function hasNoBody(call: WriteCall): boolean {
  const { headers } = call.exchange.req;
  return headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;
}

/** Reads the document that the request carries. @throws S3Error MissingRequestBodyError, MaxMessageLengthExceeded and what openBody throws */
export async function documentOf(call: WriteCall, checksummed: boolean = true): Promise<Buffer> {
  if (hasNoBody(call)) throw new S3Error("MissingRequestBodyError", "Request Body is empty");
  try {
    return await readBody(await bodyOf(call, MAX_DOCUMENT_BYTES, checksummed));
  } catch (error) {
    if (error instanceof S3Error && error.s3Code === "EntityTooLarge") {
      throw new S3Error("MaxMessageLengthExceeded", "Your request was too big.", {
        MaxMessageLengthBytes: MAX_DOCUMENT_BYTES,
      });
    }
    throw error;
  }
}

/** The headers of a store's answer that clients are told. */
export function passedHeaders(headers: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of Object.keys(headers ?? {})) {
    if (/^x-amz-(server-side-encryption|expiration|object-lock|website-redirect|storage-class)/.test(name)) {
      passed[name] = headers?.[name] ?? "";
    }
  }
  return passed;
}
