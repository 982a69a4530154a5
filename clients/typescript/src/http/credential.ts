import { readSessions } from "./cookies.js";
import { RequestRefused, isHandshake, valuesOf, type Headers, type Reading } from "./reading.js";

/** What to ask with, and where it stood: a header's lower-case name, "header" for a configured one, "cookie", "none". */
export interface Credential {
  token: string;
  source: string;
}

const HEADERS = ["authorization", "api-key", "x-api-key", "x-goog-api-key"];
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
const SCHEME = /^(?:bearer|basic) +(?=[^ ])/i;

/** The one credential of a request. Throws RequestRefused for two that differ, and for a cookie from elsewhere. */
export function readCredential(method: string, headers: Headers, reading: Reading): Credential {
  if (reading.header !== undefined) {
    const token = only(given(headers, reading.header).map(withoutScheme));
    return token === "" ? { token, source: "none" } : { token, source: "header" };
  }
  const found = HEADERS.flatMap((source) =>
    given(headers, source).map((value) => ({
      token: source === "authorization" ? withoutScheme(value) : value,
      source,
    })),
  );
  if (found[0] !== undefined) {
    return { token: only(found.map(({ token }) => token)), source: found[0].source };
  }
  const token = readSessions(valuesOf(headers, "cookie"));
  if (token === "") {
    return { token, source: "none" };
  }
  // A browser sends its cookies with whatever a page of anybody makes it send, and lets it talk on a websocket.
  if (!SAFE_METHODS.has(method) || isHandshake(headers)) {
    const origins = valuesOf(headers, "origin");
    if (origins.length !== 1 || !reading.origins.has(origins[0] ?? "")) {
      throw new RequestRefused("origin_not_allowed");
    }
  }
  return { token, source: "cookie" };
}

function given(headers: Headers, name: string): string[] {
  return valuesOf(headers, name).filter((value) => value !== "");
}

function only(tokens: readonly string[]): string {
  if (tokens.some((each) => each !== tokens[0])) {
    throw new RequestRefused("credentials_ambiguous");
  }
  return tokens[0] ?? "";
}

function withoutScheme(value: string): string {
  return value.replace(SCHEME, "");
}
