/** The grpc-js server of the benchmark, as a process: prints its port and serves until its standard input closes. */
import { startGrpcJsReference } from "@ringlight/rpc/grpc-js-reference";

const port = await startGrpcJsReference(process.argv[2] ?? ".");
console.log(`port ${port}`);
process.stdin.resume();
process.stdin.once("end", () => process.exit(0));
