/** Conditions of writes, evaluated where the store leaves that to others. */
import { type ObjectMeta, RinglightError, type SourceConditions, type WriteConditions } from "@ringlight/core";

function names(header: string, etag: string): boolean {
  if (header.trim() === "*") return true;
  const bare = (tag: string) => tag.trim().replace(/^W\//, "").replace(/^"|"$/g, "");
  return header.split(",").some((tag) => bare(tag) === bare(etag));
}

/** Do conditions on the source of a copy hold? In the order of S3: an ETag that matches outweighs the time. */
export function holdForSource(conditions: SourceConditions, source: Pick<ObjectMeta, "etag" | "modifiedMs">): boolean {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  const seconds = Math.floor(source.modifiedMs / 1000) * 1000;
  if (ifMatch !== undefined) {
    if (!names(ifMatch, source.etag)) return false;
  } else if (seconds > Date.parse(ifUnmodifiedSince ?? "")) return false;
  if (ifNoneMatch !== undefined) return !names(ifNoneMatch, source.etag);
  return !(seconds <= Date.parse(ifModifiedSince ?? ""));
}

/** @throws RL_PRECONDITION_FAILED, or RL_NOT_FOUND for If-Match where there is no object, as S3 does */
export function checkWriteConditions(
  conditions: WriteConditions | undefined,
  current: Pick<ObjectMeta, "etag"> | undefined,
  key: string,
): void {
  const { ifMatch, ifNoneMatch } = conditions ?? {};
  if (ifMatch !== undefined) {
    if (current === undefined) throw new RinglightError("RL_NOT_FOUND", `there is no object "${key}" to match`);
    if (!names(ifMatch, current.etag)) {
      throw new RinglightError("RL_PRECONDITION_FAILED", `"${key}" has the ETag ${current.etag}, not ${ifMatch}`);
    }
  }
  if (ifNoneMatch !== undefined && current !== undefined && names(ifNoneMatch, current.etag)) {
    throw new RinglightError("RL_PRECONDITION_FAILED", `there is an object "${key}" with the ETag ${current.etag}`);
  }
}
