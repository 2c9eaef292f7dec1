/** `ringlight up`: a whole cluster on one machine, started, watched over, and stopped in order. */
import { rmSync } from "node:fs";
import path from "node:path";
import { formatBytes, isRinglightError, type MountRecord, RinglightError, systemClock } from "@ringlight/core";
import { count } from "../format.ts";
import { requireConsoleBuild } from "../layout.ts";
import { readyJson, readyText } from "./banner.ts";
import type { Child } from "./child-process.ts";
import { type ClusterFile, readClusterFile, removeClusterFile, writeClusterFile } from "./cluster-file.ts";
import { dataPaths, ensureSecrets, type KeyPair, lockDataDir, makeDataDir } from "./data-dir.ts";
import { DEMO_BYTES } from "./demo/data.ts";
import {
  DEMO_MOUNT,
  type DemoMaking,
  demoMount,
  isFirstStart,
  readDemoState,
  rememberStart,
  startDemo,
} from "./demo/demo.ts";
import { type MountLink, openMountLink } from "./mount-link.ts";
import type { UpOptions } from "./options.ts";
import { checkPorts } from "./ports.ts";
import { commandLine, text } from "./proc-fs.ts";
import {
  consoleSpec,
  HOST,
  registryEndpoints,
  registrySpec,
  schedulerSpec,
  trafficSpec,
  workerId,
  workerName,
  workerSpec,
} from "./processes.ts";
import { StopRequest } from "./stop-request.ts";
import { Supervisor } from "./supervisor.ts";
import { planTiers, type TierPlan } from "./tiers.ts";
import { accepts, answers, knownTo, waitUntil } from "./wait.ts";

const REGISTRY_READY_MS = 30_000;
const READY_MS = 90_000;
/** Processes of a supervisor that was killed end by themselves within about this time. */
const ORPHANS_MS = 15_000;

/** What the checks before the start found out. */
interface Prepared {
  readonly tiers: TierPlan;
  readonly token: string;
  readonly keys: KeyPair;
  /** Make, or go on making, the demo's files. */
  readonly makeDemo: boolean;
  /** Mount the demo. */
  readonly mountDemo: boolean;
  unlock(): void;
}

/** Runs a cluster until a signal asks for its end. Resolves with the exit code. @throws what kept it from starting */
export async function up(options: UpOptions): Promise<number> {
  const say = (line: string) => (options.json ? process.stderr : process.stdout).write(`${line}\n`);
  const startedMs = Date.now();
  const stop = new StopRequest();
  try {
    const prepared = await prepare(options, say);
    try {
      await run(options, prepared, stop, say, startedMs);
    } finally {
      prepared.unlock();
    }
    return 0;
  } catch (error) {
    // Asked to stop while it started: what had started is stopped, and that is all that was wanted.
    if (stop.requested && !isRinglightError(error)) return 0;
    throw error;
  } finally {
    stop.close();
  }
}

/** Mem tier of a demo's worker when no size is given: all workers' together hold less than the demo's data. */
const DEMO_MEM_BYTES = 64 * 1024 ** 2;

