/** Loopback ports for servers that cannot choose one themselves. */
import { type AddressInfo, createServer } from "node:net";

const given = new Set<number>();

/** A loopback port that nobody listens on now and that this process was not given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await probe();
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

function probe(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
