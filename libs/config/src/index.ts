export { isKernelDirectory } from "./kernel-directory.ts";
export { type ConfigInput, type LoadedConfig, loadConfig, type Origin } from "./load.ts";
export { nodeFlagsOf } from "./node-flags.ts";
export { packageVersion } from "./package-version.ts";
export { type Running, runProcess } from "./run-process.ts";
export {
  type ConsoleConfig,
  isLoopback,
  type ProcessConfigs,
  type ProcessName,
  type RegistryConfig,
  type SchedulerConfig,
  type WorkerConfig,
} from "./schemas.ts";
export type { Action } from "./sources.ts";
export { envOf, flagOf } from "./spelling.ts";
export { defaultDataDir, readToken } from "./token.ts";
