/** Listening, with errors that say what to do. */
import type { Server as HttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { RinglightError } from "@ringlight/core";

/** Where to listen. */
export interface ListenOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Share the port with other processes of the host (SO_REUSEPORT). */
  readonly shared?: boolean;
  /** Name of the setting, for the error. */
  readonly setting: string;
}

/** Listens and returns the port. @throws RL_PORT_IN_USE, RL_NO_PERMISSION, RL_BAD_CONFIG */
export function listen(server: Server, options: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = `${options.host}:${options.port} (${options.setting})`;
      if (error.code === "EADDRINUSE") {
        reject(new RinglightError("RL_PORT_IN_USE", `${where} is in use by another process`, { cause: error }));
      } else if (error.code === "EACCES") {
        reject(
          new RinglightError(
            "RL_NO_PERMISSION",
            `this user may not listen on ${where}; ports below 1024 need a privilege`,
            { cause: error },
          ),
        );
      } else
        reject(new RinglightError("RL_BAD_CONFIG", `cannot listen on ${where}: ${error.message}`, { cause: error }));
    });
    server.listen({ host: options.host, port: options.port, reusePort: options.shared === true }, () => {
      server.removeAllListeners("error");
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Closes a server: no new connections, idle ones at once, busy ones after the grace. */
export function closeServer(server: HttpServer, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
