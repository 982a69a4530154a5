import { create } from "@bufbuild/protobuf";
import { QuestionSchema, type Question as WireQuestion } from "./gen/usher/v1/question_pb.js";

/** One question: may the holder of this token call this route with this model? `question.proto` says what each is. */
export interface Question {
  /** The bare compact JWS: a scheme in front of it ("Bearer ") is the gateway's to take off. Empty: none. */
  token: string;
  /** The path that the gateway will really dispatch. */
  route: string;
  /** The model that is asked for. Absent or null: none is. */
  model?: string | null | undefined;
  /** The HTTP method, in upper case. */
  method?: string | undefined;
  /** Models that the gateway would fall back to: each must be allowed. */
  fallbackModels?: readonly string[] | undefined;
  /** The team that the user wants to act for, by its id. Not together with `teamAlias`. */
  teamId?: string | null | undefined;
  /** The team that the user wants to act for, by its alias. */
  teamAlias?: string | null | undefined;
  /** The end user (customer) on whose behalf the request is made. */
  endUserId?: string | undefined;
  /** The organization that the request acts on. */
  organizationId?: string | undefined;
  /** Whether the request asks for guardrails of its own. */
  modifiesGuardrails?: boolean | undefined;
}

/** A question as it is sent: texts that are none, or are too long, are others by now, which the server denies. */
export interface Asked {
  readonly token: string;
  readonly route: string;
  readonly method: string;
  readonly model: string | undefined;
  readonly fallbackModels: readonly string[];
  readonly wish: "" | "teamId" | "teamAlias";
  readonly team: string;
  readonly endUserId: string;
  readonly organizationId: string;
  readonly modifiesGuardrails: boolean;
}

export const DEFAULT_DEADLINE_MS = 1000;
const MAX_DEADLINE_MS = 60_000;

// Values that are cut are cut above what the server takes: what is too long stays too long, and is denied. An oversized
// message would be an error instead, and an error that an end user can cause is a way past a gateway that fails open.
const TOKEN = 64 * 1024;
const ROUTE = 16 * 1024;
const NAME = 1024;
const FALLBACKS = 16;

/** Stands for what is no text, or no Unicode: no field of a question takes it, so that it is denied. */
const REFUSED = "\0";
const NONE: readonly string[] = [];

/** What is sent. Throws TypeError for two team wishes, which only a gateway can bring about. */
export function asked(question: Question): Asked {
  const { model, teamId, teamAlias, fallbackModels } = question;
  const byId = teamId !== undefined && teamId !== null;
  const byAlias = teamAlias !== undefined && teamAlias !== null;
  if (byId && byAlias) {
    throw new TypeError("teamId, teamAlias: expected at most one of them");
  }
  return {
    token: text(question.token, TOKEN),
    route: text(question.route, ROUTE),
    method: optional(question.method),
    model: model === undefined || model === null ? undefined : text(model, NAME),
    fallbackModels: fallbackModels === undefined ? NONE : names(fallbackModels),
    wish: byId ? "teamId" : byAlias ? "teamAlias" : "",
    team: byId ? text(teamId, NAME) : byAlias ? text(teamAlias, NAME) : "",
    endUserId: optional(question.endUserId),
    organizationId: optional(question.organizationId),
    modifiesGuardrails: Boolean(question.modifiesGuardrails),
  };
}

/** The contract's Question. */
export function questionMessage(asked: Asked): WireQuestion {
  return create(QuestionSchema, {
    token: asked.token,
    route: asked.route,
    method: asked.method,
    ...(asked.model === undefined ? {} : { model: asked.model }),
    fallbackModels: [...asked.fallbackModels],
    teamWish: asked.wish === "" ? { case: undefined } : { case: asked.wish, value: asked.team },
    endUserId: asked.endUserId,
    organizationId: asked.organizationId,
    modifiesGuardrails: asked.modifiesGuardrails,
  });
}

/** How many bytes a question has at least: those of its texts. */
export function sizeOf(asked: Asked): number {
  const { token, route, method, model = "", fallbackModels, team, endUserId, organizationId } = asked;
  return [token, route, method, model, ...fallbackModels, team, endUserId, organizationId].reduce(
    (sum, each) => sum + Buffer.byteLength(each),
    0,
  );
}

/** The deadline in milliseconds. Throws RangeError unless it is over 0 and at most 60,000: every call ends. */
export function checkedDeadline(deadlineMs: number | undefined): number {
  if (deadlineMs === undefined) {
    return DEFAULT_DEADLINE_MS;
  }
  if (typeof deadlineMs !== "number" || !(deadlineMs > 0 && deadlineMs <= MAX_DEADLINE_MS)) {
    throw new RangeError(`deadlineMs: expected milliseconds, more than 0 and at most ${MAX_DEADLINE_MS}`);
  }
  return deadlineMs;
}

function optional(value: unknown): string {
  return value === undefined ? "" : text(value, NAME);
}

function names(value: unknown): readonly string[] {
  if (!Array.isArray(value)) {
    return [REFUSED];
  }
  return value.length === 0 ? NONE : value.slice(0, FALLBACKS + 1).map((each) => text(each, NAME));
}

function text(value: unknown, limit: number): string {
  // A gateway may pass on what it found in a JSON body, where a model may be a number as well.
  if (typeof value !== "string" || !value.isWellFormed()) {
    return REFUSED;
  }
  if (value.length <= limit / 4) {
    return value;
  }
  // Up to three bytes a unit: what is cut here has more bytes than any field takes all the same.
  const most = limit > NAME && !isAscii(value.slice(0, limit + 1)) ? limit / 4 : limit;
  return value.length <= most ? value : value.slice(0, most + 1).toWellFormed();
}

function isAscii(value: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /^[\0-\x7f]*$/.test(value);
}
