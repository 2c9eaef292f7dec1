/** Names of this machine. */
import { lookup as dnsLookup } from "node:dns";
import type { LookupFunction } from "node:net";

/** Resolves names beneath "localhost" to this machine, as RFC 6761 has it and the C library often does not. */
export const lookupLocal: LookupFunction = (hostname, options, callback) => {
  if (!hostname.endsWith(".localhost")) dnsLookup(hostname, options, callback);
  else if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};
