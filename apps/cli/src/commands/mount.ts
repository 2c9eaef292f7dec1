/** `ringlight mount ls`, `add` and `rm`. */
import {
  checkUri,
  formatCredentials,
  formatDuration,
  formatFreshness,
  type MountRecord,
  parseMountName,
  parseMountOptions,
} from "@ringlight/core";
import { mountFromProto, mountToProto } from "@ringlight/rpc";
import { withClient } from "../connection.ts";
import { PartialFailure } from "../exit-codes.ts";
import { table } from "../format.ts";
import { answeredNote, type CommonOptions, print } from "./output.ts";

function shape(mount: MountRecord) {
  return {
    name: mount.name,
    uri: mount.uri,
    readOnly: mount.readOnly,
    freshness: formatFreshness(mount.freshness),
    replicas: mount.replicas,
    credentials: formatCredentials(mount.credentials),
    access: mount.access ?? "signed",
    options: mount.options,
    createdMs: mount.createdMs,
  };
}

/** Lists the mounts; with `check`, asks the store behind each from every worker. */
export async function mountList(options: CommonOptions & { readonly check?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const cluster = await client.cluster();
    const mounts = cluster.mounts.map((mount) => shape(mountFromProto(mount, mount.createdUnixMs)));
    if (!options.check) {
      print(options.json, { mounts }, () =>
        mounts.length === 0 ? "No mounts. ringlight mount add /name s3://bucket/prefix makes one." : render(mounts),
      );
      return;
    }
    const checked = await client.checkMounts();
    const checksOf = (name: string) =>
      checked.checks.flatMap(({ workerId, mounts: results }) =>
        results
          .filter((result) => result.name === name)
          .map(({ ok, errorCode, message, durationMs }) => ({ worker: workerId, ok, errorCode, message, durationMs })),
      );
    const withChecks = mounts.map((mount) => ({ ...mount, checks: checksOf(mount.name) }));
    print(options.json, { mounts: withChecks, answered: checked.answered, total: checked.workers }, () =>
      [
        render(mounts),
        "",
        ...withChecks.flatMap(({ name, checks }) =>
          checks.map(
            ({ worker, ok, message, errorCode, durationMs }) =>
              `/${name} from ${worker}: ${ok ? `answers in ${formatDuration(durationMs)}` : `${errorCode}: ${message}`}`,
          ),
        ),
      ].join("\n"),
    );
    if (!options.json) answeredNote(checked);
    const bad = withChecks.filter(({ checks }) => checks.some(({ ok }) => !ok));
    if (bad.length > 0) {
      throw new PartialFailure(`the store does not answer for ${bad.map(({ name }) => `/${name}`).join(", ")}`);
    }
  });
}

function render(mounts: readonly ReturnType<typeof shape>[]): string {
  const columns = ["MOUNT", "UFS", "FRESHNESS", "REPLICAS", "CREDENTIALS", "OPTIONS"].map((title) => ({ title }));
  return table(
    columns,
    mounts.map((mount) => [
      `/${mount.name}`,
      mount.uri,
      mount.freshness,
      String(mount.replicas),
      mount.credentials,
      [
        ...Object.entries(mount.options).map(([key, value]) => `${key}=${value}`),
        ...(mount.readOnly ? ["read-only"] : []),
      ].join(" ") || "–",
    ]),
  );
}

/** Adds a mount, once the store behind it has answered. */
export async function mountAdd(
  name: string,
  uri: string,
  options: CommonOptions & { readonly option?: readonly string[]; readonly dryRun?: boolean },
): Promise<void> {
  const record: MountRecord = {
    name: parseMountName(name),
    uri: checkUri(uri),
    ...parseMountOptions(options.option ?? []),
    createdMs: Date.now(),
  };
  await withClient(options, async (client) => {
    const dryRun = options.dryRun === true;
    const added = await client.addMount(mountToProto(record), { dryRun });
    const mount = shape(mountFromProto(added, added.createdUnixMs || record.createdMs));
    print(options.json, dryRun ? { valid: mount } : { added: mount }, () =>
      dryRun
        ? `${mount.uri} answers; nothing was recorded.`
        : `Mounted ${mount.uri} at /${mount.name}. It is also the S3 bucket "${mount.name}".`,
    );
  });
}

/** Removes a mount; what is in the store stays. */
export async function mountRemove(name: string, options: CommonOptions): Promise<void> {
  const mount = parseMountName(name);
  await withClient(options, async (client) => {
    await client.removeMount(mount);
    print(options.json, { removed: mount }, () => `Removed /${mount}. The objects in the store are untouched.`);
  });
}
