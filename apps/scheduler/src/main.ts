/** The scheduler's process. */
import { runProcess } from "@ringlight/config";
import { startScheduler } from "./scheduler.ts";

runProcess("scheduler", startScheduler);
