/** Traces and an exact simulation, for tests and benchmarks of eviction policies. */
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
