/** A bound on the connections to one store. Who comes when all are taken waits in order; when too many wait, the next is refused. */
import { RinglightError, type StopSignal } from "@ringlight/core";
import { abortError, throwIfAborted } from "./call.ts";

/** Connections of one mount. */
export class ConnectionLimit {
  readonly #max: number;
  readonly #maxQueued: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(max: number, maxQueued: number) {
    this.#max = max;
    this.#maxQueued = maxQueued;
  }

  /**
   * Takes a connection; the result gives it back (idempotent).
   * @throws RL_OVERLOADED when the queue is full, or what the signal means.
   */
  async take(signal: StopSignal): Promise<() => void> {
    throwIfAborted(signal, "the wait for a connection");
    const free = this.tryTake();
    if (free !== undefined) return free;
    await this.#wait(signal);
    return this.#place();
  }

  /** Takes a connection if one is free now. */
  tryTake(): (() => void) | undefined {
    if (this.#taken >= this.#max) return undefined;
    this.#taken++;
    return this.#place();
  }

  #place(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      // The place passes to the next in line without becoming free in between, so that nobody overtakes the queue.
      const [next] = this.#waiting;
      if (next === undefined) this.#taken--;
      else next();
    };
  }

  #wait(signal: StopSignal): Promise<void> {
    if (this.#waiting.size >= this.#maxQueued) {
      const text = `${this.#max} connections to the store are busy and ${this.#waiting.size} calls wait for one`;
      throw new RinglightError("RL_OVERLOADED", text);
    }
    return new Promise((resolve, reject) => {
      const go = () => {
        this.#waiting.delete(go);
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        this.#waiting.delete(go);
        reject(abortError(signal, "the wait for a connection"));
      };
      this.#waiting.add(go);
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}
