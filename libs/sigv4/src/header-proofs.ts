/**
 * The short way to prove a request that is signed by header. Requests of one client differ in little: of the Authorization
 * header all but the signature stays the same for a day, and paths and values mostly stand in canonical form already. So what
 * the header claims is taken apart once and kept, and a request whose parts are plain costs three hashes and little more.
 *
 * It only ever says yes, and only where verifyRequest would: a request that is odd in any way, or whose signature is not the
 * expected one, is left to verifyRequest, which knows the other forms and S3's words for each refusal.
 */
import { RecentMap } from "@ringlight/core";
import { type Claim, parseAuthorization } from "./authorization.ts";
import { isPlainPath, isPlainValue } from "./canonical.ts";
import { parseAmzDate, type RequestSigner, signerOf } from "./signing-key.ts";
import {
  checkPayloadHash,
  credentialsOf,
  DEFAULT_MAX_SKEW_MS,
  headerValue,
  isWide,
  type ReceivedRequest,
  type Verified,
  type VerifyOptions,
} from "./verify.ts";

/** What an Authorization header says in front of its signature, and what else was the same in the last request that had it. */
interface Opening {
  readonly text: string;
  readonly service: string;
  readonly claim: Claim;
  /** Signs by the secret below. */
  signer: RequestSigner | undefined;
  secret: string;
  /** Values of the signed headers, plain ones; undefined where they are others each time. */
  readonly values: (string | undefined)[];
  /** What stands between the values that are others each time, from behind the path on; none before the first request. */
  pieces: readonly string[];
  amzDate: string;
  /** Milliseconds since the Unix epoch; NaN for what is no time. */
  signedMs: number;
  payloadHash: string;
}

const SIGNATURE_CHARS = 64;
const PLACEHOLDER = "0".repeat(SIGNATURE_CHARS);
/** Openings that are kept, one a key, day, region and set of signed headers; the oldest goes first. */
const MAX_OPENINGS = 256;
const MAX_OPENING_CHARS = 1024;
/** Signed headers that are others each time. */
const FRESH_NAMES = new Set(["range", "amz-sdk-invocation-id"]);
const SMALL_X = 120;

/** Proves requests that are signed by header. */
export class HeaderProofs {
  readonly #openings = new RecentMap<Opening>(MAX_OPENINGS);
  #last: Opening | undefined;

  /** What verifyRequest would say, if that is yes; undefined when it must be asked. `header` is the request's Authorization. */
  prove(request: ReceivedRequest, header: string, options: VerifyOptions): Verified | undefined {
    const opening = this.#openingOf(header, options.service ?? "s3");
    if (opening === undefined) return undefined;
    const { claim } = opening;
    if (!followsLast(request, opening) && !follow(request, opening)) return undefined;
    const ageMs = Math.abs(opening.signedMs - options.now);
    // Also for a time that is none, which is NaN.
    if (!(ageMs <= (options.maxSkewMs ?? DEFAULT_MAX_SKEW_MS))) return undefined;
    const token = request.headers["x-amz-security-token"];
    if (typeof token === "object") return undefined;
    const credentials = credentialsOf(claim, token, options);
    if ("ok" in credentials || !signsEnough(request, claim)) return undefined;
    const text = textOf(request, opening);
    if (text === undefined) return undefined;
    if (opening.signer === undefined || opening.secret !== credentials.secretAccessKey) {
      opening.signer = signerOf(credentials.secretAccessKey, claim.scope);
      opening.secret = credentials.secretAccessKey;
    }
    if (!opening.signer.proves(opening.amzDate, text, header.slice(-SIGNATURE_CHARS))) return undefined;
    return { ok: true, accessKeyId: claim.accessKeyId, payloadHash: opening.payloadHash, kind: "header" };
  }

