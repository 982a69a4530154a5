import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestRefused, Reading, readCredential, readRequest, type RequestAsked } from "../src/http/index.js";
import { NotReadable, members } from "../src/http/json_members.js";

// What clients/cases leaves open, and what a reader of large and strange bodies has to bear.

const READING = new Reading();
const JSON_BODY = [["content-type", "application/json"]] as const;

function asked(body: string | Buffer, headers: readonly (readonly [string, string])[] = JSON_BODY): Promise<RequestAsked> {
  return readRequest("POST", "/v1/chat/completions", headers, Buffer.from(body as string), READING);
}

async function found(json: string | Buffer, ...names: string[]): Promise<Record<string, string[]> | "not readable"> {
  try {
    const values = await members(Buffer.from(json as string), new Set(names));
    return Object.fromEntries([...values].map(([name, texts]) => [name, texts.map(String)]));
  } catch (error) {
    assert.ok(error instanceof NotReadable);
    return "not readable";
  }
}

test("members are found as they stand, at the first level only", async () => {
  assert.deepEqual(await found(' { "a" : [1, {"b": 2}] , "b":"x\\"y" ,"c":null}\r\n', "a", "b", "c"), {
    a: ['[1, {"b": 2}]'],
    b: ['"x\\"y"'],
    c: ["null"],
  });
  // Some readers make nothing of case, so that it is there twice to them.
  assert.deepEqual(await found('{"a":1,"\\u0061":2,"A":3}', "a"), { a: ["1", "2", "3", "3"] });
  assert.deepEqual(await found("{}", "a"), {});
});

// A reader that takes more than the platform's own may be told of another model than it.
const TEXTS = [
  "", " ", "{", "}", "[]", "1", '"a"', "null", "{}{}", "{},", "{,}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1 "b":2}', '{"a":[1,]}', '{"a":[,1]}',
  '{"a":[}', '{"a":{]}', "{a:1}", "{'a':1}", '{"a":01}', '{"a":1.}', '{"a":.1}', '{"a":+1}', '{"a":-}', '{"a":1e}', '{"a":1e+}', '{"a":0x1}',
  '{"a":NaN}', '{"a":Infinity}', '{"a":tru}', '{"a":True}', '{"a":"\n"}', '{"a":"\t"}', '{"a":"\\x"}', '{"a":"\\u12g4"}', '{"a":"\\u123"}', '{"a":"\\',
  '{"a":"', '{"a":1}\0', '\ufeff{"a":1}', '{"a":1}//', '{"a":/**/1}', '{"\u0000":1}', '{"a":"\u007f"}', '{"a":-0.0e-10}', '{"a":"\ud83d\ude00"}', '{"a":"\\ud800"}',
  '{"a":[[],{},[{}]]}', '{"a":{"b":{"c":[1,2,{"d":null}]}},"e":"f"}', '\u00a0{"a":1}', '{"a":1}\u2028', '{"a" :\t1\r}', '{"":1}', "{\"a\":truefalse}", '{"a":1true}',
];
test("a text is readable exactly where it is a JSON object to the platform", async () => {
  for (const text of TEXTS) {
    let isObject = false;
    try {
      const value: unknown = JSON.parse(text);
      isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    } catch {
      // it is none
    }
    assert.equal((await found(text, "a")) !== "not readable", isObject, JSON.stringify(text));
  }
});

test("random texts are read as the platform reads them, whatever is changed in them", async () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const value = (depth: number): unknown => {
    const kind = random(depth > 3 ? 5 : 7);
    return [null, true, random(1000) - 500, random(99) / 7, "te\\xt\"\u00e4" + random(9)][kind] ?? (kind === 5 ? [value(depth + 1), value(depth + 1)] : { a: value(depth + 1), [`k${random(3)}`]: value(depth + 1) });
  };
  let readable = 0;
  for (let round = 0; round < 3000; round += 1) {
    const text = JSON.stringify({ a: value(0), b: value(0) }, null, random(3));
    const bytes = Buffer.from(text);
    for (let change = random(3); change > 0; change -= 1) {
      bytes[random(bytes.length)] = '{}[]",:\\ 0e-.tn\u0001'.charCodeAt(random(17));
    }
    let expected: unknown;
    try {
      const decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      expected = JSON.parse(decoded);
    } catch {
      expected = undefined;
    }
    const isObject = typeof expected === "object" && expected !== null && !Array.isArray(expected);
    const seen = await found(bytes, "a");
    assert.equal(seen !== "not readable", isObject, bytes.toString());
    if (seen !== "not readable" && seen["a"] !== undefined) {
      readable += 1;
      assert.deepEqual(JSON.parse(seen["a"].at(-1) ?? ""), (expected as { a: unknown }).a);
    }
  }
  assert.ok(readable > 500, String(readable));
});

