export {
  type CallControl,
  callStream,
  callUnary,
  type RequestOf,
  type StreamControl,
  type StreamMethod,
  type StreamResponseOf,
  type UnaryControl,
  type UnaryMethod,
  type UnaryResponseOf,
} from "./call.ts";
export { type CallSpan, type CallTracer, traceCalls } from "./call-tracer.ts";
export { addressOf, type ClientConstructor, type ConnectOptions, connectGrpc } from "./channel.ts";
export { ClientPool } from "./client-pool.ts";
export { type CallContext, EncodedMessage, serverStream, unary } from "./handlers.ts";
export { jobJson } from "./job-json.ts";
export { rulesFromProto, ruleToProto } from "./policy-records.ts";
export { type ProcessServiceOptions, processService } from "./process-service.ts";
export { clusterToProto, mountFromProto, mountToProto, objectToProto } from "./records.ts";
export { type GrpcServer, type GrpcServerOptions, type RpcLog, type ServedCall, startGrpcServer } from "./server.ts";
