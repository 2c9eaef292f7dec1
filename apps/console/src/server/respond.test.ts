import assert from "node:assert/strict";
import { test } from "node:test";
import { isRinglightError, RinglightError } from "@ringlight/core";
import { readChange, respond } from "./respond.ts";

const request = (headers: Record<string, string>, body = '{"name":"logs"}') =>
  new Request("http://127.0.0.1:19999/api/mounts", {
    method: "POST",
    headers: { host: "127.0.0.1:19999", "content-type": "application/json", ...headers },
    body,
  });
const own = { origin: "http://127.0.0.1:19999" };

test("a change from the console's own page is read", async () => {
  assert.deepEqual(await readChange(request(own), true), { name: "logs" });
});

for (const [what, headers] of [
  ["of another site", { origin: "http://evil.example" }],
  ["without an origin", {}],
  ["of the same host on another port", { origin: "http://127.0.0.1:8080" }],
  ["under a name that was made to point here", { origin: "http://evil.example:19999", host: "evil.example:19999" }],
] as const) {
  test(`a change ${what} is forbidden`, async () => {
    await assert.rejects(readChange(request(headers), true), (error) => isRinglightError(error, "RL_FORBIDDEN"));
  });
}

test("a form's content type is refused, and so is what is not JSON", async () => {
  for (const bad of [request({ ...own, "content-type": "text/plain" }), request(own, "{")]) {
    await assert.rejects(readChange(bad, true), (error) => isRinglightError(error, "RL_BAD_REQUEST"));
  }
});

test("an error is answered with code, message, remedy and the table's status", async () => {
  const answer = await respond(() => Promise.reject(new RinglightError("RL_MOUNT_EXISTS", "/logs is there")));
  assert.equal(answer.status, 409);
  const body = await answer.json();
  assert.equal(body.code, "RL_MOUNT_EXISTS");
  assert.equal(body.message, "/logs is there");
  assert.match(body.remedy, /another name/);
});
