import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Question } from "../../src/index.js";

/** A question as the server of stories writes it. */
export interface Ask {
  token: string;
  route: string;
  method: string;
  model: string | null;
  fallback_models: string[];
  team_id: string | null;
  team_alias: string | null;
  end_user_id: string;
  organization_id: string;
  modifies_guardrails: boolean;
}

// This runs from build/test/tools.
const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url));

/** The real server, in a process of its own, with worlds for tests (tests/tools/story_server of the project). */
export class StoryServer {
  private constructor(
    readonly target: string,
    readonly pid: number,
    private readonly http: string,
    private readonly child: ChildProcessByStdio<Writable, Readable, null>,
  ) {}

  static async start(...args: string[]): Promise<StoryServer> {
    const python = process.env["USHERD_PYTHON"] ?? ".venv/bin/python";
    const child = spawn(python, ["-m", "tools.story_server", ...args], {
      cwd: ROOT,
      env: { ...process.env, PYTHONPATH: "tests" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const { grpc, http, pid } = JSON.parse(line) as { grpc: string; http: string; pid: number };
      return new StoryServer(grpc, pid, http, child);
    }
    throw new Error("the server of stories did not start: it needs the .venv of the project (make .venv/.dev)");
  }

  async stop(): Promise<void> {
    process.kill(this.pid, "SIGCONT");
    const exited = once(this.child, "exit");
    this.child.stdin.end();
    await exited;
  }

  async get<T>(path: string): Promise<T> {
    return this.#fetched(await fetch(`${this.http}${path}`));
  }

  async post<T>(path: string, body: object = {}): Promise<T> {
    return this.#fetched(await fetch(`${this.http}${path}`, { method: "POST", body: JSON.stringify(body) }));
  }

  async #fetched<T>(response: Response): Promise<T> {
    if (!response.ok) {
      throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
    }
    return (await response.json()) as T;
  }
}

/** The question of this client. */
export function questionOf(ask: Ask): Question {
  return {
    token: ask.token,
    route: ask.route,
    method: ask.method,
    model: ask.model,
    fallbackModels: ask.fallback_models,
    teamId: ask.team_id,
    teamAlias: ask.team_alias,
    endUserId: ask.end_user_id,
    organizationId: ask.organization_id,
    modifiesGuardrails: ask.modifies_guardrails,
  };
}
