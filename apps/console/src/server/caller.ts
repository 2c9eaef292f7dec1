/** How the front door tells the routes who asks, and whether it asks for a log-in at all. Bundled with the routes. */
import { type ConsoleConfig, isLoopback } from "@ringlight/config";

/** Headers that the front door sets. It takes away what a client sends under these names. */
export const CALLER_HEADERS = {
  user: "x-ringlight-user",
  role: "x-ringlight-role",
  remote: "x-ringlight-remote",
} as const;

/** Whether people must log in to a console of these settings. */
export function requiresLogin({ bind, login }: Pick<ConsoleConfig, "bind" | "login">): boolean {
  return login === "always" || !isLoopback(bind);
}
