/**
 * autocannon as the generator of the small benchmarks over HTTP (`--driver autocannon`): a second opinion by a client that others wrote.
 * It is a closed loop, has no pipelines, is too slow for bulk data, and waits for bodies of HEADs (docs/adr/0007). Every user is one of its connections, and goes
 * through the first requests of the plan again and again.
 */

import { RinglightError } from "@ringlight/core";
import autocannon from "autocannon";
import type { Plan, PlannedRequest } from "../workloads/plan.ts";
import type { RoundCommand } from "./generator.ts";
import { requestOf } from "./http-target.ts";
import { type MergedRound, mergeRounds } from "./merge-rounds.ts";
import { Recorder, type Window } from "./recorder.ts";
import type { TargetAddress } from "./target.ts";

/** Requests of each lane that are repeated. */
const REQUESTS_PER_LANE = 256;

/** Loads one HTTP target. */
export class AutocannonLoad {
  readonly #address: TargetAddress;
  readonly #requests: readonly PlannedRequest[];
  readonly #connections: number;

  /** @throws RL_BAD_REQUEST for plans that are more than GETs without an end, and for other targets than HTTP */
  constructor(plan: Plan, address: TargetAddress) {
    const requests: PlannedRequest[] = [];
    for (const lane of plan.lanes) {
      let taken = 0;
      for (const step of lane.steps()) {
        if (taken++ === REQUESTS_PER_LANE) break;
        requests.push(...step.requests);
      }
    }
    const isSmall = requests.every(({ op }) => op === "get");
    if (!plan.endless || !isSmall || !address.url.startsWith("http")) {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        "autocannon drives GETs of small workloads over http(s)://; leave --driver out",
      );
    }
    this.#address = address;
    this.#requests = requests;
    this.#connections = plan.lanes.length;
  }

  /** Runs one round. @throws Error when autocannon cannot connect */
  async round(command: RoundCommand, onWindow: (window: Window) => void = () => {}): Promise<MergedRound> {
    const { seconds = 1 } = command;
    const startedMs = performance.now();
    const recorder = new Recorder(startedMs, Date.now(), onWindow);
    const cpuBefore = process.cpuUsage();
    const loopBefore = performance.eventLoopUtilization();
    const requests = this.#requests.map(({ op, key, offset, length }) => {
      const { method, url } = requestOf(this.#address, op, key);
      const headers = op === "get" && length > 0 ? { range: `bytes=${offset}-${offset + length - 1}` } : {};
      return { method: method as "GET", path: url.pathname + url.search, headers };
    });
    const { origin } = requestOf(this.#address, "get", "").url;
    await new Promise<void>((resolve, reject) => {
      const instance = autocannon(
        { url: origin, connections: this.#connections, duration: seconds, requests },
        (error: Error | null) => (error === null ? resolve() : reject(error)),
      );
      // What a connection had asked for is not told, so a request of the plan stands for its kind.
      const [kind] = this.#requests;
      instance.on("response", (_client, status, bytes, responseMs) => {
        const endMs = performance.now();
        const ok = status === 200 || status === 206;
        const answer = { ok, bytes, firstByteMs: responseMs, error: ok ? "" : `status ${status}`, head: "" };
        recorder.request(kind!, endMs - responseMs, endMs, answer);
      });
    });
    const cpu = process.cpuUsage(cpuBefore);
    const generator = {
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      seconds: (performance.now() - startedMs) / 1000,
      utilization: performance.eventLoopUtilization(loopBefore).utilization,
      latenessP99Ms: 0,
      unanswered: 0,
    };
    return mergeRounds([{ round: recorder.finish(performance.now()), generator }]);
  }

  async stop(): Promise<void> {}
}
