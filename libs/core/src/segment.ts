/** Pages and segments: how an object's bytes are cut. */

/** Default page size, bytes. */
export const DEFAULT_PAGE_BYTES = 1024 * 1024;
/** Default segment size, bytes: the run of pages of a large object that has an owner of its own. */
export const DEFAULT_SEGMENT_BYTES = 256 * 1024 * 1024;

/** The key that the ring hashes for one segment of an object. Segment 0 is the object's home: its owner keeps the metadata. */
export function segmentKey(mount: string, key: string, segment: number): string {
  return segment === 0 ? `${mount}/${key}` : `${mount}/${key}\0${segment}`;
}

/** Index of the segment that holds the byte at `offset`. */
export function segmentOf(offset: number, segmentBytes: number = DEFAULT_SEGMENT_BYTES): number {
  return Math.floor(offset / segmentBytes);
}

/** Length in bytes of page `index` of an object of `sizeBytes`; the last page is short. */
export function pageLength(sizeBytes: number, pageBytes: number, index: number): number {
  return Math.max(0, Math.min(pageBytes, sizeBytes - index * pageBytes));
}

/** Number of pages of an object. */
export function pageCount(sizeBytes: number, pageBytes: number): number {
  return Math.ceil(sizeBytes / pageBytes);
}

/** A run of page indices, both ends included. */
export interface PageRun {
  readonly first: number;
  readonly last: number;
}
