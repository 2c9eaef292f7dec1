/** `ringlight config`: settings of processes that run, their log levels, and CPU profiles. */
import { writeFile } from "node:fs/promises";
import { RinglightError } from "@ringlight/core";
import { ProcessServiceClient, type ProcessSettings } from "@ringlight/proto";
import { callStream, callUnary, connectGrpc } from "@ringlight/rpc";
import { findTarget, withClient } from "../connection.ts";
import { table } from "../format.ts";
import { type CommonOptions, print } from "./output.ts";

const DEADLINE_MS = 5_000;

interface Process {
  readonly id: string;
  readonly address: string;
}

/** Live workers and schedulers, or the one that is named. @throws RL_NOT_FOUND */
async function processes(options: CommonOptions, id: string | undefined): Promise<Process[]> {
  return withClient(options, async (client) => {
    const { workers, schedulers } = await client.cluster();
    const all: Process[] = [
      ...workers.map((worker) => ({ id: worker.id, address: worker.grpcAddress })),
      ...schedulers.map((scheduler) => ({ id: scheduler.id, address: scheduler.address })),
    ];
    if (id === undefined) return all;
    const found = all.filter((candidate) => candidate.id === id);
    if (found.length === 0) {
      throw new RinglightError(
        "RL_NOT_FOUND",
        `no live process is called ${id}; there are ${all.map((one) => one.id).join(", ")}`,
      );
    }
    return found;
  });
}

async function speak<T>(
  options: CommonOptions,
  { address }: Process,
  use: (client: ProcessServiceClient) => Promise<T>,
): Promise<T> {
  const { token } = findTarget(options);
  const client = connectGrpc(ProcessServiceClient, address, { token });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** `config show`. */
export async function configShow(
  id: string | undefined,
  options: CommonOptions & { readonly changed?: boolean },
): Promise<void> {
  const asked = await processes(options, id);
  const told = await Promise.all(
    asked.map((process) =>
      speak(options, process, (client) => callUnary(client, "getSettings", {}, { deadlineMs: DEADLINE_MS })),
    ),
  );
  const shown = told.map(
    (one): ProcessSettings => ({
      ...one,
      settings: one.settings.filter((setting) => !options.changed || setting.origin !== "default"),
    }),
  );
  print(options.json, shown, () =>
    shown
      .map((one) =>
        [
          `${one.process} ${one.id}`,
          table(
            [{ title: "SETTING" }, { title: "VALUE" }, { title: "FROM" }, { title: "DEFAULT" }],
            one.settings.map(({ key, value, origin, from, defaultValue }) => [
              key,
              value === "" ? "-" : value,
              origin === "default" ? "default" : `${origin} ${from}`,
              defaultValue,
            ]),
          ),
        ].join("\n"),
      )
      .join("\n\n"),
  );
}

/** `config log-level`. */
export async function configLogLevel(id: string, level: string | undefined, options: CommonOptions): Promise<void> {
  const [process] = await processes(options, id);
  const state = await speak(options, process!, async (client) =>
    level === undefined
      ? (await callUnary(client, "getSettings", {}, { deadlineMs: DEADLINE_MS })).logLevel
      : callUnary(client, "setLogLevel", { level: level === "configured" ? "" : level }, { deadlineMs: DEADLINE_MS }),
  );
  const { level: now = "", configured = "" } = state ?? {};
  print(options.json, { id, level: now, configured }, () =>
    now === configured
      ? `${id} logs ${now} and up, as configured.`
      : `${id} logs ${now} and up; configured is ${configured}.`,
  );
}

/** `config profile`. */
export async function configProfile(
  id: string,
  options: CommonOptions & { readonly seconds?: string; readonly out?: string },
): Promise<void> {
  const seconds = Number(options.seconds ?? 10);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 60) {
    throw new RinglightError("RL_BAD_REQUEST", `--seconds ${options.seconds}: a whole number from 1 to 60`);
  }
  const [process] = await processes(options, id);
  const parts = await speak(options, process!, async (client) => {
    const taken: Uint8Array[] = [];
    const control = { deadlineMs: seconds * 1000 + 30_000 };
    for await (const { data } of callStream(client, "takeCpuProfile", { seconds }, control)) taken.push(data);
    return taken;
  });
  const file = options.out ?? `${id}.cpuprofile`;
  const bytes = Buffer.concat(parts);
  await writeFile(file, bytes);
  print(
    options.json,
    { id, seconds, file, sizeBytes: bytes.length },
    () => `${file}: ${bytes.length} bytes, ${seconds} s of ${id}. The developer tools of browsers and editors open it.`,
  );
}
