/** A registration for processes that start before their registry: tried again until it holds. */
import { type Clock, isRinglightError, type Registration } from "@ringlight/core";

/** Pause between two attempts, milliseconds; each attempt has a deadline of its own. */
const PAUSE_MS = 500;

/** Options of registerPersistently. */
export interface PersistentRegistrationOptions {
  readonly register: () => Promise<Registration>;
  readonly clock: Clock;
  /** Told of each attempt that failed because the registry did not answer. */
  readonly onRetry: (error: unknown) => void;
  /** Told once, when the registration holds. */
  readonly onHeld: () => void;
  /** Told once, when an attempt failed for another reason: there is no further one. */
  readonly onRefused: (error: unknown) => void;
}

/**
 * Registers now, or as soon as the registry answers. Never rejects; `held` is false until then. close() ends the attempts, or
 * the registration.
 */
export function registerPersistently(options: PersistentRegistrationOptions): Registration {
  const closed = new AbortController();
  let registration: Registration | undefined;
  const attempts = (async () => {
    while (!closed.signal.aborted) {
      try {
        registration = await options.register();
        options.onHeld();
        return;
      } catch (error) {
        if (!isRinglightError(error, "RL_REGISTRY_UNAVAILABLE")) {
          options.onRefused(error);
          return;
        }
        options.onRetry(error);
        await options.clock.sleep(PAUSE_MS, closed.signal).catch(() => undefined);
      }
    }
  })();
  return {
    get held() {
      return registration?.held === true;
    },
    close: async () => {
      closed.abort();
      await attempts;
      await registration?.close();
    },
  };
}
