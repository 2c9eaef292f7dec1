/** The one table of error codes, and the error that carries them. docs/errors.md is generated from this table. */

/** How an error looks at each door. */
export interface ErrorInfo {
  /** gRPC status code number. */
  readonly grpc: number;
  /** HTTP status. */
  readonly http: number;
  /** Error code of the S3 protocol. */
  readonly s3: string;
  /** What it means. */
  readonly meaning: string;
  /** What to do. */
  readonly remedy: string;
}

const info = (grpc: number, http: number, s3: string, meaning: string, remedy: string): ErrorInfo => ({
  grpc,
  http,
  s3,
  meaning,
  remedy,
});

/** Every error code of Ringlight. */
export const ERRORS = {
  RL_BAD_REQUEST: info(
    3,
    400,
    "InvalidRequest",
    "The request is malformed.",
    "Correct the value that the message names, and ask again.",
  ),
  RL_BAD_CONFIG: info(
    3,
    400,
    "InvalidRequest",
    "A setting is unknown or has a bad value.",
    "Correct the setting that the message names; `--print-config` shows every value with its origin.",
  ),
  RL_UNAUTHENTICATED: info(
    16,
    401,
    "AccessDenied",
    "The cluster token is missing or wrong.",
    "Send `authorization: Bearer <token>`; the token is in the file cluster.token of the data directory.",
  ),
  RL_FORBIDDEN: info(
    7,
    403,
    "AccessDenied",
    "The caller may not do this.",
    "Ask for the permission, or use another key.",
  ),
  RL_NO_SUCH_MOUNT: info(
    5,
    404,
    "NoSuchBucket",
    "No mount of that name.",
    "`ringlight mount ls` lists the mounts; `ringlight mount add` makes one.",
  ),
  RL_NOT_FOUND: info(
    5,
    404,
    "NoSuchKey",
    "The store behind the mount has no such object.",
    "Check the path; an object made a moment ago may be hidden by the mount's negative cache for up to 1 s.",
  ),
  RL_MOUNT_EXISTS: info(
    6,
    409,
    "BucketAlreadyExists",
    "A mount of that name exists.",
    "Choose another name, or remove the mount first.",
  ),
  RL_READ_ONLY: info(7, 403, "AccessDenied", "The mount is read-only.", "Write to the store directly."),
  RL_PRECONDITION_FAILED: info(
    9,
    412,
    "PreconditionFailed",
    "A condition of the request does not hold.",
    "Read the object's current state and try again.",
  ),
  RL_VERSION_CHANGED: info(
    10,
    409,
    "OperationAborted",
    "The object changed in the store while it was read.",
    "Read it again from the start.",
  ),
  RL_BAD_RANGE: info(
    11,
    416,
    "InvalidRange",
    "The range starts behind the end of the object.",
    "Ask for a range within the object's size.",
  ),
  RL_NO_SUCH_UPLOAD: info(
    5,
    404,
    "NoSuchUpload",
    "There is no such multipart upload.",
    "It was completed or aborted, or never begun; begin a new one.",
  ),
  RL_INVALID_PART: info(
    3,
    400,
    "InvalidPart",
    "A part that completes an upload is not there, or has another ETag.",
    "Upload the part again, and complete with the ETag that the answer names.",
  ),
  RL_INVALID_PART_ORDER: info(
    3,
    400,
    "InvalidPartOrder",
    "The parts that complete an upload are not in ascending order.",
    "Name them in the order of their numbers.",
  ),
  RL_ENTITY_TOO_SMALL: info(
    3,
    400,
    "EntityTooSmall",
    "A part of an upload that is not its last is below the least size.",
    "Upload parts of at least 5 MiB.",
  ),
  RL_ENTITY_TOO_LARGE: info(
    3,
    400,
    "EntityTooLarge",
    "An object or part is larger than the store takes.",
    "Upload it in parts, of at most 5 GiB each.",
  ),
  RL_BAD_DIGEST: info(
    3,
    400,
    "BadDigest",
    "The bytes that came have another checksum than the one that was sent with them.",
    "Send them again.",
  ),
  RL_NOT_EMPTY: info(
    9,
    409,
    "BucketNotEmpty",
    "The bucket or directory behind the mount holds objects.",
    "Delete them first.",
  ),
  RL_UFS_UNAVAILABLE: info(
    14,
    503,
    "ServiceUnavailable",
    "The store behind the mount does not answer.",
    "Check the store and the network between; `ringlight mount ls` shows each mount's state.",
  ),
  RL_UFS_TIMEOUT: info(
    14,
    503,
    "SlowDown",
    "The store behind the mount did not answer in time.",
    "Check the store's load; raise the mount's timeout.",
  ),
  RL_UFS_DENIED: info(
    7,
    403,
    "AccessDenied",
    "The store refused the credentials of the mount.",
    "Check the credentials that the mount refers to, and their permissions.",
  ),
  RL_UFS_ERROR: info(
    13,
    502,
    "InternalError",
    "The store behind the mount failed.",
    "The message carries the store's own words.",
  ),
  RL_REGISTRY_UNAVAILABLE: info(
    14,
    503,
    "ServiceUnavailable",
    "The registry does not answer.",
    "Check the registry's endpoints; reads go on with the last known ring.",
  ),
  RL_CONFLICT: info(
    10,
    409,
    "OperationAborted",
    "Somebody else changed the same record at the same time.",
    "Read the record again and repeat.",
  ),
  RL_NO_WORKERS: info(
    14,
    503,
    "ServiceUnavailable",
    "No worker of the ring answers.",
    "`ringlight status` lists the workers; start one.",
  ),
  RL_OVERLOADED: info(8, 503, "SlowDown", "A queue or a byte budget is full.", "Send less at once, or add workers."),
  RL_DEADLINE: info(
    4,
    504,
    "RequestTimeout",
    "The deadline passed.",
    "Allow more time, or look at the trace for what was slow.",
  ),
  RL_DISK_FULL: info(
    8,
    507,
    "InternalError",
    "The disk behind a directory is full.",
    "Free bytes, or choose another directory.",
  ),
  RL_PORT_IN_USE: info(
    9,
    409,
    "InternalError",
    "Another process listens on the port.",
    "Stop it, or choose another port.",
  ),
  RL_NO_PERMISSION: info(
    7,
    403,
    "AccessDenied",
    "The operating system refused access to a file or directory.",
    "Give the user of this process access, or choose another directory.",
  ),
  RL_NOT_IMPLEMENTED: info(12, 501, "NotImplemented", "The operation is not supported.", "docs/s3.md lists what is."),
  RL_CORRUPT: info(
    15,
    500,
    "InternalError",
    "Cached bytes differ from the store's, or from their checksums.",
    "They were dropped and will be read again; check the disk behind the tier and the network to the store.",
  ),
  RL_NOT_CACHED: info(
    8,
    503,
    "SlowDown",
    "Pages that a job loaded are not cached: no tier took them, or they were evicted again.",
    "Give the tiers more bytes, load less, or free what is not needed.",
  ),
  RL_NO_SUCH_JOB: info(
    5,
    404,
    "InvalidRequest",
    "There is no job of that id.",
    "`ringlight job ls` lists the jobs; those that ended long ago are forgotten.",
  ),
  RL_NO_LEADER: info(
    14,
    503,
    "ServiceUnavailable",
    "No scheduler leads, so that no job can be taken or changed now.",
    "Try again in a few seconds; `ringlight status` lists the schedulers.",
  ),
  RL_CANCELLED: info(1, 499, "RequestTimeout", "The caller went away.", "Nothing: the work was stopped."),
  RL_INTERNAL: info(13, 500, "InternalError", "A defect of Ringlight.", "Report it with the request id and the log."),
} as const satisfies Record<string, ErrorInfo>;

