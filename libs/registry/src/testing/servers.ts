/** The two kinds of server that every test of the registry runs against. */
import { fileURLToPath } from "node:url";
import { type EtcdServer, startEtcd, startEtcdLike } from "@ringlight/testing";

/** A kind of server, by name. */
export interface ServerKind {
  readonly name: string;
  readonly start: () => Promise<EtcdServer>;
}

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** A real etcd, and the embedded server as a process of its own. */
export const SERVER_KINDS: readonly ServerKind[] = [
  { name: "etcd", start: () => startEtcd() },
  {
    name: "embedded",
    start: () =>
      startEtcdLike(async (port, dir) => ({
        command: process.execPath,
        args: [MAIN, "--port", String(port), "--data-dir", dir],
      })),
  },
];
