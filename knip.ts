/** What knip cannot see by itself: programs that are started by path, and packages that are used without an import. */
import type { KnipConfig } from "knip";

const config: KnipConfig = {
  workspaces: {
    ".": {
      // The checks start the programs of .ci by path.
      entry: [".ci/*.mjs"],
      project: [".ci/*.mjs"],
      ignoreDependencies: [
        // Started by .ci/check.mjs and by the bootstrap, which name the commands in lists.
        "@biomejs/biome",
        "turbo",
      ],
    },
    "apps/cli": {
      // Processes that `ringlight up` starts by path.
      entry: ["src/main.ts", "bootstrap/commands.cjs", "src/up/demo/{generate,traffic}.ts", "src/**/*.test.ts"],
    },
    "apps/worker": { entry: ["src/main.ts", "src/**/*.test.ts"] },
    "apps/scheduler": { entry: ["src/main.ts", "src/**/*.test.ts"] },
    "apps/console": { entry: ["src/**/*.test.ts"] },
    "libs/*": { entry: ["src/**/*.test.ts"] },
    // docs.ts and print-docs.ts make pages of docs/; .ci/docs.mjs imports or a person runs them.
    "libs/core": { entry: ["src/docs.ts", "src/**/*.test.ts"] },
    "libs/config": { entry: ["src/print-docs.ts", "src/**/*.test.ts"] },
    // Started by .ci/check-generated.mjs.
    "libs/proto": { ignoreDependencies: ["@bufbuild/buf"] },
    // The types of build.cjs, which tsc finds by its name.
    "libs/native": { entry: ["build.d.cts", "src/**/*.test.ts"] },
    // The store's thread is started by its path.
    "libs/trace-store": { entry: ["src/store-thread.ts", "src/**/*.test.ts"] },
    // The embedded registry is a process too.
    "libs/registry": { entry: ["src/main.ts", "src/**/*.test.ts"] },
    // The load generator's processes are started by path.
    bench: {
      entry: [
        "src/main.ts",
        "src/*-main.ts",
        "src/*-process.ts",
        "src/load/generator-main.ts",
        "src/console/*-main.ts",
        "src/slow-preload.ts",
        "src/**/*.test.ts",
      ],
    },
    e2e: { entry: ["*.test.ts", "*.spec.ts"] },
  },
  ignoreBinaries: [
    // From libs/proto; .ci/check-generated.mjs runs it there.
    "buf",
    // The system's own; a test of full disks mounts a small file system where it may.
    "mount",
    "umount",
    // Of Debian's prometheus.
    "promtool",
    "prometheus",
    // Benchmarks pin processes, drop privileges and make a certificate with what the system has.
    "setpriv",
    "openssl",
  ],
  // A type that stands in the signature of an exported function is exported with it.
  ignoreExportsUsedInFile: { interface: true, type: true },
};

export default config;
