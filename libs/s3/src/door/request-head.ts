/**
 * A strict parser of HTTP/1.1 request heads, for the requests that are read a hundred thousand times a second: GET and HEAD
 * without a body, and PUT, POST and DELETE whose body, if there is one, has a Content-Length, written the way every client
 * writes them. It has no opinion on anything else: what it does not fully understand is "foreign", and node:http, which then
 * gets the untouched bytes, decides what it is.
 *
 * So the rule that keeps requests from being smuggled is one-sided: whatever is taken here, node:http takes too, with the
 * same method, target and headers, and sees the same end of head and body (RFC 9112 §2.2, §5, §6; proved by
 * request-head.test.ts).
 */

/** A request that was understood. */
export interface RequestHead {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Target as on the request line; begins with "/". */
  readonly url: string;
  /** Names in lower case; no name occurs twice. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names and values in turn, as received. */
  readonly rawHeaders: string[];
  /** False when the client asked for the connection to be closed. */
  readonly keepAlive: boolean;
  /** Bytes of the body that follows the head. */
  readonly bodyBytes: number;
  /** Index of the first byte behind the head. */
  readonly end: number;
}

/** "partial": more bytes are needed. "foreign": node:http must decide. */
export type ParsedHead = RequestHead | "partial" | "foreign";

/** A longer head is foreign. */
export const MAX_HEAD_BYTES = 16 * 1024;
const MAX_HEADERS = 64;

const CR = 13;
const LF = 10;
const SPACE = 32;
const COLON = 58;

/** Classes of bytes: 1 in a target, 2 in a header's name, 4 in a header's value. */
const CLASS = new Uint8Array(256);
const TARGET = 1;
const NAME = 2;
const VALUE = 4;
for (let byte = 0x20; byte <= 0x7e; byte++) CLASS[byte] = VALUE;
for (const char of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") {
  CLASS[char.charCodeAt(0)]! |= TARGET | NAME;
}
for (const char of "._~!$&'()*+,;=:@/?%") CLASS[char.charCodeAt(0)]! |= TARGET;

