import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";

/** Settings of the Next build; the console's own settings are read by `@ringlight/config` when the server starts. */
const config: NextConfig = {
  serverExternalPackages: ["@grpc/grpc-js", "etcd3", "pino"],
  turbopack: { root: fileURLToPath(new URL("../..", import.meta.url)) },
  poweredByHeader: false,
  reactStrictMode: true,
  devIndicators: false,
  headers: async () => [
    {
      source: "/:path*",
      headers: [
        // No other site may frame the console: a click there could remove a mount.
        { key: "content-security-policy", value: "frame-ancestors 'none'" },
        { key: "x-content-type-options", value: "nosniff" },
        { key: "referrer-policy", value: "no-referrer" },
      ],
    },
  ],
};

export default config;
