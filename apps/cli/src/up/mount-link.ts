/** How `ringlight up` sees to the mounts of the cluster that it started. */
import { connect } from "@ringlight/client";
import type { MountRecord } from "@ringlight/core";
import { mountFromProto, mountToProto } from "@ringlight/rpc";

/** A connection to one worker of the cluster. */
export interface MountLink {
  mounts(): Promise<readonly MountRecord[]>;
  /** @throws what keeps the store behind the mount from answering */
  addMount(mount: MountRecord, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Connects to a worker, host:port. */
export async function openMountLink(endpoint: string, token: string): Promise<MountLink> {
  const client = await connect({ endpoints: [endpoint], token });
  return {
    mounts: async () => (await client.cluster()).mounts.map((mount) => mountFromProto(mount, mount.createdUnixMs)),
    addMount: async (mount, signal) => {
      await client.addMount(mountToProto(mount), { signal });
    },
    close: () => client.close(),
  };
}
