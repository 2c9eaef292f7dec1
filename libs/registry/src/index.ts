export { type EmbeddedRegistry, type EmbeddedRegistryOptions, startEmbeddedRegistry } from "./embedded/server.ts";
export {
  type Amount,
  isFinal,
  JOB_KINDS,
  JOB_STATES,
  type JobCheckpoint,
  type JobCounters,
  type JobKind,
  type JobRecord,
  type JobSpec,
  type JobState,
  parseJob,
} from "./job-records.ts";
export { connectJobStore, type JobStore, type JobStoreOptions, MAX_PIECE_CHARS, type StoredJob } from "./job-store.ts";
export { type PersistentRegistrationOptions, registerPersistently } from "./persistent-registration.ts";
export { connectRegistry, type RegistryOptions } from "./registry.ts";
export type { RegistryLog } from "./registry-log.ts";
export { type PutMode, type SealedRecord, SealedStore, type SealedStoreOptions } from "./sealed-store.ts";
