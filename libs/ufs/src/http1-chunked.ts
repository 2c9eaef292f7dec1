/** A strict decoder of the chunked transfer coding (RFC 9112 §7.1): a state machine that may be fed in pieces of any size. */
import { MalformedResponse } from "./http1-head.ts";

/** Longest line of a chunk's size with its extensions, and of all trailers together, bytes. */
const MAX_LINE_BYTES = 4096;

type State = "size" | "data" | "data-end" | "trailer" | "done";

/** Decodes one body. */
export class ChunkedDecoder {
  #state: State = "size";
  #line = "";
  #remaining = 0;
  #trailerBytes = 0;

  /** True behind the last chunk and its trailers. */
  get done(): boolean {
    return this.#state === "done";
  }

  /**
   * Takes bytes; `data` is told the parts of them that are the body's. Returns how many bytes belong to this body, which is
   * less than all when the body ends within them.
   * @throws MalformedResponse
   */
  push(bytes: Buffer, data: (piece: Buffer) => void): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const take = Math.min(this.#remaining, bytes.length - at);
        data(bytes.subarray(at, at + take));
        at += take;
        this.#remaining -= take;
        if (this.#remaining === 0) this.#state = "data-end";
        continue;
      }
      const feed = bytes.indexOf(0x0a, at);
      const end = feed < 0 ? bytes.length : feed + 1;
      this.#line += bytes.toString("latin1", at, end);
      at = end;
      if (this.#line.length > MAX_LINE_BYTES) throw new MalformedResponse("a line between two chunks is too long");
      if (this.#state === "data-end" && !"\r\n".startsWith(this.#line)) {
        throw new MalformedResponse("a chunk is longer than its size says");
      }
      if (feed >= 0) this.#endOfLine();
    }
    return at;
  }

  #endOfLine(): void {
    const line = this.#line;
    this.#line = "";
    if (!line.endsWith("\r\n")) throw new MalformedResponse("a line between two chunks ends without CR");
    const text = line.slice(0, -2);
    if (this.#state === "data-end") {
      this.#state = "size";
      return;
    }
    if (this.#state === "trailer") {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > MAX_LINE_BYTES) throw new MalformedResponse("the trailers are too long");
      if (text === "") this.#state = "done";
      return;
    }
    const size = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(text);
    if (size === null) throw new MalformedResponse(`a chunk's size is ${JSON.stringify(text.slice(0, 40))}`);
    this.#remaining = Number.parseInt(size[1] ?? "", 16);
    this.#state = this.#remaining === 0 ? "trailer" : "data";
  }
}
