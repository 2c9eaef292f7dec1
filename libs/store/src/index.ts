export {
  createEvictionPolicy,
  DEFAULT_EVICTION_POLICY,
  EVICTION_POLICY_NAMES,
  type EvictionPolicy,
  type EvictionPolicyName,
} from "./eviction-policy.ts";
export type { PageBand, PageSum, StoreInventory, TierInventory } from "./inventory.ts";
export type { LocalPageStore, LocalTierStats } from "./local-page-store.ts";
export { openPageStore, type PageStoreOptions, type TierOptions } from "./open-page-store.ts";
export { BLOCK_BYTES, BlockChecksums } from "./page-file.ts";
export { LEVELS, MAX_CLASSES, type PageClass, type PageRules } from "./page-rules.ts";
export { RollingReuse } from "./rolling-reuse.ts";
export { versionId } from "./version-id.ts";
export { pageHash, versionWord } from "./version-table.ts";
export type { StoreLog } from "./volume.ts";
