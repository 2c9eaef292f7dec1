/**
 * A strict parser of the heads of HTTP/1.1 answers (RFC 9112). What two readers could understand in two ways is refused:
 * bare line feeds, folded lines, a length that is given twice with two values or beside a transfer coding, codings other
 * than chunked. A cache that guesses keeps what it guessed.
 */

/** How the end of an answer's body is known: its length in bytes, chunks, or the end of the connection. */
export type BodyFraming = number | "chunked" | "close";

/** The head of an answer. */
export interface ResponseHead {
  readonly status: number;
  /** Names in lower case; values of a repeated name are joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  /** No header of S3's own is among them that says something of an object. */
  readonly isPlain: boolean;
  readonly framing: BodyFraming;
  /** The connection may be used again after the body. */
  readonly keepAlive: boolean;
  /** Seconds for which the store keeps an idle connection, where it says so. */
  readonly keepAliveS: number | undefined;
}

/** An answer that is not HTTP/1.1 as it must be, or too large a head. */
export class MalformedResponse extends Error {
  override readonly name = "MalformedResponse";
}

/** Longest head, bytes. */
export const MAX_HEAD_BYTES = 64 * 1024;
const MAX_HEADERS = 256;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a value must not hold
const BAD_VALUE = /[\x00-\x08\x0a-\x1f\x7f]/;
/** Headers of which a second one would leave open which of the two holds. */
const SINGLE = new Set(["content-length", "content-range", "etag", "transfer-encoding", "location"]);

const malformed = (what: string) => new MalformedResponse(`the answer is not HTTP/1.1: ${what}`);

/** Shows a piece of an answer in an error's text. */
function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

/**
 * Where the head ends, which is where the body begins; -1 while the empty line has not come.
 * @param from offset up to which the bytes were searched before
 */
export function headEnd(bytes: Buffer, from: number): number {
  const at = bytes.indexOf("\r\n\r\n", Math.max(0, from - 3), "latin1");
  return at < 0 ? -1 : at + 4;
}

/**
 * Parses a head.
 * @param text the head without its closing empty line, one character a byte (latin1)
 * @param toHead the request was a HEAD: the answer has no body whatever its head says
 * @throws MalformedResponse
 */
export function parseHead(text: string, toHead: boolean): ResponseHead {
  let lineEnd = text.indexOf("\r\n");
  if (lineEnd < 0) lineEnd = text.length;
  const status = STATUS_LINE.exec(text.slice(0, lineEnd));
  if (status === null) throw malformed(`it begins with ${shown(text.slice(0, lineEnd))}`);
  const headers: Record<string, string> = Object.create(null);
  let count = 0;
  let isPlain = true;
  for (let at = lineEnd + 2; at < text.length; at = lineEnd + 2) {
    lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) lineEnd = text.length;
    const colon = text.indexOf(":", at);
    const rawName = text.slice(at, colon < 0 || colon > lineEnd ? lineEnd : colon);
    if (colon < 0 || colon > lineEnd) throw malformed(`a header line is ${shown(rawName)}`);
    const { name, tells } = nameOf(rawName);
    if (tells) isPlain = false;
    const value = keptValue(trimBlanks(text, colon + 1, lineEnd));
    if (BAD_VALUE.test(value)) throw malformed(`header ${name} holds a control character`);
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] = `${before}, ${value}`;
    else if (before !== value) throw malformed(`header ${name} is given twice: ${shown(before)} and ${shown(value)}`);
    if (++count > MAX_HEADERS) throw malformed(`it has more than ${MAX_HEADERS} headers`);
  }
  return finish(Number(status[2]), status[1] === "1", headers, isPlain, toHead);
}

interface Name {
  /** In lower case. */
  readonly name: string;
  /** It is one of S3's own that may say something of an object. */
  readonly tells: boolean;
}

/** Names that were checked: a store sends the same few again and again. */
const names = new Map<string, Name>();
const MAX_NAMES = 256;
/** Of S3's own, what names the request and not the object. */
const OF_REQUESTS = new Set(["x-amz-request-id", "x-amz-id-2"]);

function nameOf(raw: string): Name {
  const known = names.get(raw);
  if (known !== undefined) return known;
  if (!NAME.test(raw)) throw malformed(`a header line is ${shown(raw)}`);
  const name = own(raw).toLowerCase();
  const checked = { name, tells: name.startsWith("x-amz-") && !OF_REQUESTS.has(name) };
  if (names.size < MAX_NAMES) names.set(own(raw), checked);
  return checked;
}

/** Values that came lately, most of which come with every answer of a store. */
const values = new Map<string, string>();
const MAX_VALUES = 256;

/**
 * A value that does not keep the whole head in memory, as a part of its text would: what is known of an object is kept for
 * long, and a head is ten times as long.
 */
function keptValue(part: string): string {
  const known = values.get(part);
  if (known !== undefined) return known;
  const value = own(part);
  if (values.size === MAX_VALUES) values.clear();
  values.set(value, value);
  return value;
}

function own(part: string): string {
  return Buffer.from(part, "latin1").toString("latin1");
}

function finish(
  status: number,
  is11: boolean,
  headers: Record<string, string>,
  isPlain: boolean,
  toHead: boolean,
): ResponseHead {
  const connection = headers.connection?.toLowerCase() ?? "";
  const framing = framingOf(status, headers, toHead);
  const asked = is11 ? !hasToken(connection, "close") : hasToken(connection, "keep-alive");
  const hint = /timeout=(\d{1,6})/.exec(headers["keep-alive"] ?? "");
  return {
    status,
    headers,
    isPlain,
    framing,
    keepAlive: asked && framing !== "close",
    keepAliveS: hint === null ? undefined : Number(hint[1]),
  };
}

function framingOf(status: number, headers: Record<string, string>, toHead: boolean): BodyFraming {
  const { "content-length": length, "transfer-encoding": coding } = headers;
  if (length !== undefined && (!/^\d{1,15}$/.test(length) || coding !== undefined)) {
    const what = coding === undefined ? shown(length) : "given beside Transfer-Encoding";
    throw malformed(`Content-Length is ${what}`);
  }
  if (coding !== undefined && coding.toLowerCase() !== "chunked") {
    throw malformed(`Transfer-Encoding is ${shown(coding)}, and only chunked is understood`);
  }
  if (toHead || status < 200 || status === 204 || status === 304) return 0;
  if (coding !== undefined) return "chunked";
  return length === undefined ? "close" : Number(length);
}

function hasToken(list: string, token: string): boolean {
  return list === token || (list !== "" && list.split(",").some((piece) => piece.trim() === token));
}

function trimBlanks(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
