/**
 * TLS. Workers speak plain HTTP; TLS ends in front of them, in nginx or stunnel on the same host, as docs/deployment.md says. The
 * reference is nginx that ends TLS and serves the files itself. Server CPU is that of the front and the worker together.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { freePort, waitFor } from "@ringlight/testing";
import { configuration, program, startNginx } from "./references.ts";
import { getLine } from "./requests.ts";
import { Ringlight } from "./ringlight.ts";
import { interleave, type Side } from "./rounds.ts";
import { type Row, ratioRow } from "./row.ts";
import { OBJECTS, SERVER_CORE, type Stage } from "./stage.ts";
import { plainStore } from "./stores.ts";
import { wrk } from "./wrk.ts";

const KIB = 1024;
const CASES = [
  { name: "TLS, warm 4 KiB range GET, 16 connections", rangeBytes: 4 * KIB },
  { name: "TLS, warm 1 MiB GET, 16 connections", rangeBytes: 1024 * KIB },
];
const CONNECTIONS = 16;
const START_MS = 10_000;

/** All rows that `wanted` accepts by name. */
export async function tlsCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  const cases = CASES.filter(({ name }) => wanted(name));
  if (cases.length === 0) return [];
  const store = await plainStore(stage);
  const ringlight = await Ringlight.start(stage);
  try {
    await ringlight.mount(store.mount);
    const key = `${OBJECTS.large.prefix}0`;
    const door = await ringlight.door(key);
    const fronts = await startFronts(stage, ringlight.worker.s3Port);
    const rows: Row[] = [];
    for (const { name, rangeBytes } of cases) {
      const side = (port: number, path: string, pids: readonly number[]): Side => {
        const url = `https://127.0.0.1:${port}${path}`;
        return () =>
          wrk({
            url,
            connections: CONNECTIONS,
            seconds: Math.max(1, stage.effort.seconds),
            rangeBytes,
            objectBytes: OBJECTS.large.bytes,
            pids,
          });
      };
      const through = (port: number) => getLine({ ...door, port }, key).slice("GET ".length);
      rows.push(
        ...(await stage.rows(name, async () => {
          const worker = ringlight.pids();
          const taken = await interleave(
            {
              nginx: side(fronts.nginx.files, `/bench/${key}`, fronts.nginx.pids),
              behindNginx: side(fronts.nginx.front, through(fronts.nginx.front), [...fronts.nginx.pids, ...worker]),
              behindStunnel: side(fronts.stunnel.port, through(fronts.stunnel.port), [
                ...fronts.stunnel.pids,
                ...worker,
              ]),
            },
            stage.effort.rounds,
          );
          const reference = "nginx with TLS, serving files";
          return [
            ratioRow({ case: `${name}, worker behind nginx`, reference, ours: taken.behindNginx, theirs: taken.nginx }),
            ratioRow({
              case: `${name}, worker behind stunnel`,
              reference,
              ours: taken.behindStunnel,
              theirs: taken.nginx,
            }),
          ];
        })),
      );
    }
    return rows;
  } finally {
    await ringlight.stop();
  }
}

async function startFronts(stage: Stage, workerPort: number) {
  const certificates = stage.scratch("tls");
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=127.0.0.1", "-keyout", join(certificates, "tls.key"), "-out", join(certificates, "tls.crt")],
    ],
    { stdio: "ignore" },
  );
  const front = await freePort();
  const nginx = await startNginx(stage, "nginx-tls.conf", {
    values: { FRONT: front, WORKER: workerPort, TLS: certificates },
  });
  const port = await freePort();
  const file = join(certificates, "stunnel.conf");
  writeFileSync(file, configuration("stunnel.conf", { TLS: certificates, PORT: port, WORKER: workerPort }));
  const stunnel = stage.start({
    name: "stunnel",
    command: program("stunnel4"),
    args: [file],
    cores: SERVER_CORE,
  });
  for (const listening of [nginx.port, front, port]) await shakesHands(listening);
  return {
    nginx: { files: nginx.port, front, pids: nginx.process.pids() },
    stunnel: { port, pids: stunnel.pids() },
  };
}

async function shakesHands(port: number): Promise<void> {
  await waitFor(
    () =>
      new Promise<boolean>((resolve, reject) => {
        const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
          socket.destroy();
          resolve(true);
        });
        socket.once("error", reject);
      }),
    { timeoutMs: START_MS, intervalMs: 50, what: `TLS on port ${port}` },
  );
}
