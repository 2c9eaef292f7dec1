/** Waiting for a condition that something else announces. */
import type { Clock } from "@ringlight/core";

/** Resolves with whether the condition held within the time. `subscribe` calls its listener whenever that may have changed. */
export async function waitUntil(
  clock: Clock,
  ms: number,
  subscribe: (listener: () => void) => () => void,
  condition: () => boolean,
): Promise<boolean> {
  if (condition()) return true;
  const cancel = new AbortController();
  const met = Promise.withResolvers<boolean>();
  const unsubscribe = subscribe(() => {
    if (condition()) met.resolve(true);
  });
  const late = clock.sleep(ms, cancel.signal).then(
    () => condition(),
    () => false,
  );
  try {
    return await Promise.race([met.promise, late]);
  } finally {
    unsubscribe();
    cancel.abort();
  }
}
