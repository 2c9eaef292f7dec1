import { RinglightError } from "@ringlight/core";
import { change } from "../../../../../server/change.ts";
import { runningConsole } from "../../../../../server/console.ts";
import { cpuProfile } from "../../../../../server/processes.ts";
import { respond } from "../../../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** Takes a CPU profile of a process, {"seconds": 10}, and answers with the .cpuprofile file. It costs the process time: a change. */
export async function POST(request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  const { id } = await params;
  try {
    const file = await change(
      request,
      () => "worker.profile",
      () => id,
      async (body) => {
        const seconds = Number((body as { seconds?: unknown } | null)?.seconds ?? 10);
        if (!(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60)) {
          throw new RinglightError("RL_BAD_REQUEST", "seconds: a whole number from 1 to 60");
        }
        const parts: Uint8Array[] = [];
        // Read whole before the answer begins, so that a failure can still be told as one.
        for await (const part of cpuProfile(await runningConsole(), id, seconds, request.signal)) parts.push(part);
        return Buffer.concat(parts);
      },
    );
    return new Response(file, {
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
