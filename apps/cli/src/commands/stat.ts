/** `ringlight stat`: an object's current version, and how much of it is cached. */
import { formatBytes, pageCount } from "@ringlight/core";
import { withClient } from "../connection.ts";
import { localTime, percent } from "../format.ts";
import { answeredNote, type CommonOptions, print } from "./output.ts";

/** Runs the command. */
export async function stat(path: string, options: CommonOptions): Promise<void> {
  await withClient(options, async (client) => {
    const object = await client.stat(path);
    const { version, sizeBytes } = object;
    const coverage = await client.coverage([{ path, version, sizeBytes }]);
    const cachedBytes = coverage.objects[0]?.cachedBytes ?? 0;
    const shape = {
      path: object.path,
      sizeBytes,
      version,
      etag: object.etag,
      modifiedMs: object.modifiedUnixMs,
      contentType: object.contentType,
      userMetadata: object.userMetadata,
      cachedBytes,
      cachedShare: sizeBytes === 0 ? 1 : cachedBytes / sizeBytes,
      pageBytes: coverage.pageBytes,
      pages: pageCount(sizeBytes, coverage.pageBytes),
      answered: coverage.answered,
      total: coverage.workers,
    };
    print(options.json, shape, () =>
      [
        `Path      ${shape.path}`,
        `Size      ${sizeBytes} bytes (${formatBytes(sizeBytes)}), ${shape.pages} pages of ${formatBytes(shape.pageBytes)}`,
        `Version   ${version}`,
        `ETag      ${shape.etag || "–"}`,
        `Modified  ${localTime(shape.modifiedMs)}`,
        `Type      ${shape.contentType || "–"}`,
        `Cached    ${formatBytes(cachedBytes)} (${percent(cachedBytes, sizeBytes)})`,
        ...Object.entries(shape.userMetadata).map(([key, value]) => `Metadata  ${key}: ${value}`),
      ].join("\n"),
    );
    if (!options.json) answeredNote(coverage);
  });
}
