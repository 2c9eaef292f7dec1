import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  testMatch: "*.spec.ts",
  outputDir: "../artifacts/playwright",
  workers: 1,
  retries: 0,
  timeout: 120_000,
  // How soon a page shows something is a matter for tests of their own; elsewhere a busy machine must not fail a test.
  expect: { timeout: 20_000 },
  globalSetup: "./console-cluster.ts",
  use: {
    browserName: "chromium",
    viewport: { width: 1280, height: 900 },
    video: "off",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
