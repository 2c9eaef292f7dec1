/** Calls that any worker can answer, and calls that all should. */
import { RinglightError } from "@ringlight/core";
import type { WorkerServiceClient } from "@ringlight/proto";
import type { ClusterObserver } from "./cluster-observer.ts";
import { codeOf } from "./error-body.ts";

/** Codes with which another worker may still succeed. */
const TRY_ANOTHER = new Set(["RL_NO_WORKERS", "RL_DEADLINE", "RL_OVERLOADED", "RL_NOT_IMPLEMENTED"]);

/** Asks the workers one after another until one answers. @throws RL_NO_WORKERS, or what the last one answered. */
export async function askAny<T>(
  observer: ClusterObserver,
  call: (client: WorkerServiceClient) => Promise<T>,
): Promise<T> {
  const live = observer
    .snapshot()
    .workers.filter((worker) => worker.state === "live")
    .map((worker) => worker.id);
  const clients = observer.clients().sort((a, b) => Number(live.includes(b.id)) - Number(live.includes(a.id)));
  let last: unknown = new RinglightError("RL_NO_WORKERS", "no worker holds a lease");
  for (const { client } of clients.slice(0, 4)) {
    try {
      return await call(client);
    } catch (error) {
      if (!TRY_ANOTHER.has(codeOf(error))) throw error;
      last = error;
    }
  }
  throw last;
}

/** Answers of all workers that gave one, and of how many members of the ring. */
export interface Answers<T> {
  readonly answers: readonly { readonly id: string; readonly value: T }[];
  readonly asked: number;
}

/** Asks every worker at once. A member without a lease counts as asked and not answered. */
export async function askAll<T>(
  observer: ClusterObserver,
  call: (client: WorkerServiceClient) => Promise<T>,
): Promise<Answers<T>> {
  const clients = observer.clients();
  const members = new Set([...observer.snapshot().members.map((member) => member.id), ...clients.map(({ id }) => id)]);
  const settled = await Promise.all(
    clients.map(async ({ id, client }) => {
      try {
        return { id, value: await call(client) };
      } catch (error) {
        return { id, error };
      }
    }),
  );
  const answers = settled.flatMap((entry) => ("value" in entry ? [{ id: entry.id, value: entry.value as T }] : []));
  if (answers.length === 0) {
    const failed = settled.find((entry) => "error" in entry);
    throw failed?.error ?? new RinglightError("RL_NO_WORKERS", "no worker holds a lease");
  }
  return { answers, asked: members.size };
}
