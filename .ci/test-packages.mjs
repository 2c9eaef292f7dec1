// The Debian packages that the tests need: real etcd and Ceph servers, nginx, Varnish, Chromium, and S3 clients that are not ours.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

/** Each package with a command or file that shows that it is there, however it was installed. */
const PACKAGES = {
  "etcd-server": "etcd",
  "etcd-client": "etcdctl",
  chromium: "chromium",
  "fonts-dejavu-core": "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
  // By its path: an AWS CLI of pip, which is often first on PATH, is another client than the one that the tests name.
  awscli: "/usr/bin/aws",
  rclone: "rclone",
  s3cmd: "s3cmd",
  s3fs: "s3fs",
  "python3-boto3": "/usr/lib/python3/dist-packages/boto3/__init__.py",
  "ceph-mon": "ceph-mon",
  "ceph-osd": "ceph-osd",
  "ceph-mgr": "ceph-mgr",
  radosgw: "radosgw",
  "ceph-common": "ceph",
  nginx: "nginx",
  varnish: "varnishd",
  prometheus: "promtool",
};

const SEARCHED = [
  ...(process.env.PATH ?? "").split(path.delimiter),
  "/usr/bin",
  "/usr/local/bin",
  "/usr/sbin",
  "/sbin",
];

function isThere(probe) {
  if (probe.startsWith("/")) return existsSync(probe);
  return SEARCHED.some((dir) => dir !== "" && existsSync(path.join(dir, probe)));
}

/** Names of the packages that are not installed. */
export function missingPackages() {
  return Object.keys(PACKAGES).filter((name) => !isThere(PACKAGES[name]));
}

/** How this user may call apt-get, or undefined when it may not. */
function aptCommand() {
  if (!isThere("apt-get")) return undefined;
  if (process.getuid?.() === 0) return ["apt-get"];
  const sudo = spawnSync("sudo", ["-n", "true"], { stdio: "ignore" });
  return sudo.status === 0 ? ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"] : undefined;
}

/** Installs what is missing where it may. Returns false, having said which command to run, when something stays missing. */
export function ensurePackages() {
  const missing = missingPackages();
  if (missing.length === 0) return true;
  const byHand = `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  const apt = aptCommand();
  if (!apt) {
    console.error(`The tests need packages that are not installed: ${missing.join(", ")}.`);
    console.error(`This user may not install them. Run: ${byHand}`);
    return false;
  }
  console.error(`Installing what the tests need with apt-get (a minute or two): ${missing.join(", ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", ...missing],
  ]) {
    const result = spawnSync(apt[0], [...apt.slice(1), ...args], {
      env,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    if (result.status !== 0) {
      console.error(result.stderr ?? String(result.error));
      console.error(`apt-get ${args[0]} failed. Put right what it names, then run: ${byHand}`);
      return false;
    }
  }
  const still = missingPackages();
  if (still.length > 0) console.error(`Still missing after the installation: ${still.join(", ")}. Run: ${byHand}`);
  return still.length === 0;
}
