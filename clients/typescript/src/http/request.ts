import type { Question } from "../questions.js";
import { TWICE, bodyFields, inside, type Field, type Fields } from "./body.js";
import { urlencodedFields } from "./forms.js";
import { NotReadable } from "./json_members.js";
import { agreed, isHandshake, valuesOf, type Headers, type Reading } from "./reading.js";

/** What one request asks for, besides its credential. */
export interface RequestAsked extends Omit<Question, "token"> {
  /** Whether the answer is asked for as a stream. */
  stream: boolean;
}

/** Fallbacks that are refused: no model has an empty name. */
const REFUSED_FALLBACKS: readonly string[] = [""];
/** Stands for what should be a text and is none: no field of a question takes it. */
const REFUSED = "\0";
const STREAMED_BY_PATH = ":streamGenerateContent";
const MODEL = new Set(["model"]);

/**
 * What a request asks for. `target` is the path as it came, with or without a query. What cannot be read with certainty is
 * not guessed: a model that is unknown is refused by the server on routes that need one, and everything else that is in doubt
 * is asked as something that it denies.
 */
export async function readRequest(
  method: string,
  target: string,
  headers: Headers,
  body: Buffer,
  reading: Reading,
): Promise<RequestAsked> {
  const route = routeOf(target, reading.basePath);
  const fields = await bodyFields(headers, body, queryOf(target));
  const metadata = fields.get("metadata");
  return {
    route,
    method,
    model: modelOf(fields, method, target, headers, body, reading),
    fallbackModels: fallbacksOf(fields.get("fallbacks")),
    ...teamOf(headers, reading),
    endUserId: endUserOf(fields),
    organizationId: organizationOf(fields.get("organization_id")),
    modifiesGuardrails: isSomething(fields.get("guardrails")) || isSomething(inside(metadata, "guardrails")),
    stream: fields.get("stream") === true || route.endsWith(STREAMED_BY_PATH),
  };
}

/** The path without its query and, at the end of a segment, without the base path. Nothing is decoded or mended. */
export function routeOf(target: string, basePath: string): string {
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  if (basePath !== "" && (path === basePath || path.startsWith(`${basePath}/`))) {
    return path.slice(basePath.length) || "/";
  }
  return path;
}

/** The team that the headers wish for: at most one of both, and a team that nobody has where they are in doubt. */
export function teamOf(headers: Headers, reading: Reading): { teamId?: string | undefined; teamAlias?: string | undefined } {
  const teamId = reading.teamHeader && agreed(valuesOf(headers, reading.teamHeader), "");
  const teamAlias = reading.teamAliasHeader && agreed(valuesOf(headers, reading.teamAliasHeader), "");
  // Two wishes are one that is refused: whoever sends both headers must not make the question an error.
  return teamAlias === "" || (teamId !== undefined && teamAlias !== undefined) ? { teamId: "" } : { teamId, teamAlias };
}

function modelOf(
  fields: Fields,
  method: string,
  target: string,
  headers: Headers,
  body: Buffer,
  reading: Reading,
): string | undefined {
  if (reading.modelHeader !== undefined) {
    return agreed(valuesOf(headers, reading.modelHeader), undefined);
  }
  // The query names the model of a websocket's handshake, which has no body: whoever merely sends its headers must not choose.
  const named = method === "GET" && isHandshake(headers) && body.length === 0 ? queryModel(target) : fields.get("model");
  return typeof named === "string" ? named : undefined;
}

function queryOf(target: string): Buffer {
  const query = target.indexOf("?");
  return Buffer.from(query < 0 ? "" : target.slice(query + 1), "latin1");
}

function queryModel(target: string): Field {
  try {
    const named = urlencodedFields(queryOf(target), MODEL).get("model");
    return named?.length === 1 ? named[0] : undefined;
  } catch (error) {
    if (error instanceof NotReadable) {
      return undefined;
    }
    throw error;
  }
}

function fallbacksOf(value: Field): readonly string[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly string[]) : REFUSED_FALLBACKS;
}

function endUserOf(fields: Fields): string {
  const candidates = [
    fields.get("user"),
    inside(fields.get("litellm_metadata"), "user"),
    inside(fields.get("metadata"), "user_id"),
  ];
  const found = candidates.find((each) => each === TWICE || (typeof each === "string" && each !== ""));
  return found === undefined ? "" : typeof found === "string" ? found : REFUSED;
}

function organizationOf(value: Field): string {
  return value === undefined ? "" : typeof value === "string" ? value : REFUSED;
}

function isSomething(value: Field): boolean {
  return value !== undefined && value !== "";
}
