/** Exit codes of the `ringlight` command, and how errors get them. */
import { type ErrorCode, RinglightError } from "@ringlight/core";

/** Every exit code with its meaning; printed by --help and in docs/cli.md. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  0: "done",
  1: "failed; the message names the error's code and a remedy",
  2: "the command line or a setting is wrong",
  3: "partly done: some files or workers failed, the rest is done",
  4: "no such path or mount; a job failed",
  5: "not allowed: token, credentials, permissions, or a read-only mount",
  6: "no answer: worker, registry or store is away, or the deadline passed",
  7: "in the way: a port in use, a mount of that name, a data directory in use",
  130: "interrupted",
};

const BY_ERROR: Partial<Record<ErrorCode, number>> = {
  RL_BAD_REQUEST: 2,
  RL_BAD_CONFIG: 2,
  RL_BAD_RANGE: 2,
  RL_NOT_FOUND: 4,
  RL_NO_SUCH_MOUNT: 4,
  RL_NO_SUCH_JOB: 4,
  RL_UNAUTHENTICATED: 5,
  RL_FORBIDDEN: 5,
  RL_UFS_DENIED: 5,
  RL_READ_ONLY: 5,
  RL_NO_PERMISSION: 5,
  RL_NO_WORKERS: 6,
  RL_NO_LEADER: 6,
  RL_REGISTRY_UNAVAILABLE: 6,
  RL_UFS_UNAVAILABLE: 6,
  RL_UFS_TIMEOUT: 6,
  RL_DEADLINE: 6,
  RL_OVERLOADED: 6,
  RL_PORT_IN_USE: 7,
  RL_MOUNT_EXISTS: 7,
  RL_CONFLICT: 7,
};

/** Some of the work was done and some was not; the command has said which. */
export class PartialFailure extends Error {}

/** The exit code for whatever a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof PartialFailure) return 3;
  if (error instanceof RinglightError) return BY_ERROR[error.code] ?? 1;
  if (error instanceof Error && error.name === "AbortError") return 130;
  return 1;
}

/** An error as one line for people: code, what was wrong, what to do. */
export function errorLine(error: unknown): string {
  if (error instanceof RinglightError) {
    // A message that carries its own remedy after a semicolon or colon-command is not followed by the general one.
    const remedy = error.message.includes("; ") ? "" : ` ${error.info.remedy}`;
    return `ringlight: ${error.code}: ${error.message.replace(/\.$/, "")}.${remedy}`;
  }
  return `ringlight: ${error instanceof Error ? error.message : String(error)}`;
}

/** An error as one line of JSON. */
export function errorJson(error: unknown): string {
  if (error instanceof RinglightError) {
    return JSON.stringify({ error: { code: error.code, message: error.message, remedy: error.info.remedy } });
  }
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof PartialFailure ? "PARTIAL" : "RL_INTERNAL";
  return JSON.stringify({ error: { code, message } });
}