/** Names that make a request more than a plain one, or that say in other ways where its body ends. */
const FOREIGN_NAMES = new Set([
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What is known of a header's name. */
interface FieldName {
  /** In lower case. */
  readonly low: string;
  /** "foreign": whoever sends it is node:http's. "told": its value decides something here. */
  readonly kind: "plain" | "told" | "foreign";
  /** The head that last had it. A name that is not remembered is new in each head, and told apart by its text. */
  seenIn: number;
}

/** One way of writing a name. */
interface WrittenName {
  readonly name: string;
  /** The same, and the colon. */
  readonly bytes: Uint8Array;
  /** Shared by all ways of writing it, of names that are remembered. */
  readonly field: FieldName;
  readonly isRemembered: boolean;
}

const TOLD_NAMES = new Set(["connection", "content-length", "expect"]);

/** Names by how they are written: clients write few, and always the same way. */
const writtenNames = new Map<string, WrittenName>();
const MAX_NAMES = 1024;
const MAX_NAME_LENGTH = 64;
/** Counts heads. */
let heads = 0;

function writtenName(name: string): WrittenName {
  return writtenNames.get(name) ?? newWrittenName(name);
}

function newWrittenName(text: string): WrittenName {
  // Copies: the name is a slice of its whole head, which it would keep in memory.
  const name = Buffer.from(text).toString();
  const low = Buffer.from(text.toLowerCase()).toString();
  const isKept = writtenNames.size < MAX_NAMES && name.length <= MAX_NAME_LENGTH;
  let field = writtenNames.get(low)?.field;
  if (field === undefined) {
    // Names that every object has, as "constructor", would be found in every collection of headers.
    const kind = FOREIGN_NAMES.has(low) || low in {} ? "foreign" : TOLD_NAMES.has(low) ? "told" : "plain";
    field = { low, kind, seenIn: 0 };
    if (isKept) writtenNames.set(low, written(low, field, true));
  }
  const made = written(name, field, isKept);
  if (isKept) writtenNames.set(name, made);
  return made;
}

function written(name: string, field: FieldName, isRemembered: boolean): WrittenName {
  return { name, bytes: Uint8Array.from(Buffer.from(`${name}:`)), field, isRemembered };
}

const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"] as const;
const PREFIXES = METHODS.map((method) => ({ method, bytes: Buffer.from(`${method} /`, "latin1") }));

/** The method of which the bytes are the request line, or may still become it. */
function methodAt(bytes: Buffer, start: number, end: number): RequestHead["method"] | undefined {
  return PREFIXES.find(({ bytes: prefix }) => {
    const length = Math.min(prefix.length, end - start);
    for (let at = 0; at < length; at++) if (bytes[start + at] !== prefix[at]) return false;
    return true;
  })?.method;
}

/** A length as it is written once; others may be read in two ways. */
const LENGTH = /^(?:0|[1-9]\d{0,14})$/;

/** Takes apart the head that begins at `start`; bytes from `end` on are not looked at. */
export function parseHead(bytes: Buffer, start: number, end: number): ParsedHead {
  if (end - start < 18) return methodAt(bytes, start, end) === undefined ? "foreign" : "partial";
  let method: RequestHead["method"];
  let at = start;
  if (bytes[at] === 71) {
    if (bytes[at + 1] !== 69 || bytes[at + 2] !== 84 || bytes[at + 3] !== SPACE) return "foreign";
    method = "GET";
    at += 4;
  } else {
    const other = methodAt(bytes, start, end);
    if (other === undefined) return "foreign";
    method = other;
    at += other.length + 1;
  }
  if (bytes[at] !== 47) return "foreign";
  const last = Math.min(end, start + MAX_HEAD_BYTES);
  // Running out of bytes means "partial", unless the head is too long to be waited for.
  const short = last < end || end - start >= MAX_HEAD_BYTES ? "foreign" : "partial";
  const urlStart = at;
  while (at < last && (CLASS[bytes[at]!]! & TARGET) !== 0) at++;
  const urlEnd = at;
  // " HTTP/1.1\r\n"
  if (at + 11 > last) return mayEnd(bytes, at, last) ? short : "foreign";
  if (
    bytes[at] !== SPACE ||
    bytes[at + 1] !== 72 ||
    bytes[at + 2] !== 84 ||
    bytes[at + 3] !== 84 ||
    bytes[at + 4] !== 80 ||
    bytes[at + 5] !== 47 ||
    bytes[at + 6] !== 49 ||
    bytes[at + 7] !== 46 ||
    bytes[at + 8] !== 49 ||
    bytes[at + 9] !== CR ||
    bytes[at + 10] !== LF
  ) {
    return "foreign";
  }
  at += 11;
  const fieldsStart = at;
  // Where names and values begin and end, four numbers a field, relative to the target.
  let fields = 0;
  for (;;) {
    if (at >= last) return short;
    if (bytes[at] === CR) {
      if (at + 1 >= last) return short;
      if (bytes[at + 1] !== LF) return "foreign";
      break;
    }
    if (fields === MAX_HEADERS) return "foreign";
    const nameStart = at;
    const expected = NAMES[fields];
    const isExpected = expected !== undefined && startsWith(bytes, at, last, expected.bytes);
    if (isExpected) at += expected.bytes.length - 1;
    else while (at < last && (CLASS[bytes[at]!]! & NAME) !== 0) at++;
    if (at >= last) return short;
    if (bytes[at] !== COLON || at === nameStart) return "foreign";
    const nameEnd = at;
    at++;
    while (at < last && bytes[at] === SPACE) at++;
    const valueStart = at;
    while (at < last && (CLASS[bytes[at]!]! & VALUE) !== 0) at++;
    if (at + 1 >= last) return at >= last || bytes[at] === CR ? short : "foreign";
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return "foreign";
    let valueEnd = at;
    while (valueEnd > valueStart && bytes[valueEnd - 1] === SPACE) valueEnd--;
    if (valueEnd === valueStart) return "foreign";
    at += 2;
    if (!isExpected) NAMES[fields] = undefined;
    BOUNDS[fields * 4] = nameStart - urlStart;
    BOUNDS[fields * 4 + 1] = nameEnd - urlStart;
    BOUNDS[fields * 4 + 2] = valueStart - urlStart;
    BOUNDS[fields * 4 + 3] = valueEnd - urlStart;
    fields++;
  }
  if (at === fieldsStart) return "foreign";
  const text = bytes.toString("latin1", urlStart, at);
  return fieldsOf(method, text, urlEnd - urlStart, fields, at + 2);
}

const BOUNDS = new Uint32Array(MAX_HEADERS * 4);
/** The names of the last head in their order: the next one mostly has the same. */
const NAMES = new Array<WrittenName | undefined>(MAX_HEADERS).fill(undefined);

function startsWith(bytes: Buffer, start: number, end: number, wanted: Uint8Array): boolean {
  const { length } = wanted;
  if (end - start < length) return false;
  for (let at = 0; at < length; at++) if (bytes[start + at] !== wanted[at]) return false;
  return true;
}

/** Whether what stands behind a target so far can become " HTTP/1.1\r\n". */
function mayEnd(bytes: Buffer, from: number, to: number): boolean {
  const wanted = " HTTP/1.1\r\n";
  for (let at = from; at < to; at++) if (bytes[at] !== wanted.charCodeAt(at - from)) return false;
  return true;
}

/** Makes the head of its text and of the bounds of its fields. */
function fieldsOf(
  method: RequestHead["method"],
  text: string,
  urlLength: number,
  fields: number,
  end: number,
): RequestHead | "foreign" {
  const headers: Record<string, string> = {};
  const rawHeaders = new Array<string>(fields * 2);
  let keepAlive = true;
  let bodyBytes = 0;
  heads++;
  const mayHaveBody = method !== "GET" && method !== "HEAD";
  for (let field = 0; field < fields; field++) {
    const written = NAMES[field] ?? writtenName(text.slice(BOUNDS[field * 4], BOUNDS[field * 4 + 1]));
    if (written.isRemembered) NAMES[field] = written;
    const value = text.slice(BOUNDS[field * 4 + 2], BOUNDS[field * 4 + 3]);
    const { low, kind } = written.field;
    if (
      kind === "foreign" ||
      written.field.seenIn === heads ||
      (written.field.seenIn === 0 && headers[low] !== undefined)
    ) {
      return "foreign";
    }
    written.field.seenIn = heads;
    if (kind === "told") {
      if (low === "connection") {
        const option = value.toLowerCase();
        if (option === "close") keepAlive = false;
        else if (option !== "keep-alive") return "foreign";
      } else if (low === "content-length") {
        if (!mayHaveBody || !LENGTH.test(value)) return "foreign";
        bodyBytes = Number(value);
      } else if (!mayHaveBody || value.toLowerCase() !== "100-continue") return "foreign";
    }
    headers[low] = value;
    rawHeaders[field * 2] = written.name;
    rawHeaders[field * 2 + 1] = value;
  }
  if (headers.host === undefined) return "foreign";
  return { method, url: text.slice(0, urlLength), headers, rawHeaders, keepAlive, bodyBytes, end };
}
