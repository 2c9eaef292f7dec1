/** Processes of the cluster as they tell of themselves: settings, log levels, CPU profiles. */
import { RinglightError } from "@ringlight/core";
import { ProcessServiceClient } from "@ringlight/proto";
import { callStream, callUnary, connectGrpc } from "@ringlight/rpc";
import type { ConfigAnswer, ProcessConfigView } from "../wire.ts";
import type { RunningConsole } from "./console.ts";
import { errorBody } from "./error-body.ts";

const DEADLINE_MS = 2_000;
/** Processes that are asked at once; with hundreds of workers the rest wait their turn. */
const AT_ONCE = 32;

/** Where a process answers. */
export interface ProcessAddress {
  readonly process: "worker" | "scheduler";
  readonly id: string;
  readonly address: string;
}

function addresses({ observer }: RunningConsole): ProcessAddress[] {
  const { workers, schedulers } = observer.snapshot();
  return [
    ...schedulers.map(({ id, address }): ProcessAddress => ({ process: "scheduler", id, address })),
    ...workers.flatMap(({ id, addresses: known }): ProcessAddress[] =>
      known ? [{ process: "worker", id, address: known.grpc }] : [],
    ),
  ];
}

async function withClient<T>(
  { token }: Pick<RunningConsole, "token">,
  address: string,
  work: (client: ProcessServiceClient) => Promise<T>,
): Promise<T> {
  const client = connectGrpc(ProcessServiceClient, address, { token });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

async function ask(token: string | undefined, { process, id, address }: ProcessAddress): Promise<ProcessConfigView> {
  try {
    const told = await withClient({ token }, address, (client) =>
      callUnary(client, "getSettings", {}, { deadlineMs: DEADLINE_MS }),
    );
    return {
      process,
      id,
      settings: told.settings,
      ...(told.logLevel ? { logLevel: told.logLevel } : {}),
    };
  } catch (error) {
    return { process, id, settings: [], error: errorBody(error) };
  }
}

/** Settings of processes, in their order; one that does not answer says why. */
export async function settingsOf(
  token: string | undefined,
  asked: readonly ProcessAddress[],
): Promise<ProcessConfigView[]> {
  const told: ProcessConfigView[] = [];
  for (let first = 0; first < asked.length; first += AT_ONCE) {
    told.push(...(await Promise.all(asked.slice(first, first + AT_ONCE).map((one) => ask(token, one)))));
  }
  return told;
}

/** Settings of every process that the registry names, and this console's own. Those that do not answer say why. */
export async function allSettings(running: RunningConsole): Promise<ConfigAnswer> {
  const asked = addresses(running);
  const processes = await settingsOf(running.token, asked);
  return {
    processes: [{ process: "console", id: "console", settings: running.settings() }, ...processes],
    asked: asked.length + 1,
    answered: 1 + processes.filter((one) => one.error === undefined).length,
    atMs: Date.now(),
  };
}

function find(running: RunningConsole, id: string): ProcessAddress {
  const found = addresses(running).find((candidate) => candidate.id === id);
  if (!found) throw new RinglightError("RL_NOT_FOUND", `no live process is called ${id}`);
  return found;
}

/** What one process says of its log level. @throws RL_NOT_FOUND, and what the process answers */
export async function logLevelOf(running: RunningConsole, id: string) {
  const { logLevel } = await withClient(running, find(running, id).address, (client) =>
    callUnary(client, "getSettings", {}, { deadlineMs: DEADLINE_MS }),
  );
  return logLevel ?? { level: "", configured: "" };
}

/** Changes a level until the process ends; an empty one goes back. @throws RL_NOT_FOUND, and what the process answers */
export async function setLogLevel(running: RunningConsole, id: string, level: string) {
  const answer = await withClient(running, find(running, id).address, (client) =>
    callUnary(client, "setLogLevel", { level }, { deadlineMs: DEADLINE_MS }),
  );
  running.events.add(
    [
      {
        kind: "config",
        subject: id,
        text: `Log level of ${id} is ${answer.level}${answer.level === answer.configured ? ", as configured" : ""}`,
        tone: "plain",
        href: `/config?find=logLevel`,
      },
    ],
    Date.now(),
  );
  return answer;
}

/** Takes a CPU profile and gives its file's bytes as they come. @throws RL_NOT_FOUND, RL_OVERLOADED, RL_BAD_REQUEST */
export async function* cpuProfile(
  running: RunningConsole,
  id: string,
  seconds: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const client = connectGrpc(ProcessServiceClient, find(running, id).address, { token: running.token });
  try {
    const control = { deadlineMs: seconds * 1000 + 30_000, signal };
    for await (const { data } of callStream(client, "takeCpuProfile", { seconds }, control)) yield data;
  } finally {
    client.close();
  }
}
