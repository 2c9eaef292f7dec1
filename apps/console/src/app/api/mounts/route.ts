import { checkMountName } from "@ringlight/core";
import { callUnary } from "@ringlight/rpc";
import { askAny } from "../../../server/any-worker.ts";
import { change } from "../../../server/change.ts";
import { observer } from "../../../server/console.ts";
import { mountOfForm, parseMountForm } from "../../../server/mount-wire.ts";
import { respond } from "../../../server/respond.ts";

export const dynamic = "force-dynamic";

/** The worker asks the store before it accepts a mount; a store that does not answer is waited for by the worker. */
const CHANGE_DEADLINE_MS = 20_000;

/** The mounts with their state; ?check=1 asks the workers now. */
export function GET(request: Request): Promise<Response> {
  return respond(async () => {
    const watching = await observer();
    if (new URL(request.url).searchParams.get("check") === "1") await watching.checkMounts();
    return { mounts: watching.snapshot().mounts };
  });
}

const nameOf = (body: unknown) => String((body as { name?: unknown } | null)?.name ?? "").slice(0, 200);
const isDryRun = (body: unknown) => (body as { dryRun?: unknown } | null)?.dryRun === true;

/** Adds a mount, or with `dryRun` only asks whether it would work. */
export function POST(request: Request): Promise<Response> {
  return respond(() =>
    change(
      request,
      (body) => (isDryRun(body) ? "mount.try" : "mount.add"),
      nameOf,
      async (body) => {
        const form = parseMountForm(body);
        const dryRun = isDryRun(body);
        await askAny(await observer(), (client) =>
          callUnary(client, "addMount", { mount: mountOfForm(form), dryRun }, { deadlineMs: CHANGE_DEADLINE_MS }),
        );
        return { name: form.name, dryRun };
      },
    ),
  );
}

/** Removes a mount: {"name": "logs"}. */
export function DELETE(request: Request): Promise<Response> {
  return respond(() =>
    change(
      request,
      () => "mount.remove",
      nameOf,
      async (body) => {
        const name = checkMountName(nameOf(body));
        await askAny(await observer(), (client) =>
          callUnary(client, "removeMount", { name }, { deadlineMs: CHANGE_DEADLINE_MS }),
        );
        return { name };
      },
    ),
  );
}
