import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isRinglightError } from "@ringlight/core";
import { renderConfigurationDocs } from "./docs.ts";
import { type ConfigInput, defaultDataDir, loadConfig, type ProcessName, readToken } from "./index.ts";
import { maskSecrets } from "./tables.ts";

const scratch = mkdtempSync(join(tmpdir(), "ringlight-config-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

/** Loads with nothing but what the test names. */
function load<P extends ProcessName>(process: P, argv: string[] = [], env: ConfigInput["env"] = {}) {
  return loadConfig(process, { argv, env });
}

/** Asserts RL_BAD_CONFIG with a message that holds all the parts. */
function refuses(run: () => unknown, ...parts: string[]): void {
  assert.throws(run, (error) => {
    assert.ok(isRinglightError(error, "RL_BAD_CONFIG"), String(error));
    for (const part of parts) assert.ok(error.message.includes(part), `"${error.message}" should say "${part}"`);
    return true;
  });
}

describe("loadConfig", () => {
  it("gives a worker its defaults in numbers, with derived ones worked out", () => {
    const { values, origins, action } = load("worker", ["--data-dir", "/data/w1"]);
    assert.equal(action, "run");
    assert.deepEqual(
      { ...values },
      {
        cluster: "default",
        dataDir: "/data/w1",
        id: undefined,
        bind: "127.0.0.1",
        advertise: "127.0.0.1",
        s3Port: 29998,
        s3SharedPort: 0,
        grpcPort: 29999,
        restPort: 28080,
        registry: ["127.0.0.1:19997"],
        tokenFile: undefined,
        s3CredentialsFile: undefined,
        buckets: undefined,
        memBytes: 256 * 1024 ** 2,
        memDir: undefined,
        ssdBytes: 2 * 1024 ** 3,
        ssdDirs: ["/data/w1/pages"],
        pageBytes: 1024 ** 2,
        segmentBytes: 256 * 1024 ** 2,
        leaseTtlMs: 5000,
        weight: 1,
        ufsTimeoutMs: 10_000,
        negativeTtlMs: 1000,
        memEviction: "wtinylfu",
        ssdEviction: "wtinylfu",
        sendfile: "auto",
        logLevel: "info",
        logFormat: "json",
        consoleUrl: undefined,
        traceRatio: 0.001,
        traceSlowMs: 100,
        traceMissesMs: 0,
        tracePaths: "console",
      },
    );
    assert.deepEqual(origins.dataDir, { origin: "flag", from: "--data-dir" });
    assert.deepEqual(origins.s3Port, { origin: "default", from: "default" });
    assert.deepEqual(origins.advertise, { origin: "default", from: "the same as bind" });
  });

  it("takes a flag before the environment before the file before the default, and names each origin", () => {
    const yaml = file(
      "order.yaml",
      "dataDir: /from/file\nmem: 1GiB\nssd: 5GiB\nleaseTtl: 9s\nregistry: [a:1, b:2]\ns3Port: 1234\n",
    );
    const { values, origins } = load("worker", ["--mem=3GiB", "--config", yaml], {
      RINGLIGHT_MEM: "2GiB",
      RINGLIGHT_SSD: "4GiB",
      RINGLIGHT_ID: "",
    });
    assert.equal(values.memBytes, 3 * 1024 ** 3);
    assert.equal(values.ssdBytes, 4 * 1024 ** 3);
    assert.equal(values.leaseTtlMs, 9000);
    assert.equal(values.s3Port, 1234);
    assert.deepEqual(values.registry, ["a:1", "b:2"]);
    assert.equal(values.id, undefined, "an empty variable counts as not set");
    assert.deepEqual(
      [origins.mem, origins.ssd, origins.leaseTtl, origins.weight].map((origin) => origin?.from),
      ["--mem", "RINGLIGHT_SSD", yaml, "default"],
    );
  });

  it("finds the file by RINGLIGHT_CONFIG too", () => {
    const yaml = file("env.yaml", "dataDir: /d\nabsence: 90s\n");
    assert.equal(load("scheduler", [], { RINGLIGHT_CONFIG: yaml }).values.absenceMs, 90_000);
  });

  it("reads the scheduler, the console and the registry", () => {
    const { values } = load("scheduler", ["--data-dir", "/d"]);
    assert.deepEqual([values.port, values.absenceMs, values.epochHistory], [19998, 120_000, 1000]);
    assert.equal(load("console", ["--data-dir", "/d"]).values.port, 19999);
    assert.equal(load("registry", ["--data-dir", "/d"]).values.port, 19997);
  });

  it("refuses unknown flags, variables and keys, and says what was meant", () => {
    refuses(() => load("worker", ["--data-dri", "/d"]), "--data-dri", "did you mean --data-dir?");
    refuses(() => load("worker", ["--data-dir", "/d", "stray"]), "stray");
    refuses(() => load("worker", ["--data-dir"]), "--data-dir needs a value");
    refuses(
      () => load("worker", [], { RINGLIGHT_GRPC_PROT: "1" }),
      "RINGLIGHT_GRPC_PROT",
      "did you mean RINGLIGHT_GRPC_PORT?",
    );
    const yaml = file("unknown.yaml", "dataDir: /d\npagesize: 1MiB\n");
    refuses(() => load("worker", ["--config", yaml]), "pagesize", yaml, "did you mean pageSize?");
    const proto = file("proto.yaml", "constructor: 1\n");
    refuses(() => load("worker", ["--config", proto]), "constructor");
  });

  it("lets variables of other processes, of the command line and of mount credentials pass", () => {
    const { values } = load("console", ["--data-dir", "/d"], {
      RINGLIGHT_MEM: "1GiB",
      RINGLIGHT_DATA: "/x",
      RINGLIGHT_TOKEN: "t",
      RINGLIGHT_ENDPOINT: "h:1",
      RINGLIGHT_LOG_FORMAT: "text",
      RINGLIGHT_LAKE_SECRET_ACCESS_KEY: "s",
      PATH: "/bin",
    });
    assert.equal(values.logFormat, "text");
  });

  it("names key, value, origin and what is allowed for every bad value at once", () => {
    const run = () =>
      load("worker", ["--data-dir", "/d", "--s3-port", "70000", "--page-size", "1000000"], {
        RINGLIGHT_LEASE_TTL: "5",
      });
    refuses(run, 's3Port = "70000" (--s3-port) must be a port from 1 to 65535');
    refuses(run, 'pageSize = "1000000" (--page-size)', "a power of two from 64KiB to 16MiB");
    refuses(run, 'leaseTtl = "5" (RINGLIGHT_LEASE_TTL)', "250ms");
    refuses(() => load("worker"), "dataDir is not set", "--data-dir", "RINGLIGHT_DATA_DIR");
    refuses(() => load("worker", ["--data-dir", "/d", "--registry", "127.0.0.1"]), "comma list of host:port");
    refuses(() => load("worker", ["--data-dir", "/d", "--weight", "0"]), "above 0");
    refuses(() => load("worker", ["--data-dir", "/d", "--log-level", "loud"]), "one of debug, info, warn, error");
  });

  it("refuses a segment that is no multiple of the page", () => {
    refuses(
      () => load("worker", ["--data-dir", "/d", "--page-size", "16MiB", "--segment-size", "24MiB"]),
      "segmentSize",
      "multiple of pageSize",
    );
  });

  it("refuses to listen beyond loopback without a token, except for the registry", () => {
    for (const process of ["worker", "scheduler", "console"] as const) {
      refuses(() => load(process, ["--data-dir", "/d", "--bind", "10.0.0.1"]), "bind", "tokenFile");
    }
    const { values } = load("worker", ["--data-dir", "/d", "--bind", "10.0.0.1", "--token-file", "/t"]);
    assert.equal(values.advertise, "10.0.0.1");
    assert.equal(load("registry", ["--data-dir", "/d", "--bind", "10.0.0.1"]).values.bind, "10.0.0.1");
  });

  it("refuses to advertise a wildcard address", () => {
    refuses(() => load("worker", ["--data-dir", "/d", "--bind", "0.0.0.0", "--token-file", "/t"]), "advertise");
  });

  it("refuses a file that is missing, no YAML, or no table", () => {
    refuses(() => load("worker", ["--config", join(scratch, "none.yaml")]), "none.yaml");
    refuses(() => load("worker", ["--config", file("bad.yaml", "a: [1\n")]), "bad.yaml", "not YAML");
    refuses(() => load("worker", ["--config", file("list.yaml", "- a\n")]), "list.yaml");
    refuses(() => load("worker", ["--config", file("deep.yaml", "dataDir: {a: 1}\n")]), "dataDir", "one value");
  });

  it("prints every value with origin, default and description", () => {
    const config = load("worker", ["--data-dir", "/d", "--print-config"], { RINGLIGHT_MEM: "1GiB" });
    assert.equal(config.action, "print-config");
    const lines = config.print().split("\n");
    assert.match(lines[0] ?? "", /^key +value +origin +default +description$/);
    assert.ok(lines.some((line) => /^mem +1GiB +env RINGLIGHT_MEM +256MiB +Size of the mem tier\.$/.test(line)));
    assert.ok(lines.some((line) => /^dataDir +\/d +flag --data-dir +\(required\)/.test(line)));
  });

  it("reports --help without needing the required settings", () => {
    const config = load("worker", ["--help"]);
    assert.equal(config.action, "help");
    assert.match(config.help(), /--data-dir VALUE/);
    refuses(() => config.values, "--help");
  });

  it("masks passwords in what it prints", () => {
    assert.equal(maskSecrets("http://me:hunter2@host:1"), "http://me:********@host:1");
    assert.equal(maskSecrets("127.0.0.1:19997"), "127.0.0.1:19997");
    assert.throws(
      () => load("worker", ["--data-dir", "/d", "--registry", "me:hunter2@h:1"]),
      (error: Error) => !error.message.includes("hunter2"),
    );
  });
});

describe("readToken", () => {
  it("trims the token and warns when others may read the file", () => {
    const path = file("token", "  abc123\n");
    const warnings: string[] = [];
    chmodSync(path, 0o644);
    assert.equal(
      readToken(path, (message) => warnings.push(message)),
      "abc123",
    );
    assert.equal(warnings.length, 1);
    chmodSync(path, 0o600);
    assert.equal(
      readToken(path, (message) => warnings.push(message)),
      "abc123",
    );
    assert.equal(warnings.length, 1);
  });

  it("refuses a missing and an empty file", () => {
    refuses(() => readToken(join(scratch, "no-token")), "no-token");
    refuses(() => readToken(file("empty", " \n")), "empty");
  });
});

describe("defaultDataDir", () => {
  it("is RINGLIGHT_DATA, or .ringlight in the working directory", () => {
    assert.equal(defaultDataDir({}, "/home/a"), "/home/a/.ringlight");
    assert.equal(defaultDataDir({ RINGLIGHT_DATA: "b" }, "/home/a"), "/home/a/b");
    assert.equal(defaultDataDir({ RINGLIGHT_DATA: "/b" }, "/home/a"), "/b");
  });
});

describe("docs/configuration.md", () => {
  it("is current", () => {
    const path = new URL("../../../docs/configuration.md", import.meta.url);
    assert.equal(
      readFileSync(path, "utf8"),
      renderConfigurationDocs(),
      "run: node libs/config/src/print-docs.ts > docs/configuration.md",
    );
  });
});
