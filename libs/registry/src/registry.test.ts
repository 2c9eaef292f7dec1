import { registryContract } from "./testing/registry-contract.ts";
import { SERVER_KINDS } from "./testing/servers.ts";

for (const kind of SERVER_KINDS) registryContract(kind);