test("a body of the largest size holds nobody up, and builds nothing", async () => {
  const large = Buffer.from(`{"messages":[${"{},".repeat(8_000_000)}{}],"model":"gpt-4o"}`);
  let turns = 0;
  const turn = (): void => {
    turns += 1;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  const { heapUsed } = process.memoryUsage();
  const { model } = await asked(large);
  const used = process.memoryUsage().heapUsed - heapUsed;
  clearImmediate(next);
  assert.equal(model, "gpt-4o");
  assert.ok(used < 50 * 1024 * 1024, String(used));
  // Others had their turn after each 256 KiB.
  assert.ok(turns > 80, String(turns));
});

test("what is too deep, or a number that never ends, is not readable", async () => {
  assert.notEqual(await found(`{"a":${"[".repeat(199)}${"]".repeat(199)}}`), "not readable");
  assert.equal(await found(`{"a":${"[".repeat(200)}${"]".repeat(200)}}`), "not readable");
  assert.equal(await found(`{"a":${"1".repeat(2000)}}`), "not readable");
});

test("what is named twice is asked as something that is denied", async () => {
  assert.deepEqual((await asked('{"fallbacks":["a"],"fallbacks":["b"]}')).fallbackModels, [""]);
  assert.deepEqual((await asked('{"fallbacks":[{"model":"a","mod\\u0065l":"b"}]}')).fallbackModels, [""]);
  assert.deepEqual((await asked('{"fallbacks":{"model":"a"}}')).fallbackModels, [""]);
  assert.equal((await asked('{"user":"a","user":"b"}')).endUserId, "\0");
  assert.equal((await asked('{"metadata":{"user_id":"a"},"metadata":{}}')).endUserId, "\0");
  assert.equal((await asked('{"metadata":{"user_id":"a","user_id":"b"}}')).endUserId, "\0");
  assert.equal((await asked('{"organization_id":"a","organization_id":"b"}')).organizationId, "\0");
  for (const value of ["5", "0", "false", "[]", "{}"]) {
    assert.equal((await asked(`{"organization_id":${value}}`)).organizationId, "\0");
  }
  assert.equal((await asked('{"organization_id":null}')).organizationId, "");
  assert.equal((await asked('{"guardrails":[],"guardrails":[]}')).modifiesGuardrails, true);
  assert.equal((await asked('{"metadata":{"guardrails":null,"guardrails":null}}')).modifiesGuardrails, true);
});

test("guardrails that are something are a change", async () => {
  for (const [value, change] of [["0", false], ["-0.0", false], ["0e5", false], ["1", true], ["false", false], ["true", true], ['""', false], ['"x"', true], ["{ }", false], ["[0]", true]] as const) {
    assert.equal((await asked(`{"guardrails":${value}}`)).modifiesGuardrails, change, value);
  }
});

test("a websocket is asked about at its handshake: by its query, and its cookie only from an allowed origin", async () => {
  const handshake = [["Connection", "Upgrade"], ["Upgrade", "WebSocket"]] as const;
  const read = async (target: string): Promise<string | null | undefined> =>
    (await readRequest("GET", target, handshake, Buffer.alloc(0), READING)).model;
  assert.equal(await read("/v1/realtime?model=gpt-realtime&x=1"), "gpt-realtime");
  assert.equal(await read("/v1/realtime?model=a&model=b"), undefined);
  assert.equal(await read("/v1/realtime?model=%zz"), undefined);
  assert.equal(await read("/v1/realtime"), undefined);
  // Whoever merely sends the headers of a handshake must not choose what is read.
  const body = Buffer.from('{"model":"o3"}');
  assert.equal((await readRequest("POST", "/x?model=a", [...handshake, ...JSON_BODY], body, READING)).model, "o3");
  assert.equal((await readRequest("GET", "/x?model=a", [...handshake, ...JSON_BODY], body, READING)).model, "o3");
  assert.equal((await readRequest("POST", "/x?model=a", handshake, Buffer.alloc(0), READING)).model, undefined);
  const cookie = ["cookie", "litellm_ui_token_1=eyJhbGciOiJFZERTQSJ9.e30.c2ln"] as const;
  assert.throws(() => readCredential("GET", [...handshake, cookie], READING), RequestRefused);
  const reading = new Reading({ origins: ["https://ui.example"] });
  const { source } = readCredential("GET", [...handshake, cookie, ["origin", "https://ui.example"]], reading);
  assert.equal(source, "cookie");
});

const FORM = [["content-type", "multipart/form-data; boundary=b"]] as const;
function part(name: string, value: string, heading = ""): string {
  return `--b\r\nContent-Disposition: form-data; name="${name}"${heading}\r\n\r\n${value}\r\n`;
}

test("a multipart form is read only where every reader would find the same parts", async () => {
  const model = async (body: string, headers = FORM as readonly (readonly [string, string])[]) => (await asked(body, headers)).model;
  assert.equal(await model(`${part("model", "gpt-4o")}--b--`), "gpt-4o");
  assert.equal(await model(`${part("model", "gpt-4o")}--b--\r\n`), "gpt-4o");
  assert.equal(await model(`${part("model", "gpt-4o", "\r\nContent-Type: text/plain; charset=utf-8")}--b--`), "gpt-4o");
  const strange = [
    `preamble\r\n${part("model", "gpt-4o")}--b--`,
    `${part("model", "gpt-4o")}--b--\r\n${part("model", "o3")}`,
    `${part("x", "\n--b\nContent-Disposition: form-data; name=\"model\"\n\no3\n")}${part("model", "gpt-4o")}--b--`,
    `${part("model", "gpt-4o", "; x=y")}--b--`,
    `${part("model", "gpt-4o", "; name=y")}--b--`,
    `${part("model", "gpt-4o", "\r\nContent-Transfer-Encoding: base64")}--b--`,
    `${part("model", "gpt-4o", "\r\nContent-Type: text/plain; charset=utf-16")}--b--`,
    `${part('mod\\"el', "gpt-4o")}${part("model", "gpt-4o")}--b--`,
    `--b\r\nContent-Disposition: form-data; name=model\r\n\r\ngpt-4o\r\n--b--`,
    `--b\r\nContent-Disposition: form-data\r\n\r\ngpt-4o\r\n--b--`,
    `--b\r\n\r\ngpt-4o\r\n--b--`,
    `--bb\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n--bb--`,
    "",
  ];
  for (const body of strange) {
    assert.equal(await model(body), undefined, body);
  }
  for (const type of ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=b; boundary=c", 'multipart/form-data; xboundary="; boundary=b"']) {
    assert.equal(await model(`${part("model", "gpt-4o")}--b--`, [["content-type", type]]), undefined, type);
  }
  assert.equal(await model(`${part("model", "gpt-4o")}--b--`, [["content-type", 'Multipart/Form-Data; charset=utf-8; Boundary="b"']]), "gpt-4o");
});

test("a form with too many fields, or with bytes that are no text, names nothing", async () => {
  const form = [["content-type", "application/x-www-form-urlencoded"]] as const;
  assert.equal((await asked(`${"a&".repeat(9_998)}model=x`, form)).model, "x");
  assert.equal((await asked(`${"a&".repeat(10_000)}model=x`, form)).model, undefined);
  assert.equal((await asked("model=%ff", form)).model, undefined);
  assert.equal((await asked("model=%", form)).model, undefined);
  assert.equal((await asked("mo%64el=a+b", form)).model, "a b");
  assert.equal((await asked("model=a&user=u&organization_id=o&fallbacks=x", form)).endUserId, "u");
  assert.deepEqual((await asked("fallbacks=x", form)).fallbackModels, [""]);
});

test("options that are none are told at once", () => {
  for (const options of [
    { header: "a b" },
    { modelHeader: "" },
    { origins: ["ui.example"] },
    { origins: ["https://ui.example/"] },
    { basePath: "gateway" },
    { basePath: "/gateway/" },
    { maxBody: -1 },
    { maxBody: 1.5 },
  ]) {
    assert.throws(() => new Reading(options), TypeError, JSON.stringify(options));
  }
});
