/** Errors on their way through gRPC: RinglightError to status and back. The code travels in the trailer `rl-code`. */

import { Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { ERRORS, type ErrorCode, formatDuration, isRinglightError, RinglightError } from "@ringlight/core";

/** Trailer that carries the code of the error table. */
const CODE_TRAILER = "rl-code";

/** A status to end a call with, and what was thrown where that must not leave the process. */
export interface FailedStatus extends StatusObject {
  /** Set for a defect: for the log only. */
  readonly defect?: unknown;
}

/** Status of an error. Anything but a RinglightError becomes INTERNAL without its own words. */
export function statusOf(error: unknown): FailedStatus {
  const known = isRinglightError(error);
  const code: ErrorCode = known ? error.code : "RL_INTERNAL";
  const metadata = new Metadata();
  metadata.set(CODE_TRAILER, code);
  const details = known ? error.message : "the server met a defect; its log has more";
  const status = { code: ERRORS[code].grpc, details: details.toWellFormed(), metadata };
  return known && code !== "RL_INTERNAL" ? status : { ...status, defect: error };
}

/** Name of a status code: 5 is "NOT_FOUND". */
export function statusName(code: number): string {
  return Status[code] ?? "UNKNOWN";
}

const CODE_BY_STATUS: Readonly<Partial<Record<number, ErrorCode>>> = {
  [Status.INVALID_ARGUMENT]: "RL_BAD_REQUEST",
  [Status.DEADLINE_EXCEEDED]: "RL_DEADLINE",
  [Status.NOT_FOUND]: "RL_NOT_FOUND",
  [Status.ALREADY_EXISTS]: "RL_CONFLICT",
  [Status.PERMISSION_DENIED]: "RL_FORBIDDEN",
  [Status.RESOURCE_EXHAUSTED]: "RL_OVERLOADED",
  [Status.FAILED_PRECONDITION]: "RL_PRECONDITION_FAILED",
  [Status.ABORTED]: "RL_CONFLICT",
  [Status.OUT_OF_RANGE]: "RL_BAD_RANGE",
  [Status.UNIMPLEMENTED]: "RL_NOT_IMPLEMENTED",
  [Status.UNAUTHENTICATED]: "RL_UNAUTHENTICATED",
};

/** Who was called, for the words of an error. */
export interface CallLabel {
  readonly address: string;
  readonly method: string;
  /** Code of an error that says that nobody answered. */
  readonly unavailable: ErrorCode;
  readonly deadlineMs: number | undefined;
}

/**
 * True when the connection failed, or could not be made: no word came from the server. The caller's own cancellation must
 * have been ruled out.
 */
export function isTransportFailure(status: Pick<StatusObject, "code" | "details" | "metadata">): boolean {
  if (status.metadata?.get(CODE_TRAILER).length > 0) return false;
  // CANCELLED is how a server's forced end looks from outside.
  if (status.code === Status.UNAVAILABLE || status.code === Status.CANCELLED) return true;
  // A connection that dies within a stream: grpc-js reports the HTTP/2 reset as INTERNAL.
  return status.code === Status.INTERNAL && /RST_STREAM|Connection dropped|socket/i.test(status.details);
}

/** The error that a status stands for. */
export function errorOfStatus(
  status: Pick<StatusObject, "code" | "details" | "metadata">,
  label: CallLabel,
): RinglightError {
  const sent = String(status.metadata?.get(CODE_TRAILER)[0] ?? "");
  if (Object.hasOwn(ERRORS, sent)) return new RinglightError(sent as ErrorCode, status.details);
  const where = `${label.address} (${label.method})`;
  if (isTransportFailure(status)) {
    // grpc-js appends a note of its name resolution, which is empty where there was no name.
    const details = status.details.replace(/\s*Resolution note:\s*\.?\s*$/, "").trim();
    return new RinglightError(label.unavailable, `${where} does not answer: ${details}`);
  }
  if (status.code === Status.DEADLINE_EXCEEDED && label.deadlineMs !== undefined) {
    return new RinglightError("RL_DEADLINE", `${where} did not answer within ${formatDuration(label.deadlineMs)}`);
  }
  return new RinglightError(CODE_BY_STATUS[status.code] ?? "RL_INTERNAL", `${where}: ${status.details}`);
}
