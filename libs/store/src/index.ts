export {
  createEvictionPolicy,
  DEFAULT_EVICTION_POLICY,
  EVICTION_POLICY_NAMES,
  type EvictionPolicy,
  type EvictionPolicyName,
} from "./eviction-policy.ts";
export type { LocalPageStore, LocalTierStats } from "./local-page-store.ts";
export { openPageStore, type PageStoreOptions, type TierOptions } from "./open-page-store.ts";
export { versionId } from "./version-id.ts";
export type { StoreLog } from "./volume.ts";
