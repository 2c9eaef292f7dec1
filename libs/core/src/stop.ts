/** Stopping work within this process: what an AbortSignal does, without an event target behind it. */

/** What work that may be stopped needs of its signal; an AbortSignal is one. */
export interface StopSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
  throwIfAborted(): void;
}

/**
 * A controller and its signal in one, for what is made with every request: an AbortController and a listener cost as much as a
 * hundred method calls.
 */
export class Stop implements StopSignal {
  #aborted = false;
  #reason: unknown;
  #listeners: (() => void)[] | undefined;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** Stops the work, and tells each listener once. Idempotent. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const listener of listeners) listener();
  }

  /** A listener that comes after the end is never called, as with an AbortSignal. It must not throw. */
  addEventListener(_type: "abort", listener: () => void): void {
    if (this.#aborted) return;
    if (this.#listeners === undefined) this.#listeners = [listener];
    else if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at >= 0) this.#listeners?.splice(at, 1);
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }
}

/** The same signal for what needs an AbortSignal. */
export function abortSignalOf(signal: StopSignal): AbortSignal {
  if (signal instanceof AbortSignal) return signal;
  const controller = new AbortController();
  if (signal.aborted) controller.abort(signal.reason);
  else signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
  return controller.signal;
}

/** The stops that follow a signal. */
const followers = new WeakMap<AbortSignal, Stop>();

/**
 * The same signal for many listeners that come and go: an AbortSignal goes through all that it has for each that is added or taken
 * away. One a signal, with one listener on it.
 */
export function stopOf(signal: AbortSignal): Stop {
  const known = followers.get(signal);
  if (known !== undefined) return known;
  const stop = new Stop();
  if (signal.aborted) stop.abort(signal.reason);
  else signal.addEventListener("abort", () => stop.abort(signal.reason), { once: true });
  followers.set(signal, stop);
  return stop;
}
