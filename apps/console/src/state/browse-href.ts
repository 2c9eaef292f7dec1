/** Addresses of the Browse page. */

/** The page of a folder, or of the folder that a file is in. */
export function browseHref(folder: string, file?: string): string {
  const parts = folder.split("/").filter(Boolean).map(encodeURIComponent);
  const base = parts.length === 0 ? "/browse" : `/browse/${parts.join("/")}`;
  return file === undefined ? base : `${base}?${new URLSearchParams({ file })}`;
}
