import { describe } from "node:test";
import { registryContract } from "./testing/registry-contract.ts";
import { SERVER_KINDS } from "./testing/servers.ts";

// Both servers at once; within a server one test after the other.
describe("the registry's contract", { concurrency: true }, () => {
  for (const kind of SERVER_KINDS) registryContract(kind);
});
