/** Path of the addon, without its ending, for a Node with this ABI (process.versions.modules) on this machine. */
export declare function addonBase(abi: string): string;
/** Builds the addon unless it is there; returns why there is none. Never throws. */
export declare function buildNative(node: string, abi: string): string | undefined;
