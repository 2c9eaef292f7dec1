/** The worker's DirectService: leases for readers of the same host, and many small ranges in one call. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isRinglightError, type PageLocation, type PageStore, parsePath, RinglightError } from "@ringlight/core";
import type { DirectServiceServer, LeasedPage, LeasePagesRequest, LeasePagesResponse, PageUse } from "@ringlight/proto";
import { objectToProto, serverStream, unary } from "@ringlight/rpc";
import type { CountHits } from "./grpc-bulk.ts";
import { type OwnObjects, verifiesAlways } from "./lease-objects.ts";
import { type ReadManyOptions, readMany } from "./lease-read-many.ts";
import { LEASE_TERM_MS, type LeaseSession, type LeaseSessions } from "./lease-sessions.ts";
import type { MountTable } from "./mount-table.ts";
import { type ObjectReader, pageVersion } from "./object-reader.ts";

const PROOF_FILE = "lease-proof";
const MAX_PAGES = 256;

/** Options of the service. */
export interface LeaseServiceOptions extends ReadManyOptions {
  readonly workerId: string;
  readonly dataDir: string;
  readonly mounts: MountTable;
  readonly objects: ObjectReader;
  readonly own: OwnObjects;
  readonly store: PageStore;
  readonly sessions: LeaseSessions;
  readonly pageBytes: number;
  /** Counts hits that a holder served by itself. */
  readonly countHits: CountHits;
}

/** The service and its end. */
export interface LeaseService {
  readonly implementation: DirectServiceServer;
  /** Removes the proof's file. Idempotent. */
  close(): Promise<void>;
}

/** Makes the service. The proof of being on this host is a file that only this worker's user can read, new with each start. */
export async function startLeaseService(options: LeaseServiceOptions): Promise<LeaseService> {
  const { sessions, workerId } = options;
  const proof = randomBytes(32);
  const proofPath = join(options.dataDir, PROOF_FILE);
  await rm(proofPath, { force: true });
  await writeFile(proofPath, proof, { mode: 0o600, flag: "wx" });
  const implementation: DirectServiceServer = {
    openLeases: unary(async (request) => {
      const answer = { proofPath: "", session: "", termMs: LEASE_TERM_MS, workerId };
      if (request.proof.length === 0) return { ...answer, proofPath };
      if (request.proof.length !== proof.length || !timingSafeEqual(request.proof, proof)) {
        throw new RinglightError("RL_FORBIDDEN", "leases are for readers on the worker's host that can read its files");
      }
      return { ...answer, session: sessions.open().id };
    }),
    leasePages: unary((request) => leasePages(options, request)),
    renewLeases: unary(async (request, ctx) => {
      const session = sessions.get(request.session);
      noteUses(options, request.uses);
      const waitMs = Math.min(request.waitMs, LEASE_TERM_MS / 2);
      return { revocations: await sessions.renew(session, request.revision, waitMs, ctx.signal) };
    }),
    closeLeases: unary(async (request) => {
      noteUses(options, request.uses);
      sessions.close(request.session);
      return {};
    }),
    readMany: serverStream((request, ctx) => readMany(options, request, ctx)),
  };
  const close = async () => {
    // Another process may have taken the directory over by now: its file stays.
    const current = await readFile(proofPath).catch(() => undefined);
    if (current?.equals(proof)) await rm(proofPath, { force: true });
  };
  return { implementation, close };
}

async function leasePages(options: LeaseServiceOptions, request: LeasePagesRequest): Promise<LeasePagesResponse> {
  const session = options.sessions.get(request.session);
  const { mount, key } = parsePath(request.path);
  if (key === "") throw new RinglightError("RL_BAD_REQUEST", `"${request.path}" names a mount, not an object`);
  if (request.lastPage < request.firstPage || request.lastPage - request.firstPage >= MAX_PAGES) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${request.firstPage} to ${request.lastPage} are not 1 to ${MAX_PAGES} pages`,
    );
  }
  const record = options.mounts.record(mount);
  const nothing: LeasePagesResponse = {
    object: undefined,
    metaJson: Buffer.alloc(0),
    freshMs: 0,
    revision: session.revision,
    pageBytes: options.pageBytes,
    pages: [],
  };
  if (verifiesAlways(record) || record.freshness.kind === "strict") return nothing;
  if (request.version !== "") {
    return { ...nothing, pages: await locate(options, pageVersion(record, key, request.version), request) };
  }
  if (!options.own.owns(record, key, 0)) return nothing;
  return leaseObject(options, session, mount, key, request, nothing);
}

async function leaseObject(
  options: LeaseServiceOptions,
  session: LeaseSession,
  mount: string,
  key: string,
  request: LeasePagesRequest,
  nothing: LeasePagesResponse,
): Promise<LeasePagesResponse> {
  const revision = options.sessions.hold(session, request.path);
  await options.objects.head(mount, key);
  const known = options.own.peek(mount, key);
  if (known === undefined) return { ...nothing, revision };
  const pages = await locate(options, known.version, request);
  return {
    object: objectToProto(request.path, known.meta),
    metaJson: Buffer.from(JSON.stringify(known.meta)),
    // No number of protobuf's doubles is "for ever" in every language.
    freshMs: Math.min(known.freshMs, Number.MAX_SAFE_INTEGER),
    revision,
    pageBytes: options.pageBytes,
    pages,
  };
}

async function locate(
  { store }: LeaseServiceOptions,
  version: string,
  { firstPage, lastPage }: LeasePagesRequest,
): Promise<LeasedPage[]> {
  const pages: LeasedPage[] = [];
  for (let index = firstPage; index <= lastPage; index++) {
    if (store.peek(version, index) === undefined) continue;
    const found = store.locate(version, index);
    const location: PageLocation | undefined = found instanceof Promise ? await found : found;
    if (location === undefined) continue;
    const { path, position, lengthBytes: length, tier } = location;
    pages.push({ index, path, position, length, tier });
  }
  return pages;
}

/** Uses that a holder made of pages: seen by the eviction policy as one use each, counted as as many hits as they were. */
function noteUses(options: LeaseServiceOptions, uses: readonly PageUse[]): void {
  for (const { path, version, index, count, bytes, tier } of uses) {
    try {
      const { mount, key } = parsePath(path);
      const pages = pageVersion(options.mounts.record(mount), key, version);
      const found = options.store.locate(pages, index);
      if (found instanceof Promise) found.catch(() => {});
      options.countHits(mount, tier, count, bytes, pages, index);
      options.hot.note(path, count, bytes);
    } catch (error) {
      // The mount may be gone by now; nobody wants its numbers.
      if (!isRinglightError(error)) throw error;
    }
  }
}
