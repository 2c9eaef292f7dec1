/** Server-sent events of one open page. */
import type { ClusterObserver, ObserverEvent } from "./cluster-observer.ts";

const HEARTBEAT_MS = 10_000;
/** Messages that may wait for a slow page; past it ticks are dropped, and a snapshot is sent once it reads again. */
const QUEUE_LIMIT = 32;

/** Each event is turned into text once, however many pages are open. */
const texts = new WeakMap<object, string>();

function textOf(event: ObserverEvent): string {
  const body = event.type === "tick" ? event.tick : event.snapshot;
  let text = texts.get(body);
  if (text === undefined) {
    text = `event: ${event.type}\ndata: ${JSON.stringify(body)}\n\n`;
    texts.set(body, text);
  }
  return text;
}

/** The stream for one page: a snapshot and a tick at once, then what happens, until the page or the observer leaves. */
export function eventStream(observer: ClusterObserver, leaving: AbortSignal): ReadableStream<Uint8Array> {
  const signal = AbortSignal.any([leaving, observer.closing]);
  const encoder = new TextEncoder();
  let stop = () => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let behind = false;
        const send = (text: string) => controller.enqueue(encoder.encode(text));
        const full = () => (controller.desiredSize ?? 0) <= 0;
        const unsubscribe = observer.subscribe((event) => {
          if (full()) {
            behind = true;
            return;
          }
          if (behind) {
            behind = false;
            send(textOf({ type: "cluster", snapshot: observer.snapshot() }));
          }
          send(textOf(event));
        });
        const heartbeat = setInterval(() => {
          if (!full()) send(": alive\n\n");
        }, HEARTBEAT_MS);
        stop = () => {
          clearInterval(heartbeat);
          unsubscribe();
          signal.removeEventListener("abort", end);
        };
        const end = () => {
          stop();
          try {
            controller.close();
          } catch {
            // The reader left first, and the stream is closed already.
          }
        };
        signal.addEventListener("abort", end, { once: true });
        send("retry: 1000\n\n");
        send(textOf({ type: "cluster", snapshot: observer.snapshot() }));
        send(textOf({ type: "tick", tick: observer.tick() }));
        if (signal.aborted) end();
      },
      cancel() {
        stop();
      },
    },
    new CountQueuingStrategy({ highWaterMark: QUEUE_LIMIT }),
  );
}
