/**
 * Follows the records of the view on one watch stream until that stream is no good any more. The stream is asked for
 * progress regularly; one that says nothing for a deadline is dead, whatever its connection believes.
 */
import type { Clock } from "@ringlight/core";
import type { IDuplexStream, IWatchRequest, IWatchResponse } from "etcd3";
import type { MirrorChange } from "./cluster-mirror.ts";
import type { EtcdClient } from "./etcd-client.ts";
import type { RegistryKeys } from "./keys.ts";
import { readKey } from "./transaction-parts.ts";

/** Why following ended. */
export type FollowEnd =
  /** The stream broke: resume where it stopped. */
  | { readonly kind: "broken"; readonly reason: string }
  /** The registry said nothing for a whole deadline. */
  | { readonly kind: "silent"; readonly reason: string }
  /** What follows cannot be had from a watch: read everything again. */
  | { readonly kind: "reread"; readonly reason: string };

export interface FollowOptions {
  readonly client: EtcdClient;
  readonly keys: RegistryKeys;
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Next revision to see, for each of the view's ranges; kept current. */
  readonly nextRevisions: number[];
  /** Changes of whole revisions of one range. Returns a reason to read everything again, if they show one. */
  readonly onChanges: (changes: readonly MirrorChange[], revision: number) => string | undefined;
  /** The registry answered and there is nothing new. */
  readonly onAlive: () => void;
  readonly signal: AbortSignal;
}

const MAX_ASK_EVERY_MS = 750;

/** Follows until the stream ends, breaks or dies, or the signal aborts. Never throws. */
export async function follow(options: FollowOptions): Promise<FollowEnd> {
  let stream: IDuplexStream<IWatchRequest, IWatchResponse>;
  try {
    stream = await options.client.openWatch();
  } catch (error) {
    return { kind: "broken", reason: String(error) };
  }
  return new Promise((resolve) => {
    const askEveryMs = Math.min(MAX_ASK_EVERY_MS, options.deadlineMs / 2);
    const rangeByWatchId = new Map<string, number>();
    let created = 0;
    let heardMs = options.clock.monotonicMs();
    /** When the oldest question was asked that is still open; creating the watchers is the first one. */
    let askedMs: number | undefined = heardMs;
    let ended = false;

    const end = (result: FollowEnd) => {
      if (ended) return;
      ended = true;
      clearInterval(heart);
      options.signal.removeEventListener("abort", abort);
      stream.cancel();
      resolve(result);
    };
    const abort = () => end({ kind: "broken", reason: "closing" });
    const beat = () => {
      const now = options.clock.monotonicMs();
      if (askedMs !== undefined && now - askedMs >= options.deadlineMs) {
        end({ kind: "silent", reason: `the watch said nothing for ${options.deadlineMs} ms` });
        return;
      }
      if (askedMs !== undefined || now - heardMs < askEveryMs) return;
      askedMs = now;
      stream.write({ progress_request: {} });
    };
    const receive = (response: IWatchResponse) => {
      if (ended) return;
      heardMs = options.clock.monotonicMs();
      askedMs = undefined;
      if (response.canceled) {
        end({ kind: "reread", reason: response.cancel_reason || `compacted to ${response.compact_revision}` });
        return;
      }
      if (response.created) {
        // etcd answers in the order of the requests.
        rangeByWatchId.set(response.watch_id, created++);
        if (created < options.keys.viewRanges.length) askedMs = heardMs;
        else options.onAlive();
        return;
      }
      const range = rangeByWatchId.get(response.watch_id);
      if (range === undefined || response.events.length === 0) {
        options.onAlive();
        return;
      }
      const revision = Number(response.events.at(-1)!.kv.mod_revision);
      const reason = options.onChanges(response.events.map(changeOf), revision);
      if (reason !== undefined) end({ kind: "reread", reason });
      else options.nextRevisions[range] = revision + 1;
    };

    const heart = setInterval(beat, askEveryMs / 3);
    stream.on("data", receive);
    stream.on("end", () => end({ kind: "broken", reason: "the watch stream ended" }));
    stream.on("error", (error) => end({ kind: "broken", reason: error.message }));
    options.signal.addEventListener("abort", abort, { once: true });
    if (options.signal.aborted) abort();
    for (const [index, { start, end: rangeEnd }] of options.keys.viewRanges.entries()) {
      if (ended) break;
      stream.write({
        create_request: {
          key: Buffer.from(start),
          range_end: Buffer.from(rangeEnd),
          start_revision: options.nextRevisions[index]!,
        },
      });
    }
  });
}

function changeOf(event: IWatchResponse["events"][number]): MirrorChange {
  // etcd3 loads enumerations by name.
  const deleted = String(event.type) === "Delete";
  return { key: event.kv.key.toString(), now: deleted ? undefined : readKey(event.kv) };
}
