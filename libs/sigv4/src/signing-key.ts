/** Credentials, scopes and the keys derived from them. */
import { createHmac } from "node:crypto";

/** An access key pair. Never log it. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Token of temporary credentials. */
  readonly sessionToken?: string;
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
const keptKeys = new Map<string, Buffer>();

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

/** The signing key of a secret for a scope: four HMACs, made once and kept. */
export function signingKey(secret: string, scope: Scope): Buffer {
  const name = `${scope.day}/${scope.region}/${scope.service}/${secret}`;
  const kept = keptKeys.get(name);
  if (kept) return kept;
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, scope.day), scope.region), scope.service), "aws4_request");
  if (keptKeys.size >= MAX_KEPT_KEYS) keptKeys.delete(keptKeys.keys().next().value ?? "");
  keptKeys.set(name, key);
  return key;
}

/** A scope as the credential and the string to sign carry it. */
export function formatScope(scope: Scope): string {
  return `${scope.day}/${scope.region}/${scope.service}/aws4_request`;
}

/** The signature, in hex, of a canonical request's hash at a time written as 20130524T000000Z. */
export function signatureOf(secret: string, scope: Scope, amzDate: string, requestHash: string): string {
  const stringToSign = `${ALGORITHM}\n${amzDate}\n${formatScope(scope)}\n${requestHash}`;
  return createHmac("sha256", signingKey(secret, scope)).update(stringToSign).digest("hex");
}

/** A time as 20130524T000000Z. */
export function formatAmzDate(date: Date): string {
  return date.toISOString().replace(/[:-]|\.\d{3}/g, "");
}

/** Milliseconds since the Unix epoch of a time as 20130524T000000Z; undefined for anything else, impossible dates included. */
export function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!match) return undefined;
  const ms = Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
  // Date.parse takes 31 February for 3 March; a real date comes back as it was written.
  return Number.isNaN(ms) || formatAmzDate(new Date(ms)) !== text ? undefined : ms;
}
