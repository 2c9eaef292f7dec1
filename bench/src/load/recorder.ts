/** What a generator process keeps of a round: histograms by operation and by part, one-second windows, and samples. */
import type { PlannedRequest } from "../workloads/plan.ts";
import { TimeHistogram } from "./histogram.ts";
import type { Answer } from "./target.ts";

/** A request that is told about by itself: one of the slowest of its second, or one of every thousand. */
export interface Sample {
  /** When it was due, milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly op: string;
  readonly key: string;
  readonly offset: number;
  readonly length: number;
  /** From when it was due. */
  readonly latencyMs: number;
  readonly firstByteMs: number;
  readonly error: string;
  /** What Ringlight said of it: "hit mem", "miss cold", ...; "" where the target says nothing. */
  readonly outcome: string;
  /** Trace of the request at the target; "" where it has none. */
  readonly traceId: string;
}

/** One second of one process. */
export interface Window {
  /** Seconds since the round began, counted by when requests ended. */
  readonly second: number;
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
  /** Latencies, as TimeHistogram encodes them. */
  readonly latency: string;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly samples: readonly Sample[];
}

/** Figures of one operation. */
export interface OperationRecord {
  readonly requests: number;
  readonly bytes: number;
  readonly latency: string;
  readonly firstByte: string;
}

/** A round of one process. */
export interface RoundRecord {
  readonly requests: number;
  readonly bytes: number;
  readonly errors: number;
  readonly firstError: string;
  readonly seconds: number;
  readonly operations: Readonly<Record<string, OperationRecord>>;
  /** Times of parts (queries, saves, loads) by name. */
  readonly parts: Readonly<Record<string, string>>;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of training: by lane and epoch. */
  readonly epochs: readonly EpochRecord[];
}

/** An epoch of one accelerator. */
export interface EpochRecord {
  readonly lane: string;
  readonly epoch: number;
  readonly steps: number;
  readonly samples: number;
  /** From the end of the first step to the end of the last, milliseconds. */
  readonly runningMs: number;
  /** Computation in that time by its definition, milliseconds. */
  readonly computeMs: number;
  /** From the start of the epoch, milliseconds. */
  readonly totalMs: number;
}

const SLOWEST = 3;
const SAMPLE_EVERY = 1000;
const OUTCOME =
  /\r\ncache-status: ringlight; (?:hit; detail=([\w-]+)|fwd=miss; (?:collapsed; )?detail=([\w-]+)|fwd=(bypass))/i;
const TRACE = /\r\nserver-timing: trace;desc="([0-9a-f]{32})"/i;

/** "hit mem", "miss cold", "joined", "bypass", or "" where the head does not say. */
function outcomeOf(head: string): string {
  const match = OUTCOME.exec(head);
  if (match === null) return "";
  if (match[1] !== undefined) return `hit ${match[1]}`;
  return match[3] ?? (match[2] === "joined" ? "joined" : `miss ${match[2]}`);
}

class OperationFigures {
  requests = 0;
  bytes = 0;
  readonly latency = new TimeHistogram();
  readonly firstByte = new TimeHistogram();
}

/** Keeps a round. */
export class Recorder {
  readonly #startedMs: number;
  readonly #wallMs: number;
  readonly #onWindow: (window: Window) => void;
  readonly #operations = new Map<string, OperationFigures>();
  readonly #parts = new Map<string, TimeHistogram>();
  readonly #epochs: EpochRecord[] = [];
  readonly #outcomes = new Map<string, number>();
  readonly #latency = new TimeHistogram();
  #windowOutcomes = new Map<string, number>();
  #samples: Sample[] = [];
  #second = 0;
  #windowRequests = 0;
  #windowBytes = 0;
  #windowErrors = 0;
  #requests = 0;
  #bytes = 0;
  #errors = 0;
  #firstError = "";
  #lastMs: number;

  /** @param startedMs the clock at the start of the round @param wallMs the same moment, since the Unix epoch */
  constructor(startedMs: number, wallMs: number, onWindow: (window: Window) => void) {
    this.#startedMs = startedMs;
    this.#lastMs = startedMs;
    this.#wallMs = wallMs;
    this.#onWindow = onWindow;
  }

