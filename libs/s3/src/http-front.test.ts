/** The same tests once more behind node:http alone: the handler does not depend on the door in front of it. */
process.env.RL_S3_FRONT = "http";
await import("./connection.test.ts");
await import("./read-object.test.ts");
await import("./conditions.test.ts");
await import("./fuzz.test.ts");
