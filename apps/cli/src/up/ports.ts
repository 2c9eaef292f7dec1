/** Ports of a cluster on one machine: the plan, and the check that all of them are free. */
import { createServer } from "node:net";
import { RinglightError } from "@ringlight/core";
import { commandLine, directory, link, text } from "./proc-fs.ts";

/** Ports of one worker. */
export interface WorkerPorts {
  readonly s3: number;
  readonly grpc: number;
  readonly rest: number;
}

/** Ports of the whole cluster. */
export interface PortPlan {
  /** What was added to the default ports. */
  readonly offset: number;
  /** 0 when a registry elsewhere is used. */
  readonly registry: number;
  readonly scheduler: number;
  readonly schedulerRest: number;
  /** 0 without a console. */
  readonly console: number;
  /** The S3 port that all workers share. */
  readonly s3: number;
  readonly workers: readonly WorkerPorts[];
}

/** What the plan depends on. */
export interface PortWishes {
  readonly workers: number;
  /** Added to every port that is not set explicitly. */
  readonly offset: number;
  readonly consolePort?: number | undefined;
  readonly s3Port?: number | undefined;
  readonly ownRegistry: boolean;
  readonly console: boolean;
}

const REGISTRY_PORT = 19_997;
const SCHEDULER_PORT = 19_998;
const SCHEDULER_REST_PORT = 19_996;
const CONSOLE_PORT = 19_999;
const S3_PORT = 29_998;
/** Each worker's own ports, 100 apart: gRPC 29999, 30099, ...; S3 30098, 30198, ...; REST 28080, 28180, ... */
const WORKER_PORTS: WorkerPorts = { s3: 30_098, grpc: 29_999, rest: 28_080 };
const WORKER_STEP = 100;

/** Lays out the ports. @throws RL_BAD_REQUEST when two of them are the same or one is out of range. */
export function planPorts(wishes: PortWishes): PortPlan {
  const { offset } = wishes;
  const plan: PortPlan = {
    offset,
    registry: wishes.ownRegistry ? REGISTRY_PORT + offset : 0,
    scheduler: SCHEDULER_PORT + offset,
    schedulerRest: SCHEDULER_REST_PORT + offset,
    console: wishes.console ? (wishes.consolePort ?? CONSOLE_PORT + offset) : 0,
    s3: wishes.s3Port ?? S3_PORT + offset,
    workers: Array.from({ length: wishes.workers }, (_, index) => ({
      s3: WORKER_PORTS.s3 + offset + index * WORKER_STEP,
      grpc: WORKER_PORTS.grpc + offset + index * WORKER_STEP,
      rest: WORKER_PORTS.rest + offset + index * WORKER_STEP,
    })),
  };
  const seen = new Map<number, string>();
  for (const { port, purpose } of portsOf(plan)) {
    const other = seen.get(port);
    if (other) {
      throw new RinglightError("RL_BAD_REQUEST", `port ${port} is wanted for ${other} and for ${purpose}; move one`);
    }
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        `port ${port} (${purpose}) is not between 1 and 65535; see --port-offset`,
      );
    }
    seen.set(port, purpose);
  }
  return plan;
}

/** A port and what it is for. */
export interface NamedPort {
  readonly port: number;
  readonly purpose: string;
  /** The option that moves this one port. */
  readonly option: string;
}

/** Every port of the plan. */
export function portsOf(plan: PortPlan): NamedPort[] {
  const ports: NamedPort[] = [
    { port: plan.registry, purpose: "the registry", option: "--port-offset" },
    { port: plan.scheduler, purpose: "the scheduler", option: "--port-offset" },
    { port: plan.schedulerRest, purpose: "the scheduler's REST port", option: "--port-offset" },
    { port: plan.console, purpose: "the console", option: "--console-port" },
    { port: plan.s3, purpose: "the S3 endpoint", option: "--s3-port" },
    ...plan.workers.flatMap(({ s3, grpc, rest }, index) => [
      { port: s3, purpose: `worker ${index + 1}'s own S3 port`, option: "--port-offset" },
      { port: grpc, purpose: `worker ${index + 1}'s gRPC port`, option: "--port-offset" },
      { port: rest, purpose: `worker ${index + 1}'s REST port`, option: "--port-offset" },
    ]),
  ];
  return ports.filter(({ port }) => port !== 0);
}

/** Listens for a moment, alone: a port shared by SO_REUSEPORT counts as taken. */
function probe(port: number, host: string): Promise<"free" | "taken" | "denied"> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EACCES" ? "denied" : "taken"));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve("free")));
  });
}

/** Checks all ports. @throws RL_PORT_IN_USE or RL_NO_PERMISSION naming the first that cannot be had, its holder and the remedy. */
export async function checkPorts(plan: PortPlan, host: string): Promise<void> {
  for (const { port, purpose, option } of portsOf(plan)) {
    const state = await probe(port, host);
    if (state === "free") continue;
    if (state === "denied") {
      throw new RinglightError(
        "RL_NO_PERMISSION",
        `port ${port} for ${purpose} is privileged; choose one above 1023 with ${option}`,
      );
    }
    const holder = listenerOf(port);
    const move = option === "--port-offset" ? "" : `${option} PORT or `;
    throw new RinglightError(
      "RL_PORT_IN_USE",
      `port ${port} for ${purpose} is in use${holder ? ` by ${holder}` : ""}; stop that process, or move with ${move}--port-offset ${plan.offset + 1000}`,
    );
  }
}

/** "process 123 (node server.js)" for the process that listens on a port, as far as /proc tells this user. */
export function listenerOf(port: number): string | undefined {
  const inodes = new Set([...listeningInodes("/proc/net/tcp", port), ...listeningInodes("/proc/net/tcp6", port)]);
  if (inodes.size === 0) return undefined;
  for (const pid of directory("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const fd of directory(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode && inodes.has(inode)) return `process ${pid}${commandOf(pid)}`;
    }
  }
  return undefined;
}

const TCP_LISTEN = "0A";

function listeningInodes(file: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  return text(file)
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${wanted}`) && fields[3] === TCP_LISTEN)
    .map((fields) => fields[9] ?? "");
}

function commandOf(pid: string): string {
  const shown = commandLine(pid)
    .map((word) => word.split("/").at(-1))
    .join(" ");
  return shown === "" ? "" : ` (${shown.length > 60 ? `${shown.slice(0, 59)}…` : shown})`;
}
