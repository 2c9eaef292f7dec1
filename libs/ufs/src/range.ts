/** Ranges of bytes as callers give them. */
import { type ByteRange, RinglightError } from "@ringlight/core";

/** @throws RL_BAD_RANGE for a range that holds no byte. */
export function checkRange(range: ByteRange, what: string): void {
  const { start, end } = range;
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start) return;
  throw new RinglightError("RL_BAD_RANGE", `${start}-${end} is not a range of bytes: ${what}`);
}