/** Everything that can be known to be wrong before a process is started. What it made is gone again when it throws. */
async function prepare(options: UpOptions, say: (line: string) => void): Promise<Prepared> {
  const { dataDir } = options;
  const isNew = makeDataDir(dataDir);
  let unlock = () => {};
  try {
    unlock = lockDataDir(dataDir);
    await waitForOrphans(options, say);
    await checkPorts(options.ports, HOST);
    if (options.console) requireConsoleBuild();
    const noMounts = options.mounts.length === 0 && options.registry === undefined;
    const earlier = readDemoState(dataDir);
    const mountDemo = noMounts && isFirstStart(dataDir);
    const makeDemo = mountDemo || (noMounts && earlier?.complete === false);
    let tiers = planTiers(dataDir, options.workers, options, makeDemo ? DEMO_BYTES : 0);
    if (tiers.note) say(tiers.note);
    const isDemo = noMounts && (mountDemo || earlier !== undefined);
    if (isDemo && options.memBytes === undefined && tiers.memBytes > DEMO_MEM_BYTES) {
      tiers = { ...tiers, memBytes: DEMO_MEM_BYTES };
      say(`Demo: mem tiers of ${formatBytes(DEMO_MEM_BYTES)} a worker, so that both tiers are seen at work (--mem).`);
    }
    return { tiers, ...ensureSecrets(dataDir), makeDemo, mountDemo, unlock };
  } catch (error) {
    unlock();
    if (isNew) rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
}

/** A supervisor that was killed leaves processes that are just ending; their ports are free in a moment. */
async function waitForOrphans({ dataDir }: UpOptions, say: (line: string) => void): Promise<void> {
  let left: ClusterFile;
  try {
    left = readClusterFile(dataDir);
  } catch {
    return;
  }
  const living = () => Object.values(left.pids).filter((pid) => runsHere(pid, dataDir));
  if (living().length > 0) say("Waiting for the processes of the last run to end.");
  const deadline = Date.now() + ORPHANS_MS;
  while (living().length > 0 && Date.now() < deadline) await systemClock.sleep(100);
  for (const pid of living()) process.kill(pid, "SIGKILL");
  removeClusterFile(dataDir);
}

/** True for a living process of this directory's cluster: a pid alone may belong to somebody else by now. */
function runsHere(pid: number, dataDir: string): boolean {
  // Next gives its process a title of its own, which hides the command; the environment stays readable.
  const environment = text(`/proc/${pid}/environ`).split("\0");
  return [...commandLine(pid), ...environment].some((word) => word.includes(`${dataDir}${path.sep}`));
}

async function run(
  options: UpOptions,
  prepared: Prepared,
  stop: StopRequest,
  say: (line: string) => void,
  startedMs: number,
): Promise<void> {
  const supervisor = new Supervisor({
    logDir: dataPaths(options.dataDir).logs,
    restartAfterMs: options.restartAfterMs,
    say,
    onChange: () => writeClusterFile(options.dataDir, clusterFile(options, supervisor)),
  });
  // A second Ctrl-C: whatever is left is killed and nobody is waited for.
  stop.onSecond(() => {
    demo?.stop();
    supervisor.kill();
    removeClusterFile(options.dataDir);
    prepared.unlock();
    process.exit(130);
  });
  const demo = prepared.makeDemo ? startDemo(options.dataDir, say) : undefined;
  try {
    const { mounts, dataPath } = await start(options, prepared, supervisor, demo, stop.signal, say);
    supervisor.keep();
    rememberStart(options.dataDir);
    const cluster = clusterFile(options, supervisor);
    writeClusterFile(options.dataDir, cluster);
    const ready = {
      cluster,
      keys: prepared.keys,
      mounts,
      dataPath,
      dataDir: options.dataDir,
      startedInMs: Date.now() - startedMs,
    };
    process.stdout.write(`${options.json ? readyJson(ready) : readyText(ready)}\n`);
    await stop.asked;
    say("Stopping: demo reader, console, scheduler, workers, registry.");
  } finally {
    demo?.stop();
    await supervisor.stop(stopOrder(options));
    removeClusterFile(options.dataDir);
  }
  say("Stopped.");
}

function workerNumbers(options: UpOptions): number[] {
  return options.ports.workers.map((_, index) => index + 1);
}

function stopOrder(options: UpOptions): string[][] {
  return [["demo-traffic"], ["console"], ["scheduler"], workerNumbers(options).map(workerName), ["registry"]];
}

/** Starts every process and waits for it. Resolves with what only the running processes know. */
async function start(
  options: UpOptions,
  prepared: Prepared,
  supervisor: Supervisor,
  demo: DemoMaking | undefined,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<{ readonly mounts: string[]; readonly dataPath: string }> {
  const { ports } = options;
  const logFile = (name: string) => path.join(dataPaths(options.dataDir).logs, `${name}.log`);
  const wait = (child: Child, ready: () => Promise<boolean>, timeoutMs = READY_MS) =>
    waitUntil(child, ready, { timeoutMs, signal, logFile: logFile(child.name) });
  say(
    `Starting ${count(options.workers, "worker")}, scheduler${options.console ? ", console" : ""}${options.registry ? "" : " and registry"} in ${options.dataDir}.`,
  );

  if (options.registry === undefined) {
    await wait(supervisor.start(registrySpec(options)), () => accepts(HOST, ports.registry), REGISTRY_READY_MS);
  }
  const workers = workerNumbers(options).map((number) => supervisor.start(workerSpec(options, prepared.tiers, number)));
  const scheduler = supervisor.start(schedulerSpec(options));
  const console = options.console ? supervisor.start(consoleSpec(options)) : undefined;
  const mounted = Promise.all(
    workers.map((worker, index) => wait(worker, () => answers(`http://${HOST}:${ports.workers[index]!.rest}/readyz`))),
  ).then(() => mountAll(options, prepared, signal));
  const waits = [
    mounted,
    wait(scheduler, () => accepts(HOST, ports.scheduler)),
    ...(console ? [wait(console, () => answers(`http://${HOST}:${ports.console}/api/healthz`))] : []),
  ];
  // The first failure ends the start; the others must not go unobserved.
  for (const pending of waits) pending.catch(() => {});
  await Promise.all(waits);
  const mounts = await mounted;
  // Each worker hears of the others and of the mounts in its own time. Before all have, two of them may take themselves
  // for the owner of the same object.
  let dataPath = "";
  await Promise.all(
    workers.map((worker, index) =>
      wait(worker, async () => {
        const known = await knownTo(`http://${HOST}:${ports.workers[index]!.rest}/readyz`);
        dataPath = known?.dataPath ?? dataPath;
        return (
          known !== undefined &&
          known.members >= workers.length &&
          known.workers >= workers.length &&
          known.mounts >= mounts.length
        );
      }),
    ),
  );
  const demoUri = demoMount(options.dataDir).uri;
  const isDemo = options.mounts.length === 0 && mounts.some(({ name, uri }) => name === DEMO_MOUNT && uri === demoUri);
  if (isDemo && options.demoTraffic) supervisor.start(trafficSpec(options));
  await Promise.race([demo?.sample, aborted(signal)]);
  return { mounts: mounts.map(({ name }) => name).sort(), dataPath };
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return promise;
}

/** Adds the mounts of the command line, or the demo's, unless they are there. Resolves with all mounts. */
async function mountAll(options: UpOptions, prepared: Prepared, signal: AbortSignal): Promise<readonly MountRecord[]> {
  const endpoint = `${HOST}:${options.ports.workers[0]!.grpc}`;
  const link: MountLink = await openMountLink(endpoint, prepared.token);
  try {
    const existing = await link.mounts();
    const wanted = prepared.mountDemo && existing.length === 0 ? [demoMount(options.dataDir)] : options.mounts;
    const added: MountRecord[] = [];
    for (const mount of wanted) {
      const same = existing.find(({ name }) => name === mount.name);
      if (same === undefined) {
        await link.addMount(mount, signal);
        added.push(mount);
      } else if (!sameMount(same, mount)) {
        throw new RinglightError(
          "RL_MOUNT_EXISTS",
          `/${mount.name} is ${same.uri} with other options in this cluster; start without that --mount and remove it with ringlight mount rm /${mount.name}, or choose another name`,
        );
      }
    }
    return [...existing, ...added];
  } finally {
    link.close();
  }
}

function sameMount(a: MountRecord, b: MountRecord): boolean {
  const essence = ({ createdMs: _, options, ...rest }: MountRecord) =>
    JSON.stringify(Object.entries({ ...rest, options: Object.entries(options).sort() }).sort());
  return essence(a) === essence(b);
}

function clusterFile(options: UpOptions, supervisor: Supervisor): ClusterFile {
  const { ports } = options;
  const paths = dataPaths(options.dataDir);
  const pids = supervisor.pids();
  return {
    cluster: options.cluster,
    console: options.console ? `http://${HOST}:${ports.console}` : null,
    s3Endpoint: `http://${HOST}:${ports.s3}`,
    registry: registryEndpoints(options),
    workers: ports.workers.map(({ s3, grpc, rest }, index) => ({
      id: workerId(options, index + 1),
      grpc: `${HOST}:${grpc}`,
      s3: `${HOST}:${s3}`,
      rest: `${HOST}:${rest}`,
      pid: pids[workerName(index + 1)] ?? 0,
    })),
    scheduler: `${HOST}:${ports.scheduler}`,
    tokenFile: paths.token,
    credentialsFile: paths.credentials,
    logs: paths.logs,
    supervisor: process.pid,
    pids,
  };
}
