/** What the pages of jobs are told. */
import type { FailedObject, Job } from "@ringlight/proto";

/** `GET /api/jobs`: newest first. */
export interface JobsView {
  readonly jobs: readonly Job[];
  readonly atMs: number;
}

/** `GET /api/jobs/<id>`. */
export interface JobView {
  readonly job: Job;
  /** The first of what it could not do, and how many there are. */
  readonly failed: readonly FailedObject[];
  readonly failedTotal: number;
  readonly atMs: number;
}

/** `POST /api/jobs/<id>`: retry makes a new job, whose id is answered. */
export type JobAction = "pause" | "resume" | "stop" | "retry";
