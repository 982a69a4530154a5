import type { HttpAnswer } from "./errors.js";
import { RequestRefused, trimmed } from "./reading.js";

// Session cookies of LiteLLM's user interface: `litellm_ui_token_<number>`, of which the greatest number counts.

const PREFIX = "litellm_ui_token_";
const NUMBER = /^[0-9]{1,20}$/;
const COOKIE_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const LOCATION = /^\/(?:[!-.0-\[\]-~][!-\[\]-~]*)?$/;
// What browsers keep: a larger one is dropped without a word, and the user asked to log in for ever.
const MAX_COOKIE = 4096;
const MAX_CLEARED = 100;
const ATTRIBUTES = "Secure; HttpOnly; SameSite=Strict";

/**
 * The token of the session cookie that counts, out of all `cookie` headers. Empty: there is none. Throws RequestRefused where
 * one name, or one number, has two values.
 */
export function readSessions(cookies: readonly string[]): string {
  const byName = new Map<string, string>();
  const byNumber = new Map<bigint, string>();
  for (const [name, value] of sessionPairs(cookies)) {
    once(byName, name, value);
    const suffix = name.slice(PREFIX.length);
    if (NUMBER.test(suffix)) {
      once(byNumber, BigInt(suffix), value);
    }
  }
  const names = [...byName.keys()];
  if (names.every((each) => NUMBER.test(each.slice(PREFIX.length)))) {
    return greatest(byNumber, (one, other) => one > other) ?? "";
  }
  return greatest(byName, isBehind) ?? "";
}

/**
 * Sets a session as a cookie and sends the browser on to a place of this site; `now` is Unix time in seconds. Throws
 * TypeError, whose text never has the token, for one that is no compact JWS or larger than browsers keep, and for a
 * location that may be on another site.
 */
export function setSession(token: string, now: number, location: string): HttpAnswer {
  if (!COMPACT_JWS.test(token)) {
    throw new TypeError("token: expected a compact JWS");
  }
  if (!LOCATION.test(location)) {
    throw new TypeError("location: expected a path of this site, in printable ASCII");
  }
  const name = `${PREFIX}${Math.floor(now)}`;
  if (name.length + token.length > MAX_COOKIE) {
    throw new TypeError("token: larger than what browsers keep in a cookie");
  }
  return {
    status: 303,
    headers: [
      ["location", location],
      ["set-cookie", `${name}=${token}; Path=/; ${ATTRIBUTES}`],
      ["cache-control", "no-store"],
    ],
    body: "",
  };
}

/**
 * The headers that clear every session cookie that these `cookie` headers have, on both of its paths. At most 100 names: no
 * browser sends more.
 */
export function clearSessions(cookies: readonly string[]): [string, string][] {
  const names = new Set([...sessionPairs(cookies)].map(([name]) => name).filter((name) => COOKIE_NAME.test(name)));
  return [...names]
    .slice(0, MAX_CLEARED)
    .flatMap((name) =>
      ["/", "/ui"].map((path): [string, string] => [
        "set-cookie",
        `${name}=; Path=${path}; Max-Age=0; ${ATTRIBUTES}`,
      ]),
    );
}

function* sessionPairs(cookies: readonly string[]): Iterable<[string, string]> {
  for (const header of cookies) {
    for (const pair of header.split(";")) {
      const equals = pair.indexOf("=");
      const name = pair.slice(0, Math.max(equals, 0)).replace(/^[ \t]+/, "");
      if (name.startsWith(PREFIX)) {
        const value = trimmed(pair.slice(equals + 1));
        yield [name, value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value];
      }
    }
  }
}

function once<K>(found: Map<K, string>, key: K, value: string): void {
  if ((found.get(key) ?? value) !== value) {
    throw new RequestRefused("credentials_ambiguous");
  }
  found.set(key, value);
}

function greatest<K>(found: Map<K, string>, behind: (one: K, other: K) => boolean): string | undefined {
  let best: [K, string] | undefined;
  for (const each of found) {
    if (best === undefined || behind(each[0], best[0])) {
      best = each;
    }
  }
  return best?.[1];
}

/** Whether one text is behind another by code points, which is not the order of JavaScript's own units. */
function isBehind(one: string, other: string): boolean {
  return Buffer.compare(Buffer.from(one), Buffer.from(other)) > 0;
}