  #openingOf(header: string, service: string): Opening | undefined {
    const last = this.#last;
    const length = header.length - SIGNATURE_CHARS;
    if (length <= 0 || length > MAX_OPENING_CHARS) return undefined;
    const text = header.slice(0, length);
    if (last?.text === text && last.service === service) return last;
    const known = this.#openings.get(text);
    if (known?.service === service) {
      this.#last = known;
      return known;
    }
    if (!text.endsWith("Signature=") || header.includes(",", length)) return undefined;
    const claim = parseAuthorization(`${text}${PLACEHOLDER}`, service);
    // The end of the header is its signature, and nothing else is.
    if (!claim.ok || claim.signature !== PLACEHOLDER) return undefined;
    const opening: Opening = {
      text: copy(text),
      service,
      claim,
      signer: undefined,
      secret: "",
      values: claim.signedHeaders.map((name) => (FRESH_NAMES.has(name) ? undefined : "")),
      pieces: [],
      amzDate: "",
      signedMs: Number.NaN,
      payloadHash: "",
    };
    this.#openings.set(opening.text, opening);
    return opening;
  }
}

/** Whether the headers of the request are those of the last one, but for those that are others each time. */
function followsLast(request: ReceivedRequest, { claim, values, pieces, amzDate, payloadHash }: Opening): boolean {
  const { headers } = request;
  if (pieces.length === 0 || headers["x-amz-date"] !== amzDate) return false;
  if (headers["x-amz-content-sha256"] !== payloadHash) return false;
  const { signedHeaders } = claim;
  for (let at = 0; at < signedHeaders.length; at++) {
    const value = values[at];
    if (value !== undefined && value !== headerValue(request, signedHeaders[at]!)) return false;
  }
  return true;
}

/** Takes the request's headers for those of the opening; false where they are not plain. */
function follow(request: ReceivedRequest, opening: Opening): boolean {
  const { claim, values } = opening;
  const amzDate = request.headers["x-amz-date"];
  const payloadHash = request.headers["x-amz-content-sha256"];
  opening.pieces = [];
  if (typeof amzDate !== "string" || typeof payloadHash !== "string") return false;
  if (!amzDate.startsWith(claim.scope.day) || checkPayloadHash(payloadHash) !== undefined) return false;
  const pieces: string[] = [];
  let piece = "";
  for (let at = 0; at < values.length; at++) {
    const name = claim.signedHeaders[at]!;
    if (values[at] === undefined) {
      pieces.push(copy(`${piece}${name}:`));
      piece = "\n";
      continue;
    }
    const value = headerValue(request, name);
    if (!isPlainValue(value)) return false;
    values[at] = copy(value);
    piece += `${name}:${value}\n`;
  }
  pieces.push(copy(`${piece}\n${claim.signedHeaders.join(";")}\n${payloadHash}`));
  opening.pieces = pieces;
  opening.amzDate = copy(amzDate);
  opening.signedMs = parseAmzDate(amzDate) ?? Number.NaN;
  opening.payloadHash = copy(payloadHash);
  return true;
}

/** The canonical request of one that follows its opening; undefined where its path, or one of the values that are others each time, is not plain. */
function textOf(request: ReceivedRequest, { claim, pieces, values }: Opening): string | undefined {
  const { rawUrl } = request;
  if (!isPlainPath(rawUrl)) return undefined;
  let text = `${request.method}\n${rawUrl}\n\n${pieces[0]}`;
  for (let at = 0, piece = 1; piece < pieces.length; at++) {
    if (values[at] !== undefined) continue;
    const value = headerValue(request, claim.signedHeaders[at]!);
    if (!isPlainValue(value)) return undefined;
    text += value + pieces[piece++];
  }
  return text;
}

/** Host and every x-amz-* header must be signed; characters wider than a byte in what is not signed are verifyRequest's to refuse. */
function signsEnough({ headers, isBytes }: ReceivedRequest, { signedHeaders }: Claim): boolean {
  if (!signedHeaders.includes("host")) return false;
  for (const name in headers) {
    if (isBytes && name.charCodeAt(0) !== SMALL_X) continue;
    if (signedHeaders.includes(name) || name === "authorization") continue;
    if (name.startsWith("x-amz-") || isWide(headers[name])) return false;
  }
  return true;
}

/** A slice of a request's head would keep the whole head in memory. */
function copy(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
