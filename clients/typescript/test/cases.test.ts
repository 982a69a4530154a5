import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { UsherFault } from "../src/faults.js";
import {
  Reading,
  RequestRefused,
  clearSessions,
  denialAnswer,
  faultAnswer,
  readCredential,
  readRequest,
  refusalAnswer,
  setSession,
  sseDenial,
  type Denial,
  type HttpAnswer,
  type RefusalCode,
} from "../src/http/index.js";

// The cases that every client answers alike. This runs from build/test.
const CASES = new URL("../../../cases/", import.meta.url);

interface Options {
  header?: string;
  origins?: string[];
  base_path?: string;
  model_header?: string;
  team_header?: string;
  team_alias_header?: string;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
function cases(file: string): any {
  return JSON.parse(readFileSync(new URL(file, CASES), "utf8"));
}

function reading(options: Options): Reading {
  const known = ["header", "origins", "base_path", "model_header", "team_header", "team_alias_header"];
  assert.deepEqual(Object.keys(options).filter((each) => !known.includes(each)), []);
  return new Reading({
    header: options.header,
    origins: options.origins,
    basePath: options.base_path,
    modelHeader: options.model_header,
    teamHeader: options.team_header,
    teamAliasHeader: options.team_alias_header,
  });
}

for (const each of cases("credentials.json").cases) {
  test(`credentials: ${each.name}`, () => {
    if (each.expect.refused !== undefined) {
      assert.throws(
        () => readCredential(each.method, each.headers, reading(each.options)),
        (error) => error instanceof RequestRefused && error.code === each.expect.refused,
      );
    } else {
      assert.deepEqual(readCredential(each.method, each.headers, reading(each.options)), each.expect);
    }
  });
}

for (const each of cases("requests.json").cases) {
  test(`requests: ${each.name}`, async () => {
    const body =
      each.body_base64 === undefined ? Buffer.from(each.body, "utf8") : Buffer.from(each.body_base64, "base64");
    const asked = await readRequest(each.method, each.target, each.headers, body, reading(each.options));
    assert.deepEqual(
      {
        route: asked.route,
        method: asked.method,
        model: asked.model ?? null,
        fallback_models: asked.fallbackModels,
        team_id: asked.teamId ?? null,
        team_alias: asked.teamAlias ?? null,
        end_user_id: asked.endUserId,
        organization_id: asked.organizationId,
        modifies_guardrails: asked.modifiesGuardrails,
        stream: asked.stream,
      },
      each.expect,
    );
  });
}

interface WireDenial {
  reason: string;
  http_status: number;
  message: string;
  www_authenticate?: string;
}

function denial(of: WireDenial): Denial {
  return {
    reason: of.reason,
    httpStatus: of.http_status,
    message: of.message,
    wwwAuthenticate: of.www_authenticate ?? "",
  };
}

function answered(each: {
  decision?: WireDenial;
  fault?: { retry_after?: number };
  refused?: RefusalCode;
}): HttpAnswer {
  if (each.decision !== undefined) {
    return denialAnswer(denial(each.decision));
  }
  if (each.fault !== undefined) {
    return faultAnswer(new UsherFault("unavailable", "KEYS_UNAVAILABLE", each.fault.retry_after));
  }
  assert.ok(each.refused !== undefined);
  return refusalAnswer(each.refused);
}

const errors = cases("errors.json");
for (const each of errors.cases) {
  test(`errors: ${each.name}`, () => {
    const answer = answered(each);
    assert.equal(answer.status, each.expect.status);
    assert.deepEqual(Object.fromEntries(answer.headers), each.expect.headers);
    assert.deepEqual(JSON.parse(answer.body), each.expect.body);
  });
}

test("errors: what a streamed answer ends with", () => {
  assert.equal(sseDenial(denial(errors.cut.denial)), errors.cut.sse);
});

for (const each of cases("cookies.json").cases) {
  test(`cookies: ${each.name}`, () => {
    if (each.clear !== undefined) {
      assert.deepEqual(clearSessions(each.clear.cookies), each.expect.headers);
      return;
    }
    const { token, now, location } = each.set;
    if (each.expect.error !== undefined) {
      assert.throws(
        () => setSession(token, now, location),
        (error: Error) => error.message.startsWith(`${each.expect.error}: `) && !error.message.includes(token),
      );
    } else {
      const { status, headers } = setSession(token, now, location);
      assert.deepEqual({ status, headers }, each.expect);
    }
  });
}
