/** Errors at the console's door. */
import { ERRORS, type ErrorCode } from "@ringlight/core";
import type { ErrorBody } from "../wire.ts";

/** The code of an error of the table; anything else is a defect. By shape: a bundler may load the class more than once. */
export function codeOf(error: unknown): ErrorCode {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "RL_INTERNAL";
}

/** An error as the routes answer it: code, message, remedy of the table. */
export function errorBody(error: unknown): ErrorBody {
  const code = codeOf(error);
  return {
    code,
    message: error instanceof Error ? error.message : String(error),
    remedy: ERRORS[code].remedy,
  };
}