/** A code of the table. */
export type ErrorCode = keyof typeof ERRORS;

/** A store's own refusal, in the words of the S3 protocol. */
export interface StoreRefusal {
  readonly code: string;
  /** HTTP status, 4xx. */
  readonly status: number;
  readonly message: string;
}

/** The error that every package throws: a code of the table and a message that names what was wrong. */
export class RinglightError extends Error {
  readonly code: ErrorCode;
  /** The S3 error that a store answered a write with, where it says more than the table's: the S3 door passes it on. */
  readonly s3: StoreRefusal | undefined;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; s3?: StoreRefusal }) {
    super(message, options);
    this.name = "RinglightError";
    this.code = code;
    this.s3 = options?.s3;
  }

  /** The table's row for this error. */
  get info(): ErrorInfo {
    return ERRORS[this.code];
  }
}

/** True for a RinglightError, of the given code if one is named. */
export function isRinglightError(error: unknown, code?: ErrorCode): error is RinglightError {
  return error instanceof RinglightError && (code === undefined || error.code === code);
}

/** Wraps whatever was thrown: a RinglightError stays itself, anything else gets the given code and keeps its cause. */
export function toRinglightError(error: unknown, code: ErrorCode = "RL_INTERNAL"): RinglightError {
  if (error instanceof RinglightError) return error;
  return new RinglightError(code, error instanceof Error ? error.message : String(error), { cause: error });
}
