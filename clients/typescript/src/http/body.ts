import { multipartFields, urlencodedFields } from "./forms.js";
import { NotReadable, members, textOf } from "./json_members.js";
import { meant } from "./names.js";
import { agreed, valuesOf, type Headers } from "./reading.js";

/** Something that is there, and of which no more matters. */
export const SOMETHING: unique symbol = Symbol("something");
/** What is named twice, or otherwise read in two ways by two readers. */
export const TWICE: unique symbol = Symbol("twice");

/** A value, as far as a question can be about it; an object of those that have members that matter. */
export type Field = string | true | typeof SOMETHING | typeof TWICE | readonly string[] | Fields | undefined;

/** Values by their names. */
export type Fields = ReadonlyMap<string, Field>;

const NAMES = new Set([
  "model",
  "stream",
  "fallbacks",
  "user",
  "litellm_metadata",
  "metadata",
  "guardrails",
  "organization_id",
]);
const OF_OBJECTS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["metadata", new Set(["user_id", "guardrails"])],
  ["litellm_metadata", new Set(["user"])],
]);
const UTF8 = /;[ \t]*charset=("?)(?:utf-?8|us-ascii)\1[ \t]*(?:;|$)/i;
const MODEL: ReadonlySet<string> = new Set(["model"]);
const MAX_LIST = 64 * 1024;
const NOTHING: Fields = new Map();

/**
 * The fields that a question may be about; none of a body that cannot be read. The fields of the query are read with those of a
 * form: many readers give both as one.
 */
export async function bodyFields(headers: Headers, body: Buffer, query: Buffer): Promise<Fields> {
  const type = agreed(valuesOf(headers, "content-type"), "unknown") ?? "application/json";
  const kind = (/^[^;]*/.exec(type)?.[0] ?? "").replace(/[ \t]+$/, "").toLowerCase();
  if (body.length === 0 || valuesOf(headers, "content-encoding").some((each) => !/^(?:identity)?$/i.test(each))) {
    return NOTHING;
  }
  if (!isInUtf8(type)) {
    return NOTHING;
  }
  try {
    if (kind === "application/json" || /^application\/.*\+json$/.test(kind)) {
      return await jsonFields(body, NAMES);
    }
    if (kind === "application/x-www-form-urlencoded") {
      return single(both(urlencodedFields(query, NAMES), urlencodedFields(body, NAMES)), (text) => text);
    }
    if (kind === "multipart/form-data") {
      return single(both(urlencodedFields(query, NAMES), multipartFields(body, type, NAMES)), (text) => text);
    }
  } catch (error) {
    if (!(error instanceof NotReadable)) {
      throw error;
    }
  }
  return NOTHING;
}

/** The member of an object. */
export function inside(value: Field, name: string): Field {
  return value instanceof Map ? (value as Fields).get(name) : value === TWICE ? TWICE : undefined;
}

/** Whether nothing says that it is in another charset: who goes by that reads other text in the same bytes. */
function isInUtf8(type: string): boolean {
  const said = type.toLowerCase().split("charset").length - 1;
  return said === 0 || (said === 1 && UTF8.test(type));
}

function both(one: ReadonlyMap<string, string[]>, other: ReadonlyMap<string, string[]>): Map<string, string[]> {
  const names = new Set([...one.keys(), ...other.keys()]);
  return new Map([...names].map((name) => [name, [...(one.get(name) ?? []), ...(other.get(name) ?? [])]]));
}

async function jsonFields(json: Buffer, names: ReadonlySet<string>): Promise<Fields> {
  const found = await members(json, names);
  const inner = new Map<Buffer, Fields>();
  for (const [name, [value, ...more]] of found) {
    const wanted = OF_OBJECTS.get(name);
    if (wanted !== undefined && value?.[0] === 0x7b && more.length === 0) {
      inner.set(value, await jsonFields(value, wanted));
    }
  }
  return single(found, (json, name) => inner.get(json) ?? valueOf(name, json));
}

function single<T>(found: ReadonlyMap<string, readonly T[]>, read: (value: T, name: string) => Field): Fields {
  return new Map(
    [...found].map(([name, [value, ...more]]) => [
      name,
      value === undefined || more.length > 0 ? TWICE : read(value, name),
    ]),
  );
}

function valueOf(name: string, json: Buffer): Field {
  const first = String.fromCharCode(json[0] ?? 0);
  if (first === '"') {
    return textOf(json);
  }
  if (name === "organization_id") {
    return first === "n" ? undefined : SOMETHING;
  }
  if (name === "fallbacks" && first !== "[") {
    return first === "n" ? undefined : TWICE;
  }
  if (first !== "{" && first !== "[") {
    return scalar(json.toString("latin1"));
  }
  if (name === "fallbacks") {
    return fallbacks(json);
  }
  // Of everything else it only matters whether something is in it.
  return /^.[ \t\r\n]*.$/.test(json.toString("latin1", 0, MAX_LIST)) ? undefined : SOMETHING;
}

function scalar(word: string): Field {
  if (word === "null" || word === "false") {
    return undefined;
  }
  if (word === "true") {
    return true;
  }
  // Of numbers it only matters whether they are 0, as they stand there.
  return /^[-0.]*(?:[eE]|$)/.test(word) ? undefined : SOMETHING;
}

/** Names, or objects with a model, each of which is named once. */
function fallbacks(json: Buffer): Field {
  const value: unknown = json.length > MAX_LIST || json[0] !== 0x5b ? undefined : JSON.parse(json.toString("utf8"));
  if (!Array.isArray(value) || keysIn(json) !== keysOf(value)) {
    return TWICE;
  }
  const names = value.map((each: unknown) => (typeof each === "object" && each !== null ? modelOf(each) : each));
  return names.every((each) => typeof each === "string") ? names : TWICE;
}

/** The model of a fallback, unless another name may be meant for it. */
function modelOf(fallback: object): unknown {
  const names = Object.keys(fallback).filter((each) => meant(each, MODEL) !== undefined);
  return names.length === 1 ? (fallback as { model?: unknown }).model : undefined;
}

/** How many names stand in that JSON, which is valid. */
function keysIn(json: Buffer): number {
  return json.toString("utf8").match(/"(?:[^"\\]|\\.)*"(?:[ \t\r\n]*:)?/g)?.filter((each) => each.endsWith(":")).length ?? 0;
}

/** How many names are left of them, where the last of one name has won. */
function keysOf(value: unknown): number {
  if (typeof value !== "object" || value === null) {
    return 0;
  }
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, each) => sum + keysOf(each), own);
}
