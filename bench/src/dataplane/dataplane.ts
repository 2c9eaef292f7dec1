/** `bench dataplane`: every case of the data plane's table, in the order of the table. */
import { grpcReadCases } from "../grpc-read.ts";
import { shortCircuitCases } from "../short-circuit.ts";
import { storeCases } from "../store-cases.ts";
import { amplificationCases } from "./amplification-cases.ts";
import { clusterCases } from "./cluster-cases.ts";
import { coldCases } from "./cold-cases.ts";
import { listingCases } from "./listing-cases.ts";
import { memoryCases } from "./memory-cases.ts";
import { missingPackages } from "./references.ts";
import type { Row } from "./row.ts";
import { type Effort, Stage } from "./stage.ts";
import { tlsCases } from "./tls-cases.ts";
import { warmCases } from "./warm-cases.ts";
import { writeCases } from "./write-cases.ts";

/** What to run. */
export interface DataplaneOptions extends Effort {
  /** Only cases whose name contains this. */
  readonly only?: string;
  readonly progress: (line: string) => void;
  /** Called with all rows so far after each family of cases: a long run that is ended early has not been for nothing. */
  readonly onRows?: (rows: readonly Row[]) => void;
}

/** A family of cases: its rows whose names are wanted. */
type Family = (stage: Stage, wanted: (name: string) => boolean) => Promise<Row[]>;

const FAMILIES: readonly (readonly [string, Family])[] = [
  ["warm", warmCases],
  ["clusters", clusterCases],
  ["cold", coldCases],
  ["read amplification", amplificationCases],
  ["memory", memoryCases],
  ["TLS", tlsCases],
  ["short-circuit", shortCircuitCases],
  ["gRPC", grpcReadCases],
  ["store", (stage, wanted) => storeCases({ ...stage.effort, wanted, progress: stage.progress })],
  ["listings", listingCases],
  ["writes", writeCases],
];

/** Runs the cases. A family that fails says why in a row of its own, and the others go on. @throws Error naming missing packages */
export async function dataplane({ only = "", progress, onRows, ...effort }: DataplaneOptions): Promise<Row[]> {
  // A chosen case may need fewer of them, and says itself what it lacks.
  const missing = only === "" ? missingPackages() : [];
  if (missing.length > 0) {
    throw new Error(
      `the data plane's benchmark needs: apt-get install -y --no-install-recommends ${missing.join(" ")}`,
    );
  }
  const rows: Row[] = [];
  const words = only.toLowerCase();
  const wanted = (name: string) => name.toLowerCase().includes(words);
  for (const [family, cases] of FAMILIES) {
    const stage = new Stage(effort, progress);
    const interrupted = () => void stage.close().finally(() => process.exit(130));
    process.once("SIGINT", interrupted);
    try {
      rows.push(...(await cases(stage, wanted)));
    } catch (error) {
      progress(`${family}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      rows.push({
        case: family,
        reference: "",
        value: undefined,
        unit: "",
        bar: { kind: "at least", value: 1 },
        note: `failed: ${error instanceof Error ? error.message : String(error)}`,
      });
    } finally {
      process.removeListener("SIGINT", interrupted);
      await stage.close();
    }
    onRows?.(rows);
  }
  if (rows.length === 0) {
    throw new Error(
      `no case has "${only}" in its name; docs/performance.md has their names, and without --case all of them run`,
    );
  }
  return rows;
}
