/** The subset of etcd v3's protocol that the embedded registry serves. Apart from ringlight.v1, whose names it would cross. */
export * from "./gen/etcd/etcdserverpb/rpc.ts";
export * from "./gen/etcd/mvccpb/kv.ts";
