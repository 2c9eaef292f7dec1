/** Directories that are the kernel's own: nothing can be kept there. */
import { resolve } from "node:path";

const KERNEL_DIRECTORIES = ["/proc", "/sys"];

/**
 * True for a place below /proc or /sys. It is asked before directories are made: there mkdir answers ENOENT below
 * directories that exist, and Node's recursive mkdir then tries for ever.
 */
export function isKernelDirectory(directory: string): boolean {
  const absolute = resolve(directory);
  return KERNEL_DIRECTORIES.some((kernel) => absolute === kernel || absolute.startsWith(`${kernel}/`));
}
