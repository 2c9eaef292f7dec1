/** The KV service's operations on the engine: ranges, puts, deletions and transactions, with etcd's checks and errors. */
import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  KeyValue,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from "@ringlight/proto/etcd";
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
} from "@ringlight/proto/etcd";
import type { RegistryEngine } from "./engine.ts";
import { etcdErrors } from "./etcd-error.ts";
import { inRange, keyBytes, keyOf, rangeOf } from "./key-range.ts";
import type { StoredKey } from "./mvcc-store.ts";

/** etcd's default bounds on a request. */
const MAX_TXN_OPS = 128;
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;
const NO_VALUE = Buffer.alloc(0);

/** A stored key as it travels. */
export function wireKey(stored: StoredKey, keysOnly = false): KeyValue {
  return {
    key: keyBytes(stored.key),
    createRevision: stored.createRevision,
    modRevision: stored.modRevision,
    version: stored.version,
    value: keysOnly ? NO_VALUE : stored.value,
    lease: stored.lease,
  };
}

/** Range of the KV service. */
export function range(engine: RegistryEngine, request: RangeRequest): RangeResponse {
  if (request.key.length === 0) throw etcdErrors.emptyKey();
  let found = engine.store.range(rangeOf(request.key, request.rangeEnd), request.revision);
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  const count = found.length;
  if (minModRevision > 0) found = found.filter((entry) => entry.modRevision >= minModRevision);
  if (maxModRevision > 0) found = found.filter((entry) => entry.modRevision <= maxModRevision);
  if (minCreateRevision > 0) found = found.filter((entry) => entry.createRevision >= minCreateRevision);
  if (maxCreateRevision > 0) found = found.filter((entry) => entry.createRevision <= maxCreateRevision);
  sort(found, request);
  const limited = request.limit > 0 && found.length > request.limit ? found.slice(0, request.limit) : found;
  return {
    header: engine.header(),
    kvs: request.countOnly ? [] : limited.map((entry) => wireKey(entry, request.keysOnly)),
    more: limited.length < found.length,
    count,
  };
}

/** Put of the KV service. */
export function put(engine: RegistryEngine, request: PutRequest): PutResponse {
  checkPut(engine, request);
  return engine.mutate(() => applyPut(engine, request));
}

/** DeleteRange of the KV service. */
export function deleteRange(engine: RegistryEngine, request: DeleteRangeRequest): DeleteRangeResponse {
  if (request.key.length === 0) throw etcdErrors.emptyKey();
  return engine.mutate(() => applyDelete(engine, request));
}

/** Txn of the KV service: one revision, all or nothing. */
export function txn(engine: RegistryEngine, request: TxnRequest): TxnResponse {
  checkTxn(request);
  return engine.mutate(() => applyTxn(engine, request));
}

function applyTxn(engine: RegistryEngine, request: TxnRequest): TxnResponse {
  const succeeded = request.compare.every((compare) => holds(engine, compare));
  const operations = succeeded ? request.success : request.failure;
  const responses = operations.map((operation) => applyOp(engine, operation));
  return { header: engine.header(), succeeded, responses };
}

function applyOp(engine: RegistryEngine, operation: RequestOp): ResponseOp {
  if (operation.requestRange) return { responseRange: range(engine, operation.requestRange) };
  if (operation.requestPut) {
    checkPut(engine, operation.requestPut);
    return { responsePut: applyPut(engine, operation.requestPut) };
  }
  if (operation.requestDeleteRange) return { responseDeleteRange: applyDelete(engine, operation.requestDeleteRange) };
  if (operation.requestTxn) return { responseTxn: applyTxn(engine, operation.requestTxn) };
  return {};
}

function applyPut(engine: RegistryEngine, request: PutRequest): PutResponse {
  const key = keyOf(request.key);
  const previous = engine.store.get(key);
  const value = request.ignoreValue ? (previous?.value ?? NO_VALUE) : Buffer.from(request.value);
  engine.store.put(key, value, request.ignoreLease ? (previous?.lease ?? 0) : request.lease);
  return {
    header: engine.header(),
    prevKv: request.prevKv && previous !== undefined ? wireKey(previous) : undefined,
  };
}

function applyDelete(engine: RegistryEngine, request: DeleteRangeRequest): DeleteRangeResponse {
  const found = engine.store.range(rangeOf(request.key, request.rangeEnd));
  for (const entry of found) engine.store.delete(entry.key);
  return {
    header: engine.header(),
    deleted: found.length,
    prevKvs: request.prevKv ? found.map((entry) => wireKey(entry)) : [],
  };
}

