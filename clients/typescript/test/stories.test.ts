import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Usherd, UsherFault, type Decision, type Question } from "../src/index.js";
import { StoryServer, questionOf, type Ask } from "./tools/story_server.js";

// The stories of the project, told by the real server and heard by this client, with the cache off and on.

type Expected = Record<string, unknown>;
type Step = { changed: true } | { ask: Ask; expect: Expected };
interface Story {
  id: string;
  name: string;
  steps: number;
}

/** Milliseconds in which a cache has heard of a change. */
const HEARD = 5000;

let server: StoryServer;
before(async () => {
  server = await StoryServer.start();
});
after(() => server.stop());

for (const cache of [false, true]) {
  const without = "limits";
  test(`every story is true with the cache ${cache ? "on" : "off"}`, async (t) => {
    const { stories } = await server.get<{ stories: Story[] }>(`/stories?without=${without}`);
    assert.ok(stories.length > 200, String(stories.length));
    for (const story of stories) {
      await t.test(`${story.id}: ${story.name}`, async () => {
        await server.post(`/stories/${story.id}/begin`);
        using usherd = new Usherd(server.target, { cache });
        let wait = 0;
        for (let step = 0; step < story.steps; step += 1) {
          const told = await server.post<Step>(`/stories/${story.id}/steps/${step}?without=${without}`);
          if ("changed" in told) {
            wait = cache ? HEARD : 0;
          } else {
            await becomes(usherd, questionOf(told.ask), told.expect, wait);
          }
        }
      });
    }
  });
}

/** Asks, and asks once more, until the answers are what is expected, for at most so long. */
async function becomes(usherd: Usherd, question: Question, expected: Expected, wait: number): Promise<void> {
  const end = performance.now() + wait;
  for (;;) {
    const seen = await answerTo(usherd, question, expected);
    if (performance.now() < end && !same(seen, expected)) {
      await setTimeout(10);
      continue;
    }
    assert.deepEqual(seen, expected);
    assert.deepEqual(await answerTo(usherd, question, expected), expected);
    return;
  }
}

function same(one: Expected, other: Expected): boolean {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
}

async function answerTo(usherd: Usherd, question: Question, expected: Expected): Promise<Expected> {
  const seen: Expected = {};
  let answer: Decision | UsherFault;
  try {
    answer = await usherd.authorize(question, { deadlineMs: 5000 });
  } catch (error) {
    assert.ok(error instanceof UsherFault, String(error));
    answer = error;
  }
  for (const [name, wanted] of Object.entries(expected)) {
    if (name === "models") {
      seen[name] = await modelsOf(usherd, question);
    } else {
      const value = answer instanceof UsherFault ? (name === "fault" ? answer.reason : answer.message) : part(name, answer);
      // Null: there is no such thing. A list may be null, too, where it is empty.
      seen[name] = wanted === null && (value === "" || value === undefined || isEmpty(value)) ? null : value;
    }
  }
  return seen;
}

function part(name: string, decision: Decision): unknown {
  const { principal } = decision;
  switch (name) {
    case "effect":
      return decision.allowed ? "ALLOW" : "DENY";
    case "reason":
      return decision.reason;
    case "http_status":
      return decision.httpStatus;
    case "www_authenticate":
      return decision.wwwAuthenticate;
    case "resolved_model":
      return decision.resolvedModel;
    case "fault":
      return undefined;
    case "kind":
      return principal?.kind;
    case "issuer":
    case "subject":
    case "client":
    case "email":
    case "roles":
    case "scopes":
      return principal?.[name];
    case "user":
      return principal?.userId;
    case "directory_role":
      return principal?.directoryRole;
    case "admin":
      return principal?.isAdmin;
    case "team":
      return principal?.teamId;
    case "team_alias":
      return principal?.teamAlias;
    case "organization":
      return principal?.organizationId;
    case "end_user":
      return principal?.endUserId;
    case "claims":
      return Object.fromEntries((principal?.claims ?? []).map((each) => [each.name, JSON.parse(each.valueJson)]));
    default:
      return assert.fail(`a story expects ${name}, which this runner does not know`);
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

async function modelsOf(usherd: Usherd, question: Question): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of usherd.listModels(question, { deadlineMs: 5000 })) {
      names.push(name);
    }
  } catch (error) {
    assert.equal((error as Error).name, "ListDenied", String(error));
  }
  return names;
}
