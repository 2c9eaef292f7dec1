export {
  type Answered,
  type AskOptions,
  type ConnectOptions,
  type Coverage,
  connect,
  type Explanation,
  type ListOptions,
  type MountChecks,
  type NewMount,
  RinglightClient,
} from "./client.ts";
export { runBytes, uniteRuns } from "./page-runs.ts";
export type { ReadHandle, ReadOptions } from "./read.ts";
