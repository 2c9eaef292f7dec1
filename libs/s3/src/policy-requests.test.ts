import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { signRequest } from "@ringlight/sigv4";
import { KeyRing } from "./policy/key-ring.ts";
import { startTestServer, TEST_CREDENTIALS, TEST_REGION, type TestServer } from "./test-server.ts";

const ring = new KeyRing((id) => (id === TEST_CREDENTIALS.accessKeyId ? TEST_CREDENTIALS : undefined));
const ADA = { accessKeyId: "ADA", secretAccessKey: "ada-secret", username: "ada" };
let server: TestServer;

before(async () => {
  server = await startTestServer({ credentials: ring.lookup, permits: ring.permits });
  for (const bucket of ["home", "other"]) server.backend.addBucket(bucket);
  server.backend.put("home", "ada/mine", "mine");
  server.backend.put("home", "bob/his", "his");
  server.backend.put("other", "x", "x");
  const own = "arn:aws:s3:::home/\u0024{aws:username}/*";
  const policy = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource: own },
      { Effect: "Deny", Action: "s3:DeleteObject", Resource: "arn:aws:s3:::home/ada/kept" },
      {
        Effect: "Allow",
        Action: "s3:ListBucket",
        Resource: "arn:aws:s3:::home",
        Condition: { StringLike: { "s3:prefix": "ada/*" } },
      },
    ],
  };
  ring.replaceAll([{ ...ADA, policy }], () => assert.fail("the policy is good"));
});
after(() => server.close());

async function ask(method: string, rawUrl: string, given: Record<string, string> = {}, body = "") {
  const host = `127.0.0.1:${server.port}`;
  const headers = signRequest(
    { method, url: { host, rawUrl }, headers: { ...given, "content-length": String(Buffer.byteLength(body)) } },
    { credentials: ADA, region: TEST_REGION, payloadHash: createHash("sha256").update(body).digest("hex") },
  );
  const answer = await server.ask(rawUrl, { method, headers, body, signed: false });
  return { ...answer, told: answer.code ?? answer.status };
}

test("a policy lets a user do in its own place what it allows, and nothing else anywhere", async () => {
  const cases: [string, string, number | string][] = [
    ["GET", "/home/ada/mine", 200],
    ["GET", "/home/bob/his", "AccessDenied"],
    ["GET", "/other/x", "AccessDenied"],
    ["GET", "/home/ada/mine?tagging", "AccessDenied"],
    ["GET", "/home?list-type=2&prefix=ada/", 200],
    ["GET", "/home?list-type=2&prefix=bob/", "AccessDenied"],
    ["GET", "/home?list-type=2", "AccessDenied"],
    ["GET", "/", "AccessDenied"],
    ["PUT", "/home/ada/new", 200],
    ["PUT", "/home/bob/new", "AccessDenied"],
    ["PUT", "/new-bucket", "AccessDenied"],
    ["POST", "/home/ada/parts?uploads", 200],
    ["POST", "/home/bob/parts?uploads", "AccessDenied"],
    ["DELETE", "/home/ada/new", 204],
    ["DELETE", "/home/ada/kept", "AccessDenied"],
  ];
  for (const [method, rawUrl, told] of cases)
    assert.equal((await ask(method, rawUrl)).told, told, `${method} ${rawUrl}`);
  const head = await ask("HEAD", "/home/bob/his");
  assert.equal(head.status, 403);
});

test("a copy needs the right to read its source, tags of a write the right to set them", async () => {
  const copy = (source: string) => ask("PUT", "/home/ada/copy", { "x-amz-copy-source": source });
  assert.equal((await copy("/home/ada/mine")).told, 200);
  assert.equal((await copy("/home/bob/his")).told, "AccessDenied");
  assert.equal((await ask("PUT", "/home/ada/tagged", { "x-amz-tagging": "a=1" })).told, "AccessDenied");
});

test("DeleteObjects asks the policy for each key", async () => {
  server.backend.put("home", "ada/gone", "1");
  server.backend.put("home", "ada/kept", "2");
  const keys = ["ada/gone", "ada/kept", "bob/his"];
  const body = `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join("")}</Delete>`;
  const md5 = createHash("md5").update(body).digest("base64");
  const answer = await ask("POST", "/home?delete", { "content-md5": md5 }, body);
  const text = answer.body.toString();
  assert.match(text, /<Deleted><Key>ada\/gone<\/Key><\/Deleted>/);
  assert.equal(text.match(/<Code>AccessDenied<\/Code>/g)?.length, 2);
  assert.ok(server.backend.find("home", "bob/his"));
});

test("who may not list is not told which keys there are", async () => {
  const absent = await ask("GET", "/home/ada/absent");
  assert.equal(absent.told, "AccessDenied");
  const root = await server.ask("/home/ada/absent");
  assert.equal(root.code, "NoSuchKey");
});
