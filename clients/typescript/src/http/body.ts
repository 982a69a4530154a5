import { multipartFields, urlencodedFields } from "./forms.js";
import { NotReadable, members, textOf } from "./json_members.js";
import { agreed, valuesOf, type Headers } from "./reading.js";

/** Something that is there, and of which no more matters. */
export const SOMETHING: unique symbol = Symbol("something");

/** A value, as far as a question can be about it; an object of those that have members that matter. */
export type Field = string | true | typeof SOMETHING | readonly string[] | { readonly [name: string]: Field } | undefined;

/** The fields of a body, and whether one besides the model could be read in two ways. */
export interface Fields {
  fields: ReadonlyMap<string, Field>;
  inDoubt: boolean;
}

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
const MAX_LIST = 64 * 1024;
const NOTHING: Fields = { fields: new Map(), inDoubt: false };

/** A value that two readers could read in two ways. */
class InDoubt extends Error {}

/**
 * The fields that a question may be about. A model that is named twice is left out, as everything is of a body that cannot be
 * read.
 */
export async function bodyFields(headers: Headers, body: Buffer): Promise<Fields> {
  const type = agreed(valuesOf(headers, "content-type"), "unknown") ?? "";
  const kind = (/^[^;]*/.exec(type)?.[0] ?? "").replace(/[ \t]+$/, "").toLowerCase();
  if (body.length === 0 || valuesOf(headers, "content-encoding").some((each) => !/^(?:identity)?$/i.test(each))) {
    return NOTHING;
  }
  try {
    if (kind === "" || kind === "application/json" || /^application\/.*\+json$/.test(kind)) {
      return await jsonFields(body, NAMES);
    }
    if (kind === "application/x-www-form-urlencoded") {
      return single(urlencodedFields(body, NAMES), (text) => text);
    }
    if (kind === "multipart/form-data") {
      return single(multipartFields(body, type, NAMES), (text) => text);
    }
  } catch (error) {
    if (!(error instanceof NotReadable)) {
      throw error;
    }
  }
  return NOTHING;
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
  return single(found, (text, name) => valueOf(name, text, inner.get(text)));
}

function single<T>(found: ReadonlyMap<string, readonly T[]>, read: (value: T, name: string) => Field): Fields {
  const fields = new Map<string, Field>();
  let inDoubt = false;
  for (const [name, [value, ...more]] of found) {
    if (more.length > 0 || value === undefined) {
      inDoubt ||= name !== "model";
      continue;
    }
    try {
      fields.set(name, read(value, name));
    } catch (error) {
      if (!(error instanceof InDoubt)) {
        throw error;
      }
      inDoubt = true;
    }
  }
  return { fields, inDoubt };
}

function valueOf(name: string, json: Buffer, inner: Fields | undefined): Field {
  if (inner !== undefined) {
    if (inner.inDoubt) {
      throw new InDoubt();
    }
    return Object.fromEntries(inner.fields);
  }
  const first = String.fromCharCode(json[0] ?? 0);
  if (first === '"') {
    return textOf(json);
  }
  if (first !== "{" && first !== "[") {
    return scalar(json.toString("latin1"));
  }
  if (name === "fallbacks") {
    return fallbacks(json);
  }
  if (name === "organization_id") {
    throw new InDoubt();
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
function fallbacks(json: Buffer): readonly string[] {
  const value: unknown = json.length > MAX_LIST || json[0] !== 0x5b ? undefined : JSON.parse(json.toString("utf8"));
  if (!Array.isArray(value) || keysIn(json) !== keysOf(value)) {
    throw new InDoubt();
  }
  return value.map((each: unknown) => {
    const name: unknown = typeof each === "object" && each !== null ? (each as { model?: unknown }).model : each;
    if (typeof name !== "string") {
      throw new InDoubt();
    }
    return name;
  });
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
