/** The console's process: `node main.ts --data-dir DIR ...`. With NODE_ENV=development the pages are compiled as they are asked for. */
import { runProcess } from "@ringlight/config";
import { startConsole } from "./server/start-console.ts";

runProcess("console", startConsole);
