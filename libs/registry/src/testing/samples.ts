/** Records for tests. */
import { DEFAULT_FRESHNESS, type MountRecord, type SchedulerRecord, type WorkerRecord } from "@ringlight/core";

/** A worker's record with made-up addresses. */
export function sampleWorker(id: string, fields: Partial<WorkerRecord> = {}): WorkerRecord {
  return {
    id,
    addresses: { grpc: `${id}:29999`, s3: `${id}:29998`, rest: `${id}:28080` },
    weight: 1,
    version: "0.1.0",
    startedMs: 1_700_000_000_000,
    hostname: id,
    pid: 1,
    ...fields,
  };
}

/** A scheduler's record. */
export function sampleScheduler(id: string): SchedulerRecord {
  return { id, address: `${id}:19998`, version: "0.1.0", startedMs: 1_700_000_000_000 };
}

/** A mount's record. */
export function sampleMount(name: string, fields: Partial<MountRecord> = {}): MountRecord {
  return {
    name,
    uri: `file:///srv/${name}`,
    readOnly: true,
    freshness: DEFAULT_FRESHNESS,
    replicas: 1,
    credentials: { kind: "default" },
    options: {},
    createdMs: 1_700_000_000_000,
    ...fields,
  };
}
