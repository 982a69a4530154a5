/** Names in any case, and values, in the order in which they came. */
export type Headers = readonly (readonly [string, string])[];

/** Where a request carries what. */
export interface ReadingOptions {
  /** The one header whose value is the credential. Absent: the four usual ones, then session cookies. */
  header?: string | undefined;
  /** The origins (`https://ui.example`) whose pages may act with a session cookie. */
  origins?: readonly string[] | undefined;
  /** What every path begins with and the policy's routes do not: `/gateway`. */
  basePath?: string | undefined;
  /** A header that names the model in place of the body: only one that this gateway itself goes by. */
  modelHeader?: string | undefined;
  /** A header with the id of the team that the user wants to act for. */
  teamHeader?: string | undefined;
  /** A header with that team's alias. */
  teamAliasHeader?: string | undefined;
  /** Bytes of a body that are read, 32 MiB unless given; a larger one is answered with 413. */
  maxBody?: number | undefined;
}

/** Why a request is refused without asking. */
export type RefusalCode = "credentials_ambiguous" | "origin_not_allowed" | "body_too_large";

/** A request that is refused without asking; `refusalAnswer` has what to answer. */
export class RequestRefused extends Error {
  override readonly name = "RequestRefused";
  readonly code: RefusalCode;

  constructor(code: RefusalCode) {
    super(code);
    this.code = code;
  }
}

const MAX_BODY = 32 * 1024 * 1024;
const NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#]+$/;
const BASE_PATH = /^(?:\/[A-Za-z0-9._~!$&'()*+,=:@-]+)+$/;

/** How requests are read, checked once. Throws TypeError for what is no header name, origin or path. */
export class Reading {
  readonly header: string | undefined;
  readonly origins: ReadonlySet<string>;
  readonly basePath: string;
  readonly modelHeader: string | undefined;
  readonly teamHeader: string | undefined;
  readonly teamAliasHeader: string | undefined;
  readonly maxBody: number;

  constructor(options: ReadingOptions = {}) {
    this.header = headerName("header", options.header);
    this.modelHeader = headerName("modelHeader", options.modelHeader);
    this.teamHeader = headerName("teamHeader", options.teamHeader);
    this.teamAliasHeader = headerName("teamAliasHeader", options.teamAliasHeader);
    const { origins = [], basePath = "", maxBody = MAX_BODY } = options;
    if (!Array.isArray(origins) || !origins.every((each) => typeof each === "string" && ORIGIN.test(each))) {
      throw new TypeError("origins: expected a list of origins, such as https://ui.example without a path");
    }
    if (basePath !== "" && !BASE_PATH.test(basePath)) {
      throw new TypeError("basePath: expected a path that begins with a slash and ends with none");
    }
    if (!Number.isSafeInteger(maxBody) || maxBody < 0) {
      throw new TypeError("maxBody: expected a number of bytes");
    }
    this.origins = new Set(origins);
    this.basePath = basePath;
    this.maxBody = maxBody;
  }
}

/** The values of the header of that lower-case name, without white space around them. */
export function valuesOf(headers: Headers, name: string): string[] {
  return headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => trimmed(value));
}

/** Without the spaces and tabs around it: HTTP knows no other white space. */
export function trimmed(value: string): string {
  return value.replace(/^[ \t]+/, "").replace(/(?<![ \t])[ \t]+$/, "");
}

/**
 * What all values say, undefined where that is nothing, and `otherwise` where they differ. An empty header is none: who clears one
 * writes that. Beside another of its name it is one that differs.
 */
export function agreed<T>(values: readonly string[], otherwise: T): string | T | undefined {
  return values.every((each) => each === values[0]) ? values[0] || undefined : otherwise;
}

/** Whether a request opens a websocket. */
export function isHandshake(headers: Headers): boolean {
  return valuesOf(headers, "upgrade").some((each) => each.toLowerCase().includes("websocket"));
}

/** Pairs out of Node's `rawHeaders`. */
export function headersOf(raw: readonly string[]): [string, string][] {
  const headers: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    headers.push([raw[at] ?? "", raw[at + 1] ?? ""]);
  }
  return headers;
}

function headerName(option: string, name: string | undefined): string | undefined {
  if (name !== undefined && (typeof name !== "string" || !NAME.test(name))) {
    throw new TypeError(`${option}: expected the name of a header`);
  }
  return name?.toLowerCase();
}
