import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

// What a stranger gets: the package as it would be published, in a project that has nothing of this one.

const HOME = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);

let project: string;
let files: string[];

before(async () => {
  project = await mkdtemp(join(tmpdir(), "usher-client-"));
  const packed = await run("npm", ["pack", "--json", "--pack-destination", project], { cwd: HOME });
  const [{ filename, files: listed }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf("[\n"))) as [
    { filename: string; files: { path: string }[] },
  ];
  files = listed.map(({ path }) => path);
  const modules = join(project, "node_modules");
  await mkdir(join(modules, "usher-client"), { recursive: true });
  await run("tar", ["-xzf", join(project, filename), "--strip-components=1", "-C", join(modules, "usher-client")]);
  for (const each of ["@bufbuild", "@grpc", "@types", "express", "fastify", "undici-types"]) {
    await symlink(join(HOME, "node_modules", each), join(modules, each));
  }
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
});
after(() => rm(project, { recursive: true }));

test("everything that is exported is in the package, and nothing of the tests", async () => {
  const { exports } = JSON.parse(await readFile(join(HOME, "package.json"), "utf8")) as {
    exports: Record<string, string | Record<string, string>>;
  };
  for (const path of Object.values(exports).flatMap((each) => (typeof each === "string" ? [each] : Object.values(each)))) {
    assert.ok(files.includes(path.slice(2)), path);
  }
  assert.ok(files.includes("LICENSE") && files.includes("README.md"));
  assert.deepEqual(files.filter((each) => !/^(?:dist\/|LICENSE$|README\.md$|package\.json$)/.test(each)), []);
  assert.deepEqual(files.filter((each) => /test|smoke/.test(each) && !/^dist\/testing\./.test(each)), []);
});

test("a stranger's program is type-checked and runs", async () => {
  await writeFile(
    join(project, "stranger.ts"),
    `
import express from "express";
import fastify from "fastify";
import { Server } from "@grpc/grpc-js";
import { Usherd, UsherFault, type Authorizer, type Decision } from "usher-client";
import { authorize } from "usher-client/express";
import { usherdPlugin } from "usher-client/fastify";
import { authorizeCalls } from "usher-client/grpc";
import { Reading, readCredential } from "usher-client/http";
import { FakeUsherd } from "usher-client/testing";

const usherd = new Usherd("localhost:1", { cache: true });
const ask = (of: Authorizer): Promise<Decision> => of.authorize({ token: "t", route: "/v1/chat/completions", model: "gpt-4o" });
const fault: unknown = await ask(usherd).catch((error: unknown) => error);
usherd.close();
express().use(authorize(usherd)).get("/", (request) => request.usher?.decision.allowed);
const app = fastify();
await app.register(usherdPlugin, { usherd });
app.get("/x", async (request) => request.usher?.decision.allowed);
new Server({ interceptors: [authorizeCalls(usherd)] });
const { token } = readCredential("GET", [["authorization", "Bearer x"]], new Reading());
console.log(fault instanceof UsherFault && fault.kind, (await ask(new FakeUsherd().allow())).allowed, token);
`,
  );
  const compiler = join(HOME, "node_modules", ".bin", "tsc");
  await run(compiler, ["--strict", "--module", "nodenext", "--target", "es2022", "--types", "node", "stranger.ts"], { cwd: project });
  const { stdout } = await run("node", ["stranger.js"], { cwd: project });
  assert.equal(stdout, "unavailable true x\n");
});

test("the gateway of the README runs: it answers for its health, and fails closed without an usherd", async () => {
  const readme = await readFile(join(HOME, "README.md"), "utf8");
  const program = /```js\n(\/\/ gateway\.mjs.*?)```/s.exec(readme)?.[1] ?? assert.fail("a program");
  await writeFile(
    join(project, "ask.mjs"),
    program
      .replace("localhost:50051", "localhost:1")
      .replace('app.listen(8080, "127.0.0.1");', 'const server = app.listen(0, "127.0.0.1", ask);') +
      `
async function ask() {
  const url = "http://127.0.0.1:" + server.address().port;
  const health = await fetch(url + "/healthz");
  const answer = await fetch(url + "/v1/chat/completions", {
    method: "POST",
    headers: { authorization: "Bearer t", "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4o", stream: true }),
  });
  console.log(await health.text(), answer.status);
  process.exit();
}
`,
  );
  const { stdout, stderr } = await run("node", ["ask.mjs"], { cwd: project });
  assert.deepEqual([stdout, stderr], ["ok 503\n", "not available\n"]);
});
