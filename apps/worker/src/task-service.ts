/** The worker's gRPC service for the tasks of jobs. */
import { type TaskServiceServer, TaskServiceService } from "@ringlight/proto";
import { serverStream, unary } from "@ringlight/rpc";
import { runTask, type TaskRunOptions } from "./task-run.ts";

/** The service's definition, for the server. */
export const taskServiceDefinition: typeof TaskServiceService = TaskServiceService;

/** Makes the service's implementation. */
export function taskService(options: TaskRunOptions): TaskServiceServer {
  return {
    runTask: serverStream((request, ctx) => runTask(options, request, ctx)),
    setTaskLimits: unary(async (request) => ({ known: options.limits.set(request.jobId, request) })),
  };
}
