/**
 * The aws-chunked coding: a body in chunks of their own, inside whatever HTTP does, as S3 clients send streams:
 *
 *     size-in-hex[;chunk-signature=…]CRLF bytes CRLF … 0[;chunk-signature=…]CRLF [name:value CRLF …] CRLF
 *
 * Decoding takes bytes as they come and holds back no more than a line; what the chunks say of themselves goes to a
 * ChunkSink. Clients differ in the ends of trailers (the documentation's own example has stray line feeds), so lines may end
 * in LF there, and blank lines between are passed over; nothing after the end is.
 */
import { S3Error } from "../s3-error.ts";

/** Longest line of a chunk's head or a trailer; S3 has no use for more than 200 bytes. */
const MAX_LINE_BYTES = 4096;
/** Most lines after the last chunk, blank ones too. */
const MAX_TRAILER_LINES = 32;
const CHUNK_HEAD = /^([0-9a-f]{1,13})((?:;[\x20-\x7e]*)?)$/i;

/** What a decoder tells its owner. */
export interface ChunkSink {
  /** Bytes of the current chunk. */
  bytes(piece: Uint8Array): void;
  /** A chunk ended, the last, empty one too; the signature that its head carried. @throws to refuse it */
  chunkEnd(signature: string | undefined): void;
  /** A line of the trailer, its name in lower case. */
  trailer(name: string, value: string): void;
}

function malformed(what: string): S3Error {
  return new S3Error("InvalidRequest", `The body's aws-chunked framing is malformed: ${what}`);
}

function signatureOf(extensions: string): string | undefined {
  return /;\s*chunk-signature=([^;]*)/.exec(extensions)?.[1]?.trim();
}

type State = "head" | "bytes" | "bytes-end" | "trailer";

/** Decodes one body; `push` gives the decoded pieces of each piece received. */
export class AwsChunkedDecoder {
  readonly #sink: ChunkSink;
  /** Chunks whose announced sizes add up to more than this are refused before their bytes are taken. */
  #allowedBytes: number;
  #state: State = "head";
  #line = "";
  #left = 0;
  #signature: string | undefined;
  #trailerLines = 0;
  #blank = false;

  constructor(sink: ChunkSink, lengthBytes: number) {
    this.#sink = sink;
    this.#allowedBytes = lengthBytes;
  }

  /** Takes the next piece of the body. @throws S3Error for framing that is none */
  *push(piece: Uint8Array): Generator<Uint8Array> {
    let at = 0;
    while (at < piece.length) {
      if (this.#state === "bytes") {
        const part = piece.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        if (this.#left === 0) this.#state = "bytes-end";
        this.#sink.bytes(part);
        yield part;
        continue;
      }
      const feed = piece.indexOf(10, at);
      const end = feed === -1 ? piece.length : feed;
      if (this.#line.length + end - at > MAX_LINE_BYTES) throw malformed("a line is too long");
      for (let index = at; index < end; index++) this.#line += String.fromCharCode(piece[index] ?? 0);
      if (feed === -1) return;
      at = feed + 1;
      const line = this.#line;
      this.#line = "";
      this.#takeLine(line);
    }
  }

  #takeLine(line: string): void {
    if (this.#state === "trailer") {
      this.#takeTrailer(line.endsWith("\r") ? line.slice(0, -1) : line);
      return;
    }
    if (!line.endsWith("\r")) throw malformed("a line ends without a carriage return");
    const text = line.slice(0, -1);
    if (this.#state === "bytes-end") {
      if (text !== "") throw malformed("a chunk has more bytes than its size says");
      this.#state = "head";
      this.#sink.chunkEnd(this.#signature);
      return;
    }
    const match = CHUNK_HEAD.exec(text);
    if (!match) throw malformed("a chunk's head is not a size in hexadecimal digits");
    const size = Number.parseInt(match[1] ?? "", 16);
    this.#signature = signatureOf(match[2] ?? "");
    if (size === 0) {
      this.#state = "trailer";
      this.#sink.chunkEnd(this.#signature);
      return;
    }
    this.#allowedBytes -= size;
    if (this.#allowedBytes < 0) throw incompleteBody();
    this.#left = size;
    this.#state = "bytes";
  }

  #takeTrailer(line: string): void {
    if (++this.#trailerLines > MAX_TRAILER_LINES) throw malformedTrailer();
    if (line === "") {
      this.#blank = true;
      return;
    }
    const colon = line.indexOf(":");
    if (colon < 1) throw malformedTrailer();
    const name = line.slice(0, colon).trim().toLowerCase();
    // After a blank line only the signature may follow: S3's own example puts it there.
    if (this.#blank && name !== "x-amz-trailer-signature") throw malformedTrailer();
    this.#sink.trailer(name, line.slice(colon + 1).trim());
  }

  /** The body has ended. @throws S3Error when the framing has not */
  end(): void {
    if (this.#state !== "trailer") throw incompleteBody();
    // The very last line end may be missing.
    if (this.#line !== "") this.#takeTrailer(this.#line.replace(/\r$/, ""));
  }
}

/** The body is shorter or longer than was announced. */
export function incompleteBody(): S3Error {
  return new S3Error(
    "IncompleteBody",
    "You did not provide the number of bytes specified by the Content-Length HTTP header",
  );
}

/** The trailer is not what was announced. */
export function malformedTrailer(): S3Error {
  return new S3Error(
    "MalformedTrailerError",
    "The request contained trailing data that was not well-formed or did not conform to our published schema.",
  );
}
