/** gRPC over HTTP/2 as bytes: length-prefixed messages, timeouts, and what of it can be wrong. */
import { gunzipSync, inflateSync } from "node:zlib";
import { status as Status } from "@grpc/grpc-js";

/** Bytes before each message: a flag for compression, and the length. */
const PREFIX_BYTES = 5;

/** A request that breaks the protocol. */
export class WireError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "WireError";
    this.status = status;
  }
}

/** The prefix of an uncompressed message. */
export function messagePrefix(lengthBytes: number): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix[0] = 0;
  prefix.writeUInt32BE(lengthBytes, 1);
  return prefix;
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a `grpc-timeout` header. @throws WireError */
export function parseTimeout(header: string): number {
  const match = /^(\d{1,8})([HMSmun])$/.exec(header);
  if (match === null) throw new WireError(Status.INTERNAL, `"${header}" is not a grpc-timeout`);
  return Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? 0);
}

/** Collects the one message of a request. */
export class RequestMessage {
  readonly #maxBytes: number;
  readonly #encoding: string;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  /** @param encoding the `grpc-encoding` header */
  constructor(maxBytes: number, encoding: string) {
    this.#maxBytes = maxBytes;
    this.#encoding = encoding;
  }

  /** @throws WireError when more comes than may */
  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes + PREFIX_BYTES) {
      throw new WireError(Status.RESOURCE_EXHAUSTED, `a request is larger than ${this.#maxBytes} bytes`);
    }
  }

  /** The message, once the caller has ended. @throws WireError */
  take(): Buffer {
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.#bytes);
    if (all.length < PREFIX_BYTES) throw new WireError(Status.UNIMPLEMENTED, "the request holds no message");
    const lengthBytes = all.readUInt32BE(1);
    if (all.length < PREFIX_BYTES + lengthBytes)
      throw new WireError(Status.INTERNAL, "the request ends in its message");
    if (all.length > PREFIX_BYTES + lengthBytes) {
      throw new WireError(Status.UNIMPLEMENTED, "the request holds more than one message");
    }
    const message = all.subarray(PREFIX_BYTES);
    return all[0] === 0 ? message : this.#inflate(message);
  }

  #inflate(message: Buffer): Buffer {
    const limit = { maxOutputLength: this.#maxBytes };
    try {
      if (this.#encoding === "gzip") return gunzipSync(message, limit);
      if (this.#encoding === "deflate") return inflateSync(message, limit);
    } catch (error) {
      const isTooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
      throw new WireError(
        isTooLarge ? Status.RESOURCE_EXHAUSTED : Status.INTERNAL,
        `the request's message cannot be decompressed: ${(error as Error).message}`,
      );
    }
    throw new WireError(Status.UNIMPLEMENTED, `messages compressed by "${this.#encoding}" are not understood`);
  }
}
