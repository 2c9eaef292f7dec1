import { readFileSync } from "node:fs";

/** Version in the package.json beside a package's src directory. @param moduleUrl import.meta.url of a module in src */
export function packageVersion(moduleUrl: string): string {
  const text = readFileSync(new URL("../package.json", moduleUrl), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
