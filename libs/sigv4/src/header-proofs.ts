/**
 * The short way to prove a request that is signed by header. Requests of one client differ in little: of the Authorization
 * header all but the signature stays the same for a day, and paths and values mostly stand in canonical form already. So what
 * the header claims is taken apart once and kept, and a request whose parts are plain costs three hashes and little more.
 *
 * It only ever says yes, and only where verifyRequest would: a request that is odd in any way, or whose signature is not the
 * expected one, is left to verifyRequest, which knows the other forms and S3's words for each refusal.
 */
import { timingSafeEqual } from "node:crypto";
import { type Claim, parseAuthorization } from "./authorization.ts";
import { isPlainValue, plainRequest } from "./canonical.ts";
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

/** What an Authorization header says in front of its signature. */
interface Opening {
  readonly text: string;
  readonly service: string;
  readonly claim: Claim;
  /** The signed names, joined as the canonical request has them. */
  readonly names: string;
  /** Signs by the secret below. */
  signer: RequestSigner | undefined;
  secret: string;
  /** Values of the signed headers that were found plain last: most of a client's stay the same. */
  readonly plain: string[];
}

const SIGNATURE_CHARS = 64;
const PLACEHOLDER = "0".repeat(SIGNATURE_CHARS);
/** Openings that are kept, one a key, day, region and set of signed headers; the oldest goes first. */
const MAX_OPENINGS = 256;
const MAX_OPENING_CHARS = 1024;
const MAX_KEPT_CHARS = 128;
/** Times that are kept; those of a second are the same, so that few are in use at once. */
const MAX_TIMES = 64;

/** Proves requests that are signed by header. */
export class HeaderProofs {
  readonly #openings = new Map<string, Opening>();
  readonly #times = new Map<string, number>();
  #last: Opening | undefined;
  readonly #expected = Buffer.alloc(SIGNATURE_CHARS);
  readonly #given = Buffer.alloc(SIGNATURE_CHARS);

  /** What verifyRequest would say, if that is yes; undefined when it must be asked. `header` is the request's Authorization. */
  prove(request: ReceivedRequest, header: string, options: VerifyOptions): Verified | undefined {
    if (request.rawUrl.includes("?")) return undefined;
    const opening = this.#openingOf(header, options.service ?? "s3");
    if (opening === undefined) return undefined;
    const { claim } = opening;
    const amzDate = request.headers["x-amz-date"];
    const payloadHash = request.headers["x-amz-content-sha256"];
    if (typeof amzDate !== "string" || typeof payloadHash !== "string") return undefined;
    if (!amzDate.startsWith(claim.scope.day) || checkPayloadHash(payloadHash) !== undefined) return undefined;
    const ageMs = Math.abs(this.#timeOf(amzDate) - options.now);
    // Also for a time that is none, which is NaN.
    if (!(ageMs <= (options.maxSkewMs ?? DEFAULT_MAX_SKEW_MS))) return undefined;
    const token = request.headers["x-amz-security-token"];
    if (typeof token === "object") return undefined;
    const credentials = credentialsOf(claim, token, options);
    if ("ok" in credentials || !signsEnough(request, claim)) return undefined;
    const lines = plainLines(request, opening);
    if (lines === undefined) return undefined;
    const text = plainRequest(request.method, request.rawUrl, lines, opening.names, payloadHash);
    if (text === undefined) return undefined;
    if (opening.signer === undefined || opening.secret !== credentials.secretAccessKey) {
      opening.signer = signerOf(credentials.secretAccessKey, claim.scope);
      opening.secret = credentials.secretAccessKey;
    }
    const expected = opening.signer.sign(amzDate, text);
    const given = header.slice(-SIGNATURE_CHARS);
    this.#expected.write(expected, 0, "latin1");
    this.#given.write(given, 0, "latin1");
    // The second comparison is for characters wider than the byte that was compared.
    if (!timingSafeEqual(this.#expected, this.#given) || given !== expected) return undefined;
    return { ok: true, accessKeyId: claim.accessKeyId, payloadHash, kind: "header" };
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
    const names = claim.signedHeaders.join(";");
    const opening = {
      text: copy(text),
      service,
      claim,
      names,
      signer: undefined,
      secret: "",
      plain: claim.signedHeaders.map(() => ""),
    };
    if (this.#openings.size >= MAX_OPENINGS) this.#openings.delete(this.#openings.keys().next().value ?? "");
    this.#openings.set(opening.text, opening);
    return opening;
  }

  /** Milliseconds since the Unix epoch; NaN for what is no time. */
  #timeOf(amzDate: string): number {
    const known = this.#times.get(amzDate);
    if (known !== undefined) return known;
    const ms = parseAmzDate(amzDate) ?? Number.NaN;
    if (this.#times.size >= MAX_TIMES) this.#times.delete(this.#times.keys().next().value ?? "");
    this.#times.set(copy(amzDate), ms);
    return ms;
  }
}

/** Host and every x-amz-* header must be signed; characters wider than a byte in what is not signed are verifyRequest's to refuse. */
function signsEnough({ headers }: ReceivedRequest, { signedHeaders }: Claim): boolean {
  if (!signedHeaders.includes("host")) return false;
  for (const name in headers) {
    if (signedHeaders.includes(name) || name === "authorization") continue;
    if (name.startsWith("x-amz-") || isWide(headers[name])) return false;
  }
  return true;
}

/** The lines of the signed headers; undefined where one does not stand in canonical form as it is. */
function plainLines(request: ReceivedRequest, { claim, plain }: Opening): string | undefined {
  let lines = "";
  const { signedHeaders } = claim;
  for (let at = 0; at < signedHeaders.length; at++) {
    const name = signedHeaders[at]!;
    const value = headerValue(request, name);
    if (value !== plain[at]) {
      if (!isPlainValue(value)) return undefined;
      // A range is another each time.
      if (name !== "range" && value.length <= MAX_KEPT_CHARS) plain[at] = copy(value);
    }
    lines += `${name}:${value}\n`;
  }
  return lines;
}

/** A slice of a request's head would keep the whole head in memory. */
function copy(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
