/** What the doors of a worker have in common. Made by worker.ts, which ends it. */
import type { WorkerConfig } from "@ringlight/config";
import type { Clock } from "@ringlight/core";
import type { WorkerStats } from "@ringlight/proto";
import type { connectRegistry } from "@ringlight/registry";
import type { KeyRing, ListingCache } from "@ringlight/s3";
import type { LocalPageStore, RollingReuse } from "@ringlight/store";
import type { Logger } from "@ringlight/telemetry";
import type { BucketMaker } from "./bucket-maker.ts";
import type { Capture } from "./capture.ts";
import type { HotObjects } from "./hot-objects.ts";
import type { LeaseSessions } from "./lease-sessions.ts";
import type { MountTable } from "./mount-table.ts";
import type { ObjectReader } from "./object-reader.ts";
import type { PageNames } from "./page-names.ts";
import type { PageReader } from "./page-reader.ts";
import type { Policies } from "./policies.ts";
import type { RingKeeper } from "./ring-keeper.ts";
import type { Router } from "./router.ts";
import type { DataPath } from "./s3-door.ts";
import type { WorkerStatistics } from "./statistics.ts";
import type { Writer } from "./writer.ts";

/** How long running answers may go on after the worker was told to end, milliseconds. */
export const DRAIN_MS = 5_000;

/** See the head of the file. */
export interface WorkerParts {
  readonly id: string;
  readonly config: WorkerConfig;
  readonly token: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly logDebug: (message: string, fields: Record<string, unknown>) => void;
  readonly registry: ReturnType<typeof connectRegistry>;
  readonly keys: KeyRing;
  readonly ring: RingKeeper;
  readonly mounts: MountTable;
  readonly store: LocalPageStore;
  readonly pages: PageReader;
  readonly objects: ObjectReader;
  readonly router: Router;
  readonly writer: Writer;
  readonly listings: ListingCache;
  readonly buckets: BucketMaker;
  readonly policies: Policies;
  readonly leases: LeaseSessions;
  readonly capture: Capture;
  readonly names: PageNames;
  readonly hot: HotObjects;
  readonly reuse: RollingReuse;
  readonly statistics: WorkerStatistics;
  readonly stats: () => WorkerStats;
  readonly dataPath: DataPath;
}

/** Takes what is to be closed when the worker ends or does not come up, in reverse order. */
export type Opened = (close: () => Promise<void> | void) => void;
