import { isLoopback } from "@ringlight/config";
import { RinglightError } from "@ringlight/core";
import { runningConsole } from "../../../../../server/console.ts";
import { cpuProfile } from "../../../../../server/processes.ts";
import { readChange, respond } from "../../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Takes a CPU profile of a process, {"seconds": 10}, and answers with the .cpuprofile file. */
export async function POST(request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  try {
    const running = await runningConsole();
    const { id } = await params;
    const body = (await readChange(request, isLoopback(running.config.bind))) as { seconds?: unknown } | null;
    const seconds = Number(body?.seconds ?? 10);
    if (!(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60)) {
      throw new RinglightError("RL_BAD_REQUEST", "seconds: a whole number from 1 to 60");
    }
    const parts: Uint8Array[] = [];
    // Read whole before the answer begins, so that a failure can still be told as one.
    for await (const part of cpuProfile(running, id, seconds, request.signal)) parts.push(part);
    return new Response(Buffer.concat(parts), {
      headers: {
        "content-type": "application/json",
        "content-disposition": `attachment; filename="${id.replaceAll(/[^\w.-]/g, "_")}.cpuprofile"`,
        "cache-control": "no-store",
      },
    });
  } catch (error) {
    return respond(() => Promise.reject(error));
  }
}
