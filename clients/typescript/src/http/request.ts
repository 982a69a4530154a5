import type { Question } from "../questions.js";
import { bodyFields, type Field } from "./body.js";
import { agreed, valuesOf, type Headers, type Reading } from "./reading.js";

/** What one request asks for, besides its credential. */
export interface RequestAsked extends Omit<Question, "token"> {
  /** Whether the answer is asked for as a stream. */
  stream: boolean;
}

/** Fallbacks that are refused: no model has an empty name. */
const IN_DOUBT: readonly string[] = [""];
/** Stands for what should be a text and is none: no field of a question takes it. */
const NO_TEXT = "\0";
const STREAMED_BY_PATH = ":streamGenerateContent";

/**
 * What a request asks for. `target` is the path as it came, with or without a query. What cannot be read with certainty is
 * not guessed: a model that is unknown is refused by the server on routes that need one, and where more than the model is in
 * doubt, a fallback stands in the question that no model can be called by.
 */
export async function readRequest(
  method: string,
  target: string,
  headers: Headers,
  body: Buffer,
  reading: Reading,
): Promise<RequestAsked> {
  const route = routeOf(target, reading.basePath);
  const { fields, inDoubt } = await bodyFields(headers, body);
  const named = reading.modelHeader === undefined ? fields.get("model") : undefined;
  const byHeader = reading.modelHeader === undefined ? undefined : agreed(valuesOf(headers, reading.modelHeader), undefined);
  const metadata = fields.get("metadata");
  return {
    route,
    method,
    model: typeof named === "string" ? named : byHeader,
    fallbackModels: inDoubt ? IN_DOUBT : fallbacksOf(fields.get("fallbacks")),
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

function teamOf(headers: Headers, reading: Reading): { teamId?: string | undefined; teamAlias?: string | undefined } {
  const teamId = reading.teamHeader && agreed(valuesOf(headers, reading.teamHeader), "");
  const teamAlias = reading.teamAliasHeader && agreed(valuesOf(headers, reading.teamAliasHeader), "");
  // Two wishes are one that is refused: whoever sends both headers must not make the question an error.
  return teamId !== undefined && teamAlias !== undefined ? { teamId: "" } : { teamId, teamAlias };
}

function fallbacksOf(value: Field): readonly string[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly string[]) : IN_DOUBT;
}

function endUserOf(fields: ReadonlyMap<string, Field>): string {
  const candidates = [
    fields.get("user"),
    inside(fields.get("litellm_metadata"), "user"),
    inside(fields.get("metadata"), "user_id"),
  ];
  return candidates.find((each): each is string => typeof each === "string" && each !== "") ?? "";
}

function organizationOf(value: Field): string {
  return value === undefined ? "" : typeof value === "string" ? value : NO_TEXT;
}

function isSomething(value: Field): boolean {
  return value !== undefined && value !== "";
}

function inside(value: Field, name: string): Field {
  return typeof value === "object" && !Array.isArray(value)
    ? (value as { readonly [name: string]: Field })[name]
    : undefined;
}
