/** Credentials, scopes and the keys derived from them. */

import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { RecentMap } from "@ringlight/core";

/** An access key pair. Never log it. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Token of temporary credentials. */
  readonly sessionToken?: string;
}

/** Compares signatures in a time that does not depend on where they differ. */
export function sameSignature(expected: string, given: string): boolean {
  // Characters that are wider than a byte are several here.
  const left = Buffer.from(expected, "utf8");
  const right = Buffer.from(given, "utf8");
  return left.length === right.length && timingSafeEqual(left, right);
}

/** What a signature is good for: one day, one region, one service. */
export interface Scope {
  /** Day as YYYYMMDD. */
  readonly day: string;
  readonly region: string;
  readonly service: string;
}

/** Name of the one algorithm that is spoken here. */
export const ALGORITHM = "AWS4-HMAC-SHA256";

/** Keys that are kept; the oldest goes first. A key lives for a day, so that few are ever in use at once. */
const MAX_KEPT_KEYS = 256;
const keptKeys = new RecentMap<Buffer>(MAX_KEPT_KEYS);

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

/** The signing key of a secret for a scope: four HMACs, made once and kept. */
export function signingKey(secret: string, scope: Scope): Buffer {
  const name = `${scope.day}/${scope.region}/${scope.service}/${secret}`;
  const kept = keptKeys.get(name);
  if (kept) return kept;
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, scope.day), scope.region), scope.service), "aws4_request");
  keptKeys.set(name, key);
  return key;
}

/** A scope as the credential and the string to sign carry it. */
export function formatScope(scope: Scope): string {
  return `${scope.day}/${scope.region}/${scope.service}/aws4_request`;
}

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** What is signed has a time, a scope and a hash, and is shorter; a longer one (a strange region) takes the slow way. */
const MAX_TEXT = 512;
/** Text of ASCII is hashed as it is: as bytes of UTF-8, which are the same. */
const ASCII = /^[\0-\x7f]*$/;

/** Signs in one call where an addon can: HMAC-SHA256 under a key of an opening and the SHA-256, in hex, of a text. */
export interface TextSigner {
  hmacPads(key: Uint8Array): Buffer;
  /** Undefined for what is too long for it. */
  signText(pads: Buffer, opening: string, text: string): string | undefined;
  /** Whether a signature is that one, told in a time that does not depend on where they differ; undefined as there. */
  provesText(pads: Buffer, opening: string, text: string, given: string): boolean | undefined;
}

let textSigner: TextSigner | undefined;

/** Has all signatures of requests made by this from now on; without one, node:crypto makes them. */
export function useTextSigner(signer: TextSigner | undefined): void {
  textSigner = signer;
  keptSigners.clear();
}

/**
 * Signatures under the key of a secret for a scope. In JavaScript an HMAC (RFC 2104) is two one-shot hashes over blocks that are
 * filled beforehand: an Hmac object for each signature, with the key object behind it, costs about ten times the hashing.
 */
export class RequestSigner {
  readonly #key: Buffer;
  readonly #scope: string;
  readonly #native = textSigner;
  readonly #pads: Buffer | undefined;
  readonly #inner = Buffer.alloc(BLOCK_BYTES + MAX_TEXT, 0x36);
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES, 0x5c);
  /** The time that was signed last, and the opening of its texts: those of a second have the same. */
  #amzDate = "";
  #opening = "";
  /** The beginning of the inner block that was hashed last: texts are of few lengths, and making a view costs a third of a hash. */
  #filled = this.#inner.subarray(0, BLOCK_BYTES);

  constructor(key: Buffer, scope: string) {
    this.#key = key;
    this.#scope = scope;
    this.#pads = this.#native?.hmacPads(key);
    for (let at = 0; at < key.length; at++) {
      this.#inner[at]! ^= key[at]!;
      this.#outer[at]! ^= key[at]!;
    }
  }

  /** The signature, in hex, of a canonical request, one character a byte, at a time written as 20130524T000000Z. */
  sign(amzDate: string, canonicalRequest: string): string {
    const opening = this.#openingOf(amzDate);
    const signed = this.#pads && this.#native?.signText(this.#pads, opening, canonicalRequest);
    if (signed !== undefined) return signed;
    const bytes = ASCII.test(canonicalRequest) ? canonicalRequest : Buffer.from(canonicalRequest, "latin1");
    return this.#hmac(opening + hash("sha256", bytes, "hex"));
  }

  /** Whether that is the signature; how long it takes says nothing about where they differ. */
  proves(amzDate: string, canonicalRequest: string, given: string): boolean {
    const proved =
      this.#pads && this.#native?.provesText(this.#pads, this.#openingOf(amzDate), canonicalRequest, given);
    return proved ?? sameSignature(this.sign(amzDate, canonicalRequest), given);
  }

  #openingOf(amzDate: string): string {
    if (amzDate !== this.#amzDate) {
      // A copy: what is a slice of a request's head would keep the whole head in memory.
      this.#amzDate = Buffer.from(amzDate, "latin1").toString("latin1");
      this.#opening = `${ALGORITHM}\n${this.#amzDate}\n${this.#scope}\n`;
    }
    return this.#opening;
  }

  #hmac(text: string): string {
    if (text.length * 3 > MAX_TEXT) return createHmac("sha256", this.#key).update(text).digest("hex");
    const length = this.#inner.write(text, BLOCK_BYTES, "utf8");
    if (this.#filled.length !== BLOCK_BYTES + length) this.#filled = this.#inner.subarray(0, BLOCK_BYTES + length);
    this.#outer.write(hash("sha256", this.#filled, "binary"), BLOCK_BYTES, "latin1");
    return hash("sha256", this.#outer, "hex");
  }
}

const keptSigners = new Map<Buffer, RequestSigner>();

/** What signs under a secret's key for a scope, kept. */
export function signerOf(secret: string, scope: Scope): RequestSigner {
  const key = signingKey(secret, scope);
  const kept = keptSigners.get(key);
  if (kept) return kept;
  const signer = new RequestSigner(key, formatScope(scope));
  if (keptSigners.size >= MAX_KEPT_KEYS) keptSigners.clear();
  keptSigners.set(key, signer);
  return signer;
}

/** The second that was formatted last, of the Unix epoch, and its text: requests are signed many a second. */
let formattedSecond = Number.NaN;
let formattedText = "";

/** A time as 20130524T000000Z. */
export function formatAmzDate(date: Date): string {
  const second = Math.floor(date.getTime() / 1000);
  if (second !== formattedSecond) {
    formattedText = date.toISOString().replace(/[:-]|\.\d{3}/g, "");
    formattedSecond = second;
  }
  return formattedText;
}

/** Milliseconds since the Unix epoch of a time as 20130524T000000Z; undefined for anything else, impossible dates included. */
export function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!match) return undefined;
  const ms = Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
  // Date.parse takes 31 February for 3 March; a real date comes back as it was written.
  return Number.isNaN(ms) || formatAmzDate(new Date(ms)) !== text ? undefined : ms;
}
