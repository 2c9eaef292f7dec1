/**
 * Plans: what a workload asks for, request by request. A plan is a pure function of a description, its options and a seed, so
 * every generator process makes its own, and the same seed gives the same requests to the byte.
 */
import { createHash } from "node:crypto";

/** What a request does. "open" is open and close on a directory, and HEAD elsewhere. */
export const OPERATIONS = ["get", "head", "list", "put", "open"] as const;
/** What a request does. */
export type Operation = (typeof OPERATIONS)[number];

/** A request. */
export interface PlannedRequest {
  readonly op: Operation;
  /** Key of the object, or prefix of the listing. */
  readonly key: string;
  /** First byte. */
  readonly offset: number;
  /** Bytes wanted, or to write; 0 asks for the whole object. */
  readonly length: number;
}

/** Requests that belong together (a batch, a row group, a query's split), and the computation that follows them. */
export interface Step {
  readonly requests: readonly PlannedRequest[];
  /** How many of its requests are under way at once. */
  readonly width: number;
  /** Computation or thinking that begins when the requests are done, milliseconds. */
  readonly computeMs: number;
  /** Numbered from 0; steps of different epochs are never under way together. */
  readonly epoch: number;
  /** Samples of the step, for training. */
  readonly samples: number;
  /** What the step is a part of, such as a query's name; times are told by it. "" for nothing. */
  readonly part: string;
  /** True at the end of the part: its time runs until then. */
  readonly endsPart: boolean;
}

/** One user, reader or accelerator: does its steps in order. */
export interface Lane {
  readonly name: string;
  /** Steps whose requests are under way at once: the reader threads that each fetch a batch. */
  readonly depth: number;
  /** Steps that may be fetched before the computation of the one before them has begun; 0 fetches, computes and fetches again. */
  readonly ahead: number;
  /** The steps, the same each time that it is called. */
  readonly steps: () => Iterable<Step>;
}

/** An object that the workload needs. */
export interface DataObject {
  readonly key: string;
  readonly sizeBytes: number;
}

/** What a workload asks for. */
export interface Plan {
  readonly objects: readonly DataObject[];
  readonly lanes: readonly Lane[];
  /** True when lanes go on until they are stopped. */
  readonly endless: boolean;
  /** True when all lanes begin each step together, as accelerators do that exchange gradients. */
  readonly inStep: boolean;
  /** Set for training. */
  readonly training?: {
    readonly accelerator: string;
    readonly accelerators: number;
    readonly passMark: number;
    readonly computeMs: number;
  };
}

/** A step of plain requests. */
export function step(requests: readonly PlannedRequest[], options: Partial<Omit<Step, "requests">> = {}): Step {
  return { width: 1, computeMs: 0, epoch: 0, samples: 0, part: "", endsPart: false, ...options, requests };
}

/** A read of a range; all of the object without one. */
export function get(key: string, offset = 0, length = 0): PlannedRequest {
  return { op: "get", key, offset, length };
}

/** All objects of one size. */
export function objectsOf(prefix: string, count: number, sizeBytes: number): DataObject[] {
  const width = String(Math.max(0, count - 1)).length;
  return Array.from({ length: count }, (_, index) => ({
    key: `${prefix}${String(index).padStart(width, "0")}`,
    sizeBytes,
  }));
}

/** SHA-256 over the first `limit` steps of each lane: two plans with the same digest ask for the same bytes in the same order. */
export function planDigest(plan: Plan, limit = 10_000): string {
  const hash = createHash("sha256");
  for (const { key, sizeBytes } of plan.objects) hash.update(`${key} ${sizeBytes}\n`);
  for (const lane of plan.lanes) {
    hash.update(`lane ${lane.name} ${lane.depth} ${lane.ahead}\n`);
    let taken = 0;
    for (const { requests, width, computeMs, epoch, part } of lane.steps()) {
      if (taken++ === limit) break;
      hash.update(`step ${width} ${computeMs} ${epoch} ${part}\n`);
      for (const { op, key, offset, length } of requests) hash.update(`${op} ${key} ${offset} ${length}\n`);
    }
  }
  return hash.digest("hex");
}
