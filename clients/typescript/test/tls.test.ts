import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { ServerCredentials } from "@grpc/grpc-js";
import { Patient } from "./tools/patient.js";
import { ScriptedServer } from "./tools/scripted_server.js";

const run = promisify(execFile);
const QUESTION = { token: "t", route: "/v1/chat/completions", model: "gpt-4o" };

let folder: string;
let [cert, key]: Buffer[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "usher-tls-"));
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await run("openssl", [...made, "-keyout", "key.pem", "-out", "cert.pem", ...names], { cwd: folder });
  [cert, key] = await Promise.all([readFile(join(folder, "cert.pem")), readFile(join(folder, "key.pem"))]);
});
after(() => rm(folder, { recursive: true }));

async function serving<T>(mutual: boolean, what: (target: string) => Promise<T>): Promise<T> {
  const pair = { private_key: key ?? assert.fail(), cert_chain: cert ?? assert.fail() };
  const server = await ScriptedServer.start("localhost:0", ServerCredentials.createSsl(cert ?? null, [pair], mutual));
  try {
    return await what(`localhost:${server.target.split(":")[1]}`);
  } finally {
    server.stop();
  }
}

async function ask(target: string, tls: true | { ca?: Buffer | undefined; cert?: Buffer | undefined; key?: Buffer | undefined }): Promise<boolean> {
  using usherd = new Patient(target, { tls });
  return (await usherd.authorize(QUESTION)).allowed;
}

test("a server is trusted by the certificates that are given, and by no others", () =>
  serving(false, async (target) => {
    assert.equal(await ask(target, { ca: cert }), true);
    await assert.rejects(ask(target, true), { kind: "unavailable" });
  }));

test("a gateway shows a certificate of its own", () =>
  serving(true, async (target) => {
    assert.equal(await ask(target, { ca: cert, cert, key }), true);
    await assert.rejects(ask(target, { ca: cert }), { kind: "unavailable" });
  }));

test("a certificate comes with its key", () => {
  assert.throws(() => new Patient("localhost:1", { tls: { cert } }), TypeError);
});
