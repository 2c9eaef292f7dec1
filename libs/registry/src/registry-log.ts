/** Where the registry tells what happens to it; the process's logger is passed in. */
export type RegistryLog = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;
