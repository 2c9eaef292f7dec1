/** The worker's process. */
import { runProcess } from "@ringlight/config";
import { startWorker } from "./worker.ts";

runProcess("worker", startWorker);
