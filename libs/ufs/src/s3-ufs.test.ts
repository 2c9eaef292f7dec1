import type { UfsObservation } from "@ringlight/core";
import { startS3Origin } from "@ringlight/testing";
import { openUfs } from "./index.ts";
import { ufsContract } from "./ufs-contract.ts";

for (const addressing of ["path", "virtual"] as const) {
  for (const prefix of ["", "deep/er"]) {
    ufsContract(`s3:// with ${addressing} addressing and prefix "${prefix}"`, async () => {
      const origin = await startS3Origin({ verifySignatures: true });
      origin.createBucket("bucket");
      const observations: UfsObservation[] = [];
      const endpoint = addressing === "path" ? origin.endpoint : origin.virtualHostEndpoint;
      const root = prefix === "" ? "" : `${prefix}/`;
      if (root !== "") {
        origin.putObject("bucket", root, "");
        origin.putObject("bucket", "deep/erratic", "not of the mount");
        origin.putObject("bucket", "other", "not of the mount");
      }
      const ufs = await openUfs(
        { uri: `s3://bucket/${prefix}`, options: { endpoint, addressing }, credentials: { kind: "env", prefix: "T" } },
        {
          maxConnections: 4,
          observe: (observation) => observations.push(observation),
          env: { T_ACCESS_KEY_ID: origin.accessKeyId, T_SECRET_ACCESS_KEY: origin.secretAccessKey },
        },
      );
      return {
        ufs,
        observations,
        put: async (key, bytes) => {
          origin.putObject("bucket", root + key, bytes);
        },
        delete: async (key) => origin.deleteObject("bucket", root + key),
        close: async () => {
          await ufs.close();
          await origin.close();
        },
      };
    });
  }
}
