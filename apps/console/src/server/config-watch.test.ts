import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { ClusterView, WorkerRecord } from "@ringlight/core";
import { type GrpcServer, processService, startGrpcServer } from "@ringlight/rpc";
import { ConfigWatch } from "./config-watch.ts";
import { type ProcessAddress, settingsOf } from "./processes.ts";

const servers: GrpcServer[] = [];
after(() => Promise.all(servers.map((server) => server.close(0))));

/** A process that tells one setting, by the service of the real ones. */
async function worker(id: string, startedMs: number, ufsTimeout: string): Promise<WorkerRecord> {
  const server = await startGrpcServer({
    bind: "127.0.0.1",
    port: 0,
    services: [
      processService({
        process: "worker",
        id,
        settings: () => [
          {
            key: "ufsTimeout",
            value: ufsTimeout,
            origin: "flag",
            from: "--ufs-timeout",
            defaultValue: "10s",
            about: "",
          },
        ],
        log: { level: () => "info", setLevel: () => {}, info: () => {} },
      }),
    ],
  });
  servers.push(server);
  const grpc = `127.0.0.1:${server.port}`;
  const addresses = { grpc, s3: grpc, rest: grpc };
  return { id, addresses, weight: 1, version: "1", startedMs, hostname: "test", pid: 1 };
}

test("each start of a process is asked once, and one that differs is found until it starts with the others' setting", async () => {
  const alike = await worker("w1", 1, "10s");
  const odd = await worker("w2", 1, "1s");
  let workers = [alike, odd];
  const asked: string[] = [];
  const watch = new ConfigWatch({
    view: () =>
      ({
        workers: new Map(workers.map((one) => [one.id, one])),
        schedulers: new Map(),
      }) as Partial<ClusterView> as ClusterView,
    ask: (some: readonly ProcessAddress[]) => {
      asked.push(...some.map(({ id }) => id));
      return settingsOf(undefined, some);
    },
  });
  await watch.look();
  await watch.look();
  assert.deepEqual(asked, ["w1", "w2"]);
  assert.deepEqual(watch.found, [
    {
      process: "worker",
      key: "ufsTimeout",
      values: [
        { value: "10s", ids: ["w1"] },
        { value: "1s", ids: ["w2"] },
      ],
    },
  ]);
  workers = [alike, await worker("w2", 2, "10s")];
  await watch.look();
  assert.deepEqual(asked, ["w1", "w2", "w2"]);
  assert.deepEqual(watch.found, []);
  await watch.close();
});
