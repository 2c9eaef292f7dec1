/** Asks the console's HTTP routes, as the pages do. */
import { ERRORS, type ErrorCode, RinglightError } from "@ringlight/core";
import type { CommonOptions } from "./commands/output.ts";
import { findTarget } from "./connection.ts";

const DEADLINE_MS = 30_000;

/** Options of commands that ask the console. */
export interface ConsoleOptions extends CommonOptions {
  /** Its URL, where it is not that of the cluster on this machine. */
  readonly console?: string;
}

/** What a query is made of: values, lists of values, or nothing. */
type QueryFields = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** The fields as a query string. */
function queryOf(fields: QueryFields): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === false) continue;
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [String(value)]) query.append(name, one);
  }
  return query;
}

/** Where the console is, and the token that it may ask for. @throws RL_BAD_REQUEST where no console is known */
function consoleOf(options: ConsoleOptions): { readonly url: string; readonly token: string | undefined } {
  const named = options.console ?? process.env.RINGLIGHT_CONSOLE_URL;
  const target = targetOf(options, named !== undefined);
  const url = named ?? target?.console;
  if (url === undefined) {
    throw new RinglightError("RL_BAD_REQUEST", "no console is known; name it with --console http://host:19999");
  }
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new RinglightError("RL_BAD_REQUEST", `"${url}" is no URL of a console; write http://host:19999`);
  }
  return { url: url.replace(/\/+$/, ""), token: target?.token };
}

/** The cluster of the options; where the console is named, there need not be one on this machine. */
function targetOf(options: ConsoleOptions, isNamed: boolean) {
  try {
    return findTarget(options);
  } catch (error) {
    if (isNamed && options.data === undefined) return undefined;
    throw error;
  }
}

/** Asks a route. @throws RL_DEADLINE or RL_NO_WORKERS where no console answers, and what it answers */
async function ask(options: ConsoleOptions, route: string, query: URLSearchParams, signal: AbortSignal) {
  const { url, token } = consoleOf(options);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const address = `${url}${route}${query.size > 0 ? `?${query}` : ""}`;
  const response = await fetch(address, { headers, signal }).catch((error: unknown) => {
    if (signal.aborted) throw new RinglightError("RL_DEADLINE", `the console at ${url} did not answer in time`);
    throw new RinglightError("RL_NO_WORKERS", `no console answers at ${url}; ringlight up starts one`, {
      cause: error,
    });
  });
  if (!response.ok) throw await refusal(response, url);
  return response;
}

async function refusal(response: Response, url: string): Promise<RinglightError> {
  try {
    const { code, message } = (await response.json()) as { code?: string; message?: string };
    if (code !== undefined && Object.hasOwn(ERRORS, code))
      return new RinglightError(code as ErrorCode, message ?? code);
  } catch {
    // Not an answer of a console.
  }
  return new RinglightError("RL_BAD_REQUEST", `${url} answers ${response.status}; is that the URL of the console?`);
}

/** The JSON of a route. */
export async function askConsole<T>(options: ConsoleOptions, route: string, fields: QueryFields): Promise<T> {
  const response = await ask(options, route, queryOf(fields), AbortSignal.timeout(DEADLINE_MS));
  return (await response.json()) as T;
}

/** The data of each message of a live route, until the console goes away. */
export async function* followConsole<T>(
  options: ConsoleOptions,
  route: string,
  fields: QueryFields,
): AsyncGenerator<T> {
  const response = await ask(options, route, queryOf(fields), new AbortController().signal);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const messages = text.split("\n\n");
    text = messages.pop() ?? "";
    for (const message of messages) {
      const data = /^data: (.*)$/m.exec(message)?.[1];
      if (data !== undefined) yield JSON.parse(data) as T;
    }
  }
}
