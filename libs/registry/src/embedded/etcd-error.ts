/** The errors of the embedded server, worded and coded as etcd's own, since clients match on both. */
import { status } from "@grpc/grpc-js";

/** An error that travels to the caller as a gRPC status. */
export class EtcdStatusError extends Error {
  readonly code: status;

  constructor(code: status, message: string) {
    super(`etcdserver: ${message}`);
    this.name = "EtcdStatusError";
    this.code = code;
  }
}

/** Makers of etcd's errors, by what went wrong. */
export const etcdErrors = {
  emptyKey: () => new EtcdStatusError(status.INVALID_ARGUMENT, "key is not provided"),
  keyNotFound: () => new EtcdStatusError(status.INVALID_ARGUMENT, "key not found"),
  valueProvided: () => new EtcdStatusError(status.INVALID_ARGUMENT, "value is provided"),
  leaseProvided: () => new EtcdStatusError(status.INVALID_ARGUMENT, "lease is provided"),
  tooManyOps: () => new EtcdStatusError(status.INVALID_ARGUMENT, "too many operations in txn request"),
  duplicateKey: () => new EtcdStatusError(status.INVALID_ARGUMENT, "duplicate key given in txn request"),
  requestTooLarge: () => new EtcdStatusError(status.INVALID_ARGUMENT, "request is too large"),
  compacted: () => new EtcdStatusError(status.OUT_OF_RANGE, "mvcc: required revision has been compacted"),
  futureRevision: () => new EtcdStatusError(status.OUT_OF_RANGE, "mvcc: required revision is a future revision"),
  leaseNotFound: () => new EtcdStatusError(status.NOT_FOUND, "requested lease not found"),
  leaseExists: () => new EtcdStatusError(status.FAILED_PRECONDITION, "lease already exists"),
  leaseTtlTooLarge: () => new EtcdStatusError(status.OUT_OF_RANGE, "too large lease TTL"),
  stopped: () => new EtcdStatusError(status.UNAVAILABLE, "server stopped"),
  notPersisted: (reason: string) =>
    new EtcdStatusError(status.UNAVAILABLE, `the change could not be stored: ${reason}`),
} as const;
