/** A grpc-js server that streams a file's bytes, for the benchmark alone: what the own server is measured against. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";
import { type ReadRequest, ReadResponse, WorkerServiceService } from "@ringlight/proto";
import { FLOW_CONTROL_WINDOW_BYTES, MAX_MESSAGE_BYTES } from "./channel.ts";

const MESSAGE_BYTES = 1024 * 1024;

/** Serves `WorkerService.Read` from files below `root`, in messages of 1 MiB, each read once from the page cache. */
export async function startGrpcJsReference(root: string): Promise<number> {
  const server = new Server({
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
  });
  const { read } = WorkerServiceService;
  server.addService(
    { read },
    { read: (call: ServerWritableStream<ReadRequest, ReadResponse>) => void stream(root, call) },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

async function stream(root: string, call: ServerWritableStream<ReadRequest, ReadResponse>): Promise<void> {
  const fd = openSync(join(root, call.request.path), "r");
  try {
    const { size } = fstatSync(fd);
    for (let at = 0; at < size && !call.cancelled; at += MESSAGE_BYTES) {
      const data = Buffer.allocUnsafe(Math.min(MESSAGE_BYTES, size - at));
      readSync(fd, data, 0, data.length, at);
      if (!call.write(ReadResponse.create({ data }))) {
        await new Promise<void>((resolve) => {
          call.once("drain", resolve);
          call.once("cancelled", resolve);
        });
      }
    }
    call.end();
  } finally {
    closeSync(fd);
  }
}
