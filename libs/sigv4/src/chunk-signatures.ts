/**
 * Signatures of a body sent in chunks (STREAMING-AWS4-HMAC-SHA256-PAYLOAD): each chunk's covers its bytes and the signature
 * before it, beginning with that of the request, so that no chunk can be changed, left out or put elsewhere.
 */
import { createHash, createHmac, type Hash, timingSafeEqual } from "node:crypto";
import { type Claim, parseAuthorization, parsePresigned } from "./authorization.ts";
import { EMPTY_PAYLOAD_HASH, parseQuery, splitTarget } from "./canonical.ts";
import { formatAmzDate, formatScope, parseAmzDate, type Scope, signingKey } from "./signing-key.ts";
import type { ReceivedRequest } from "./verify.ts";

/** Where a chain of signatures begins. */
export interface ChunkSeed {
  /** Signature of the request, in hex. */
  readonly signature: string;
  readonly scope: Scope;
  /** Time of the request as 20130524T000000Z. */
  readonly amzDate: string;
}

function text(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

function headerDate(request: ReceivedRequest): string {
  const date = text(request.headers["x-amz-date"]) ?? text(request.headers.date) ?? "";
  if (parseAmzDate(date) !== undefined) return date;
  const ms = Date.parse(date);
  return Number.isNaN(ms) ? "" : formatAmzDate(new Date(ms));
}

/** The seed of a request that was verified; undefined for one that is not signed. */
export function chunkSeed(request: ReceivedRequest): ChunkSeed | undefined {
  const header = text(request.headers.authorization);
  const seed = (claim: Claim, amzDate: string) => ({ signature: claim.signature, scope: claim.scope, amzDate });
  if (header !== undefined) {
    const claim = parseAuthorization(header, "s3");
    return claim.ok ? seed(claim, headerDate(request)) : undefined;
  }
  const claim = parsePresigned(parseQuery(splitTarget(request.rawUrl).query), "s3");
  return claim.ok ? seed(claim, claim.amzDate) : undefined;
}

/** Makes, and with `verify…` checks, the signatures of one body's chunks, in order. */
export class ChunkSigner {
  readonly #key: Buffer;
  readonly #stamp: string;
  #previous: string;
  #hash: Hash = createHash("sha256");

  constructor(seed: ChunkSeed, secret: string) {
    this.#key = signingKey(secret, seed.scope);
    this.#stamp = `${seed.amzDate}\n${formatScope(seed.scope)}`;
    this.#previous = seed.signature;
  }

  /** Takes bytes of the chunk. */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Ends the chunk and gives its signature, in hex. */
  signChunk(): string {
    const payload = this.#hash.digest("hex");
    this.#hash = createHash("sha256");
    return this.#sign("AWS4-HMAC-SHA256-PAYLOAD", `${EMPTY_PAYLOAD_HASH}\n${payload}`);
  }

  /** The signature of the trailer: its lines as "name:value\n", names in lower case, each once. */
  signTrailer(lines: string): string {
    return this.#sign("AWS4-HMAC-SHA256-TRAILER", createHash("sha256").update(lines, "latin1").digest("hex"));
  }

  /** Ends the chunk. False when the signature is not its own; nothing after that has any meaning. */
  verifyChunk(signature: string): boolean {
    return same(this.signChunk(), signature);
  }

  /** False when the signature is not that of the trailer. */
  verifyTrailer(lines: string, signature: string): boolean {
    return same(this.signTrailer(lines), signature);
  }

  #sign(kind: string, hashes: string): string {
    const signed = `${kind}\n${this.#stamp}\n${this.#previous}\n${hashes}`;
    this.#previous = createHmac("sha256", this.#key).update(signed).digest("hex");
    return this.#previous;
  }
}

function same(expected: string, given: string): boolean {
  const left = Buffer.from(expected, "latin1");
  const right = Buffer.from(given, "latin1");
  return left.length === right.length && timingSafeEqual(left, right);
}
