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
const CR = 13;
const LF = 10;
const COLON = 58;

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

/** One header as it stood in a head. */
interface Line {
  /** Without the line's end; undefined for one that is another each time. */
  readonly text: string | undefined;
  /** The name as it was written. */
  readonly raw: string;
  readonly name: Name;
  readonly value: string;
}

/** The lines of the last head in their order: the next one of the store has the same names, and often the same values. */
const lastLines: Line[] = [];

/**
 * Parses a head.
 * @param text the head without its closing empty line, one character a byte (latin1)
 * @param toHead the request was a HEAD: the answer has no body whatever its head says
 * @throws MalformedResponse
 */
export function parseHead(text: string, toHead: boolean): ResponseHead {
  let lineEnd = text.indexOf("\r\n");
  if (lineEnd < 0) lineEnd = text.length;
  const { status, is11 } = statusOf(text, lineEnd);
  const headers: Record<string, string> = {};
  let count = 0;
  let isPlain = true;
  for (let at = lineEnd + 2; at < text.length; at = lineEnd + 2) {
    const last = lastLines[count];
    let value: string;
    let known: Name;
    if (last?.text !== undefined && isLineAt(text, last.text, at)) {
      lineEnd = at + last.text.length;
      ({ value, name: known } = last);
    } else {
      lineEnd = text.indexOf("\r\n", at);
      if (lineEnd < 0) lineEnd = text.length;
      const isSameName =
        last !== undefined && text.charCodeAt(at + last.raw.length) === COLON && text.startsWith(last.raw, at);
      const colon = isSameName ? at + last.raw.length : text.indexOf(":", at);
      const raw = isSameName ? last.raw : text.slice(at, colon < 0 || colon > lineEnd ? lineEnd : colon);
      if (colon < 0 || colon > lineEnd) throw malformed(`a header line is ${shown(raw)}`);
      known = isSameName ? last.name : nameOf(raw);
      value = keptValue(trimBlanks(text, colon + 1, lineEnd), known);
      if (BAD_VALUE.test(value)) throw malformed(`header ${known.name} holds a control character`);
      if (!isSameName) noteLine(count, text.slice(at, lineEnd), raw, known, value);
      else if (last.text !== undefined) lastLines[count] = { ...last, text: undefined };
    }
    const { name, tells } = known;
    if (tells) isPlain = false;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] = `${before}, ${value}`;
    else if (before !== value) throw malformed(`header ${name} is given twice: ${shown(before)} and ${shown(value)}`);
    if (++count > MAX_HEADERS) throw malformed(`it has more than ${MAX_HEADERS} headers`);
  }
  return finish(status, is11, headers, isPlain, toHead);
}

/** Lines that are kept, and their greatest length. */
const MAX_LAST_LINES = 32;
const MAX_LAST_LENGTH = 256;

interface Status {
  readonly text: string;
  readonly status: number;
  readonly is11: boolean;
}

let lastStatus: Status = { text: "", status: 0, is11: false };

function statusOf(text: string, lineEnd: number): Status {
  if (lineEnd === lastStatus.text.length && lineEnd > 0 && text.startsWith(lastStatus.text)) return lastStatus;
  const line = text.slice(0, lineEnd);
  const status = STATUS_LINE.exec(line);
  if (status === null) throw malformed(`it begins with ${shown(line)}`);
  const parsed = { text: own(line), status: Number(status[2]), is11: status[1] === "1" };
  if (line.length <= MAX_LAST_LENGTH) lastStatus = parsed;
  return parsed;
}

/** Whether the whole line that begins there is that one. */
function isLineAt(text: string, line: string, at: number): boolean {
  const end = at + line.length;
  if (end !== text.length && (text.charCodeAt(end) !== CR || text.charCodeAt(end + 1) !== LF)) return false;
  return text.startsWith(line, at);
}

function noteLine(place: number, text: string, raw: string, name: Name, value: string): void {
  if (place >= MAX_LAST_LINES || text.length > MAX_LAST_LENGTH) return;
  lastLines[place] = { text: own(text), raw: own(raw), name, value: own(value) };
}

interface Name {
  /** In lower case. */
  readonly name: string;
  /** It is one of S3's own that may say something of an object. */
  readonly tells: boolean;
  /** Its values: many objects have the same; each has its own; or each answer has, and nobody keeps it. */
  readonly values: "shared" | "own" | "passing";
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
  // Every object has names of its own, as "constructor".
  if (name in {}) throw malformed(`a header's name is ${shown(name)}`);
  const ofRequests = OF_REQUESTS.has(name);
  const values = ofRequests ? "passing" : name === "etag" ? "own" : "shared";
  const checked: Name = { name, tells: name.startsWith("x-amz-") && !ofRequests, values };
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
function keptValue(part: string, name: Name): string {
  if (name.values === "passing") return part;
  if (name.values === "own") return own(part);
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
  const keepAlive = headers["keep-alive"];
  const hint = keepAlive === undefined ? null : /timeout=(\d{1,6})/.exec(keepAlive);
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
