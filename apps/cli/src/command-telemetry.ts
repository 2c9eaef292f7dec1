/**
 * The trace of one command: a span for the command, below it one for each call that it makes, and below those whatever the
 * workers did for it. They go to the console of the cluster that the command found on this machine, and to the receivers that
 * OTEL_* variables name. TRACEPARENT, as other command lines set it, is continued.
 */
import { randomUUID } from "node:crypto";
import { packageVersion } from "@ringlight/config";
import { traceCalls } from "@ringlight/rpc";
import { grpcTracer, keyHash, startSpan, startTelemetry } from "@ringlight/telemetry";

/** How long a command that is done waits for its receivers at most, milliseconds. */
const CLOSE_MS = 300;

let command = { name: "ringlight", path: undefined as string | undefined };

/** Says which command runs, and the path that it is about, if it is about one. */
export function nameCommand(name: string, path: string | undefined): void {
  command = { name, path };
}

/** Runs the work of a command as one trace. @param console its receiver, if the cluster's console is known */
export async function traced<T>(
  console: { readonly url: string; readonly token: string | undefined } | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const telemetry = startTelemetry({
    service: "ringlight-cli",
    instance: randomUUID(),
    version: packageVersion(import.meta.url),
    console,
    closeMs: CLOSE_MS,
  });
  if (!telemetry.enabled) return work();
  traceCalls(grpcTracer);
  const { name, path } = command;
  const span = startSpan({
    name,
    keep: true,
    caller: { traceparent: process.env.TRACEPARENT, tracestate: process.env.TRACESTATE, baggage: process.env.BAGGAGE },
    attributes: {
      "ringlight.command": name,
      ...(path !== undefined && { "ringlight.path": path, "ringlight.key.hash": keyHash(path) }),
    },
  });
  try {
    const result = await span.run(work);
    span.end();
    return result;
  } catch (error) {
    span.end({ error });
    throw error;
  } finally {
    traceCalls(undefined);
    await telemetry.close();
  }
}
