export { type Contents, type MissRatioCurve, mergedContents, missRatioCurve } from "./cache-report.ts";
export {
  type Answered,
  type AskOptions,
  type CaptureOptions,
  type Captures,
  type ConnectOptions,
  type Coverage,
  connect,
  type Explanation,
  type ListOptions,
  type MountChecks,
  type NewMount,
  RinglightClient,
} from "./client.ts";
export type { Jobs, NewJob } from "./jobs.ts";
export type { LeaseSession } from "./lease-session.ts";
export type { LeasedPage } from "./leased-page.ts";
export { type LeasedObject, LeasedPages, type LeasedPagesOptions, type LeaseSource } from "./leased-pages.ts";
export { runBytes, uniteRuns } from "./page-runs.ts";
export type { ReadHandle, ReadOptions } from "./read.ts";
export type { RangeToRead } from "./read-many.ts";
