/** The parts of the index, traces and an exact simulation: for tests and benchmarks. */
export { createEvictionPolicy, EVICTION_POLICY_NAMES } from "./eviction-policy.ts";
export { formatPageName } from "./page-file.ts";
export { PageTable } from "./page-table.ts";
export {
  epochLoop,
  fileReshuffle,
  type PageTrace,
  pageTraces,
  sampleReshuffle,
  seededRandom,
  sqlWithScans,
  sqlZipf,
  trainingWithSql,
  wandering,
} from "./page-traces.ts";
export { optimalHitRatio, policyHitRatio, simulateHitRatio } from "./policy-simulation.ts";
export { ReuseSampler } from "./reuse-sampler.ts";
export { mix32, VersionTable } from "./version-table.ts";
