export * from "./gen/ringlight/v1/common.ts";
export * from "./gen/ringlight/v1/direct.ts";
export * from "./gen/ringlight/v1/process.ts";
export * from "./gen/ringlight/v1/scheduler.ts";
export * from "./gen/ringlight/v1/worker.ts";
