/** The pieces of etcd transactions, written short. Keys and values are text here; buffers only on the wire. */
import type { ICompare, IKeyValue, IRequestOp, IResponseOp } from "etcd3";

/** A key and its value as read from the registry. */
export interface ReadKey {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** Decimal lease id; "0" for none. */
  readonly lease: string;
}

/** Holds when the key does not exist. */
export function isAbsent(key: string): ICompare {
  return { target: "Create", result: "Equal", key: Buffer.from(key), create_revision: "0" };
}

/** Holds when the key exists. */
export function isPresent(key: string): ICompare {
  return { target: "Create", result: "Greater", key: Buffer.from(key), create_revision: "0" };
}

/** Holds when the key was last changed at the revision; 0 means that it does not exist. */
export function isUnchanged(key: string, modRevision: number): ICompare {
  return { target: "Mod", result: "Equal", key: Buffer.from(key), mod_revision: String(modRevision) };
}

/** Holds when the key exists with exactly this text. */
export function hasText(key: string, text: string): ICompare {
  return { target: "Value", result: "Equal", key: Buffer.from(key), value: Buffer.from(text) };
}

/** Holds when the key is on the lease. */
export function isOnLease(key: string, leaseId: string): ICompare {
  return { target: "Lease", result: "Equal", key: Buffer.from(key), lease: leaseId };
}

/** Reads one key. */
export function getOp(key: string): IRequestOp {
  return { request_range: { key: Buffer.from(key) } };
}

/** Reads the keys of [start, end). */
export function getRangeOp(start: string, end: string): IRequestOp {
  return { request_range: { key: Buffer.from(start), range_end: Buffer.from(end) } };
}

/** A record as it stands in the registry. */
export function recordText(record: unknown): string {
  return JSON.stringify(record);
}

/** Writes a record as JSON, on a lease if one is given. */
export function putOp(key: string, record: unknown, lease = "0"): IRequestOp {
  return { request_put: { key: Buffer.from(key), value: Buffer.from(recordText(record)), lease } };
}

/** Deletes one key. */
export function deleteOp(key: string): IRequestOp {
  return { request_delete_range: { key: Buffer.from(key) } };
}

/** Does the operations if the comparisons hold, without failing the transaction around it if not. */
export function ifOp(compare: ICompare[], success: IRequestOp[]): IRequestOp {
  return { request_txn: { compare, success, failure: [] } };
}

/** End of the range of all keys that begin with the prefix. */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** The keys that a read operation of a transaction found. */
export function keysRead(response: IResponseOp | undefined): ReadKey[] {
  return (response?.response_range?.kvs ?? []).map(readKey);
}

/** One key of a response. */
export function readKey(kv: IKeyValue): ReadKey {
  return {
    key: kv.key.toString(),
    value: kv.value.toString(),
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
    lease: String(kv.lease),
  };
}
