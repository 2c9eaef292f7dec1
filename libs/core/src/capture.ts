/**
 * The capture format: what a worker served, some 10 to 20 bytes a request. A file is the line "RLCAP1", a line of JSON that says
 * where it is from, and records. Numbers are varints (7 bits a byte, least first). A record is a byte of operation (low 3 bits) and
 * outcome (the others); microseconds since the record before it; path; client; offset; length; size of the object. Paths and
 * clients are numbered as they first come: a number that is one above all before it is followed by the name's length and its
 * UTF-8 bytes.
 */

/** Operations, by number. */
export const CAPTURE_OPERATIONS = ["get", "head", "list", "put"] as const;
/** Outcomes, by number; "" where it is not known. */
export const CAPTURE_OUTCOMES = ["", "hit", "miss", "joined", "bypass", "error"] as const;

/** A request of a capture. */
export interface CaptureEntry {
  /** Milliseconds since the Unix epoch; never before the entry that precedes it. */
  readonly atMs: number;
  readonly op: (typeof CAPTURE_OPERATIONS)[number];
  /** "/mount/key", or "#" and a hash where paths are not to be known. */
  readonly path: string;
  /** Address of the client; "" where it is not known. */
  readonly client: string;
  readonly offset: number;
  /** 0 for the whole object. */
  readonly length: number;
  /** Size of the object; 0 where it is not known. */
  readonly sizeBytes: number;
  readonly outcome: (typeof CAPTURE_OUTCOMES)[number];
}

/** What the second line of a capture says. */
export interface CaptureHeader {
  readonly workerId: string;
  readonly cluster: string;
  readonly startedMs: number;
  /** True when paths are hashes. */
  readonly hashed: boolean;
}

const MAGIC = "RLCAP1\n";
const text = new TextEncoder();
/** Most bytes of a record: seven varints of at most 8 bytes, and two names. */
const FIXED_BYTES = 64;

/** Encodes entries, one after another, into memory of a fixed size; the numbers of names go on from batch to batch. */
export class CaptureEncoder {
  readonly #paths = new Map<string, number>();
  readonly #clients = new Map<string, number>();
  readonly #buffer: Uint8Array;
  #at = 0;
  #lastUs: number;

  /** @param bytes memory for records that were not taken yet */
  constructor(bytes: number, startedMs: number) {
    this.#buffer = new Uint8Array(bytes);
    this.#lastUs = Math.round(startedMs * 1000);
  }

  /** Bytes that wait to be taken. */
  get waiting(): number {
    return this.#at;
  }

  /** Different paths so far: each is kept in memory. */
  get paths(): number {
    return this.#paths.size;
  }

  /** The two lines at the start of a file. */
  static header(header: CaptureHeader): Uint8Array {
    return text.encode(`${MAGIC}${JSON.stringify(header)}\n`);
  }

  /** Adds an entry; false, and nothing added, where there is no room for it. */
  add(entry: CaptureEntry): boolean {
    const room = FIXED_BYTES + (entry.path.length + entry.client.length) * 3;
    if (this.#at + room > this.#buffer.length) return false;
    const us = Math.max(this.#lastUs, Math.round(entry.atMs * 1000));
    this.#buffer[this.#at++] =
      CAPTURE_OPERATIONS.indexOf(entry.op) | (Math.max(0, CAPTURE_OUTCOMES.indexOf(entry.outcome)) << 3);
    this.#number(us - this.#lastUs);
    this.#name(this.#paths, entry.path);
    this.#name(this.#clients, entry.client);
    this.#number(entry.offset);
    this.#number(entry.length);
    this.#number(entry.sizeBytes);
    this.#lastUs = us;
    return true;
  }

  /** Takes what waits; the memory is used again. */
  take(): Uint8Array {
    const taken = this.#buffer.slice(0, this.#at);
    this.#at = 0;
    return taken;
  }

  #number(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#buffer[this.#at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#at++] = rest;
  }

  #name(known: Map<string, number>, name: string): void {
    const id = known.get(name);
    if (id !== undefined) {
      this.#number(id);
      return;
    }
    this.#number(known.size);
    known.set(name, known.size);
    const bytes = text.encode(name);
    this.#number(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

/** Whether bytes are the start of a capture. */
export function isCapture(start: Uint8Array): boolean {
  return new TextDecoder().decode(start.subarray(0, MAGIC.length)) === MAGIC;
}

/** Header of a capture. @throws Error where it is none */
export function captureHeader(file: Uint8Array): CaptureHeader {
  if (!isCapture(file)) throw new Error("this is no capture of Ringlight");
  return JSON.parse(new TextDecoder().decode(file.subarray(MAGIC.length, endOfHeader(file)))) as CaptureHeader;
}

function endOfHeader(file: Uint8Array): number {
  return file.indexOf(10, MAGIC.length);
}

/** Entries of a capture; a record that is cut off at the end, as a worker that died leaves it, ends them. @throws Error where it is none */
export function* readCapture(file: Uint8Array): Generator<CaptureEntry> {
  const { startedMs } = captureHeader(file);
  const paths: string[] = [];
  const clients: string[] = [];
  const names = new TextDecoder();
  let at = endOfHeader(file) + 1;
  let us = Math.round(startedMs * 1000);
  const number = () => {
    let value = 0;
    for (let scale = 1; at < file.length; scale *= 128) {
      const byte = file[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  const name = (known: string[]) => {
    const id = number();
    if (id === known.length) {
      const length = number();
      known.push(names.decode(file.subarray(at, at + length)));
      at += length;
    }
    return known[id];
  };
  while (at < file.length) {
    const kind = file[at++]!;
    us += number();
    const path = name(paths);
    const client = name(clients);
    const offset = number();
    const length = number();
    const sizeBytes = number();
    const op = CAPTURE_OPERATIONS[kind & 7];
    const outcome = CAPTURE_OUTCOMES[kind >> 3];
    if (Number.isNaN(sizeBytes) || at > file.length) return;
    if (path === undefined || client === undefined || op === undefined || outcome === undefined) {
      throw new Error("the capture is damaged");
    }
    yield { atMs: us / 1000, op, path, client, offset, length, sizeBytes, outcome };
  }
}
