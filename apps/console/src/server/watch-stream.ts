/** Server-sent events of a live watch: what a page that reads slowly misses is counted and told, never held back. */
const HEARTBEAT_MS = 10_000;
/** Messages that may wait for a slow page. */
const QUEUE_LIMIT = 16;

/** An event of a watch. */
interface WatchEvent {
  readonly type: string;
  readonly traces?: readonly unknown[];
  readonly logs?: readonly unknown[];
  readonly count?: number;
}

/** Headers of an event stream. */
const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** The answer that tells what `watch` tells, each under its type as the event's name, until the page leaves. */
export function watchResponse(
  watch: (listener: (event: WatchEvent) => void) => () => void,
  leaving: AbortSignal,
): Response {
  const encoder = new TextEncoder();
  let stop = () => {};
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let dropped = 0;
        const full = () => (controller.desiredSize ?? 0) <= 0;
        const send = (event: WatchEvent) =>
          controller.enqueue(encoder.encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));
        controller.enqueue(encoder.encode("retry: 1000\n\n"));
        const unwatch = watch((event) => {
          if (full()) {
            dropped += event.count ?? event.traces?.length ?? event.logs?.length ?? 0;
            return;
          }
          if (dropped > 0) send({ type: "dropped", count: dropped });
          dropped = 0;
          send(event);
        });
        const heartbeat = setInterval(() => {
          if (!full()) controller.enqueue(encoder.encode(": alive\n\n"));
        }, HEARTBEAT_MS);
        stop = () => {
          clearInterval(heartbeat);
          unwatch();
        };
        const end = () => {
          stop();
          try {
            controller.close();
          } catch {
            // The reader left first, and the stream is closed already.
          }
        };
        if (leaving.aborted) end();
        else leaving.addEventListener("abort", end, { once: true });
      },
      cancel() {
        stop();
      },
    },
    new CountQueuingStrategy({ highWaterMark: QUEUE_LIMIT }),
  );
  return new Response(stream, { headers: HEADERS });
}
