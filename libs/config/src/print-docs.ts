/** Prints docs/configuration.md: `node libs/config/src/print-docs.ts > docs/configuration.md`. */
import { renderConfigurationDocs } from "./docs.ts";

process.stdout.write(renderConfigurationDocs());