function checkPut(engine: RegistryEngine, request: PutRequest): void {
  if (request.key.length === 0) throw etcdErrors.emptyKey();
  if (request.ignoreValue && request.value.length > 0) throw etcdErrors.valueProvided();
  if (request.ignoreLease && request.lease !== 0) throw etcdErrors.leaseProvided();
  if (request.key.length + request.value.length > MAX_REQUEST_BYTES) throw etcdErrors.requestTooLarge();
  if ((request.ignoreValue || request.ignoreLease) && engine.store.get(keyOf(request.key)) === undefined) {
    throw etcdErrors.keyNotFound();
  }
  if (request.lease !== 0) engine.leases.require(request.lease);
}

function checkTxn(request: TxnRequest): void {
  if (Math.max(request.compare.length, request.success.length, request.failure.length) > MAX_TXN_OPS) {
    throw etcdErrors.tooManyOps();
  }
  for (const branch of [request.success, request.failure]) {
    checkDuplicates(branch);
    for (const operation of branch) if (operation.requestTxn) checkTxn(operation.requestTxn);
  }
}

/** One transaction may change a key once: no two puts of a key, no put into a range that is deleted. */
function checkDuplicates(operations: readonly RequestOp[]): void {
  const puts = new Set<string>();
  for (const { requestPut } of operations) {
    if (!requestPut) continue;
    const key = keyOf(requestPut.key);
    if (puts.has(key)) throw etcdErrors.duplicateKey();
    puts.add(key);
  }
  for (const { requestDeleteRange } of operations) {
    if (!requestDeleteRange) continue;
    const deleted = rangeOf(requestDeleteRange.key, requestDeleteRange.rangeEnd);
    for (const key of puts) if (inRange(key, deleted)) throw etcdErrors.duplicateKey();
  }
}

function holds(engine: RegistryEngine, compare: Compare): boolean {
  if (compare.key.length === 0) throw etcdErrors.emptyKey();
  if (compare.rangeEnd.length > 0) {
    return engine.store.range(rangeOf(compare.key, compare.rangeEnd)).every((entry) => holdsFor(entry, compare));
  }
  return holdsFor(engine.store.get(keyOf(compare.key)), compare);
}

function holdsFor(entry: StoredKey | undefined, compare: Compare): boolean {
  let order: number;
  switch (compare.target) {
    case Compare_CompareTarget.VALUE:
      // A key that is not there has no value: no comparison with it holds.
      if (entry === undefined) return false;
      order = Buffer.compare(entry.value, compare.value ?? NO_VALUE);
      break;
    case Compare_CompareTarget.CREATE:
      order = (entry?.createRevision ?? 0) - (compare.createRevision ?? 0);
      break;
    case Compare_CompareTarget.MOD:
      order = (entry?.modRevision ?? 0) - (compare.modRevision ?? 0);
      break;
    case Compare_CompareTarget.LEASE:
      order = (entry?.lease ?? 0) - (compare.lease ?? 0);
      break;
    default:
      order = (entry?.version ?? 0) - (compare.version ?? 0);
  }
  switch (compare.result) {
    case Compare_CompareResult.GREATER:
      return order > 0;
    case Compare_CompareResult.LESS:
      return order < 0;
    case Compare_CompareResult.NOT_EQUAL:
      return order !== 0;
    default:
      return order === 0;
  }
}

function sort(found: StoredKey[], request: RangeRequest): void {
  const target = request.sortTarget;
  // As etcd does it: without an order, sorting by anything but the key means ascending.
  const ascending = request.sortOrder !== RangeRequest_SortOrder.DESCEND;
  if (target === RangeRequest_SortTarget.KEY) {
    if (!ascending) found.reverse();
    return;
  }
  const compare = (a: StoredKey, b: StoredKey): number => {
    if (target === RangeRequest_SortTarget.VERSION) return a.version - b.version;
    if (target === RangeRequest_SortTarget.CREATE) return a.createRevision - b.createRevision;
    if (target === RangeRequest_SortTarget.MOD) return a.modRevision - b.modRevision;
    return Buffer.compare(a.value, b.value);
  };
  found.sort(ascending ? compare : (a, b) => compare(b, a));
}