  /** A request that was due at `dueMs` and ended at `endMs`, by the clock. */
  request(request: PlannedRequest, dueMs: number, endMs: number, answer: Answer): void {
    const second = Math.floor((endMs - this.#startedMs) / 1000);
    if (second !== this.#second) this.#turn(second);
    if (endMs > this.#lastMs) this.#lastMs = endMs;
    this.#windowRequests++;
    this.#requests++;
    const latencyMs = endMs - dueMs;
    let outcome = "";
    if (answer.ok) {
      this.#windowBytes += answer.bytes;
      this.#bytes += answer.bytes;
      let figures = this.#operations.get(request.op);
      if (figures === undefined) {
        figures = new OperationFigures();
        this.#operations.set(request.op, figures);
      }
      figures.requests++;
      figures.bytes += answer.bytes;
      figures.latency.record(latencyMs);
      figures.firstByte.record(answer.firstByteMs);
      this.#latency.record(latencyMs);
      if (answer.head !== "") {
        outcome = outcomeOf(answer.head);
        if (outcome !== "") {
          this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
          this.#windowOutcomes.set(outcome, (this.#windowOutcomes.get(outcome) ?? 0) + 1);
        }
      }
    } else {
      this.#windowErrors++;
      if (this.#errors++ === 0) this.#firstError = answer.error;
    }
    this.#sample(request, dueMs, latencyMs, answer, outcome);
  }

  /** A part that ended. */
  part(name: string, ms: number): void {
    let histogram = this.#parts.get(name);
    if (histogram === undefined) {
      histogram = new TimeHistogram();
      this.#parts.set(name, histogram);
    }
    histogram.record(ms);
  }

  epoch(record: EpochRecord): void {
    this.#epochs.push(record);
  }

  /** Ends the round at `endMs`. */
  finish(endMs: number): RoundRecord {
    this.#turn(this.#second + 1);
    return {
      requests: this.#requests,
      bytes: this.#bytes,
      errors: this.#errors,
      firstError: this.#firstError,
      seconds: (Math.max(endMs, this.#lastMs) - this.#startedMs) / 1000,
      operations: Object.fromEntries(
        [...this.#operations].map(([op, { requests, bytes, latency, firstByte }]) => [
          op,
          { requests, bytes, latency: latency.encode(), firstByte: firstByte.encode() },
        ]),
      ),
      parts: Object.fromEntries([...this.#parts].map(([name, histogram]) => [name, histogram.encode()])),
      outcomes: Object.fromEntries(this.#outcomes),
      epochs: this.#epochs,
    };
  }

  #turn(second: number): void {
    if (this.#windowRequests > 0) {
      this.#onWindow({
        second: this.#second,
        requests: this.#windowRequests,
        bytes: this.#windowBytes,
        errors: this.#windowErrors,
        latency: this.#latency.encode(),
        outcomes: Object.fromEntries(this.#windowOutcomes),
        samples: this.#samples,
      });
    }
    this.#second = second;
    this.#windowRequests = 0;
    this.#windowBytes = 0;
    this.#windowErrors = 0;
    this.#windowOutcomes = new Map();
    this.#samples = [];
    this.#latency.reset();
  }

  #sample(request: PlannedRequest, dueMs: number, latencyMs: number, answer: Answer, outcome: string): void {
    const samples = this.#samples;
    const isRegular = answer.isTraced === true || this.#requests % SAMPLE_EVERY === 0;
    if (!isRegular && samples.length >= SLOWEST && latencyMs <= samples[SLOWEST - 1]!.latencyMs && answer.ok) return;
    const { op, key, offset, length } = request;
    const sample: Sample = {
      atMs: this.#wallMs + dueMs - this.#startedMs,
      op,
      key,
      offset,
      length,
      latencyMs,
      firstByteMs: answer.firstByteMs,
      error: answer.error,
      outcome,
      traceId: TRACE.exec(answer.head)?.[1] ?? "",
    };
    // The slowest are first, in order; what was taken by turn stands behind them.
    const slow = samples.splice(0, SLOWEST);
    slow.push(sample);
    slow.sort((a, b) => b.latencyMs - a.latencyMs);
    const dropped = slow.length > SLOWEST ? slow.pop() : undefined;
    samples.unshift(...slow);
    if (isRegular && dropped === sample) samples.push(sample);
  }
}
