/** Traces in memory: columns, not objects, for they have millions of rows. */
import { type DataObject, OPERATIONS, type PlannedRequest } from "../workloads/plan.ts";

/** One thing that somebody asked for. */
export interface TraceRow {
  /** Since the first of the trace, milliseconds. */
  readonly atMs: number;
  readonly op: PlannedRequest["op"];
  readonly key: string;
  readonly offset: number;
  /** 0 for the whole object. */
  readonly length: number;
  /** Size of the object, where the trace tells it; else 0. */
  readonly sizeBytes: number;
  readonly client: string;
}

/** A trace. */
export class Trace {
  readonly keys: string[] = [];
  readonly #keyIds = new Map<string, number>();
  readonly #clientIds = new Map<string, number>();
  #atMs = new Float64Array(1024);
  #op = new Uint8Array(1024);
  #key = new Uint32Array(1024);
  #offset = new Float64Array(1024);
  #length = new Float64Array(1024);
  #client = new Uint16Array(1024);
  readonly #sizes: number[] = [];
  #rows = 0;

  get rows(): number {
    return this.#rows;
  }

  get clients(): number {
    return this.#clientIds.size;
  }

  /** From the first request to the last, milliseconds. */
  get durationMs(): number {
    return this.#rows === 0 ? 0 : this.#atMs[this.#rows - 1]!;
  }

  add(row: TraceRow): void {
    if (this.#rows === this.#atMs.length) this.#grow();
    const at = this.#rows++;
    const known = this.#keyIds.get(row.key);
    const key = known ?? this.keys.push(row.key) - 1;
    if (known === undefined) {
      this.#keyIds.set(row.key, key);
      this.#sizes.push(0);
    }
    let client = this.#clientIds.get(row.client);
    if (client === undefined) {
      client = Math.min(0xffff, this.#clientIds.size);
      this.#clientIds.set(row.client, client);
    }
    this.#atMs[at] = row.atMs;
    this.#op[at] = OPERATIONS.indexOf(row.op);
    this.#key[at] = key;
    this.#offset[at] = row.offset;
    this.#length[at] = row.length;
    this.#client[at] = client;
    this.#sizes[key] = Math.max(this.#sizes[key]!, row.sizeBytes, row.offset + row.length);
  }

  atMs(row: number): number {
    return this.#atMs[row]!;
  }

  keyId(row: number): number {
    return this.#key[row]!;
  }

  client(row: number): number {
    return this.#client[row]!;
  }

  sizeOf(keyId: number): number {
    return this.#sizes[keyId]!;
  }

  request(row: number): PlannedRequest {
    return {
      op: OPERATIONS[this.#op[row]!]!,
      key: this.keys[this.#key[row]!]!,
      offset: this.#offset[row]!,
      length: this.#length[row]!,
    };
  }

  /** Objects that are read or asked about, with the least sizes that the requests need; prefixes of listings are none. */
  objects(defaultBytes: number): DataObject[] {
    const needed = new Set<number>();
    for (let row = 0; row < this.#rows; row++) {
      if (OPERATIONS[this.#op[row]!] !== "list") needed.add(this.#key[row]!);
    }
    return [...needed].map((key) => ({ key: this.keys[key]!, sizeBytes: this.#sizes[key]! || defaultBytes }));
  }

  #grow(): void {
    const more = <T extends Float64Array | Uint8Array | Uint16Array | Uint32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    const room = this.#atMs.length * 2;
    this.#atMs = more(this.#atMs, new Float64Array(room));
    this.#op = more(this.#op, new Uint8Array(room));
    this.#key = more(this.#key, new Uint32Array(room));
    this.#offset = more(this.#offset, new Float64Array(room));
    this.#length = more(this.#length, new Float64Array(room));
    this.#client = more(this.#client, new Uint16Array(room));
  }
}
