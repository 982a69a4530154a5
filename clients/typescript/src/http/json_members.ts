import { isUtf8 } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import { ENOUGH, keep, meant } from "./names.js";

// Reads a few members of a JSON object and checks all the rest without building it. Whoever asks may send 32 MiB before
// anybody knows who they are: ten million empty objects would be a gigabyte of JavaScript objects; here they are none. And
// every name counts, so that none is hidden behind a second one of the same name.

/** Nothing that two readers would surely read alike. */
export class NotReadable extends Error {}

const MAX_DEPTH = 200;
const MAX_NUMBER = 1024;
/** Bytes of a name that may be one that is looked for: with every letter escaped. */
const LONGEST = 6 * ENOUGH;
/** Bytes that are looked at before others have their turn. */
const TURN = 256 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const WORDS = new Set(["true", "false", "null"]);

/**
 * The texts of the values that these names have, each as often as it is named, and twice where another name may be meant for
 * it. Rejects with NotReadable.
 */
export async function members(json: Buffer, names: ReadonlySet<string>): Promise<Map<string, Buffer[]>> {
  if (!isUtf8(json)) {
    throw new NotReadable();
  }
  const scanner = new Scanner(json, names);
  while (!scanner.goOn(TURN)) {
    await setImmediate();
  }
  return scanner.found;
}

type Expected = "value" | "value or end" | "name" | "name or end" | "colon" | "comma or end" | "nothing";

class Scanner {
  readonly found = new Map<string, Buffer[]>();
  readonly #json: Buffer;
  readonly #names: ReadonlySet<string>;
  #at = 0;
  #expected: Expected = "value";
  /** The kinds of what is open, from the outside in. */
  readonly #open: number[] = [];
  /** Where the text that is being read began; -1: none is. */
  #textAt = -1;
  /** The name whose value is being read, at the first level. */
  #name: string | undefined;
  #valueAt = 0;

  constructor(json: Buffer, names: ReadonlySet<string>) {
    this.#json = json;
    this.#names = names;
  }

  /** Looks at about so many bytes more, and says whether it has seen all of them. Throws NotReadable. */
  goOn(bytes: number): boolean {
    const json = this.#json;
    const until = Math.min(json.length, this.#at + bytes);
    while (this.#at < until) {
      if (this.#textAt >= 0) {
        this.#text(until);
        continue;
      }
      const byte = json[this.#at] ?? 0;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
        this.#at += 1;
      } else {
        this.#token(byte);
      }
    }
    if (this.#at < json.length) {
      return false;
    }
    if (this.#expected !== "nothing") {
      throw new NotReadable();
    }
    return true;
  }

  #token(byte: number): void {
    switch (this.#expected) {
      case "value or end":
        if (byte === CLOSE_LIST) {
          this.#close(OPEN_LIST);
          return;
        }
        this.#value(byte);
        return;
      case "value":
        this.#value(byte);
        return;
      case "name or end":
      case "name":
        if (byte === QUOTE) {
          this.#textAt = this.#at;
          this.#at += 1;
          return;
        }
        if (byte === CLOSE_OBJECT && this.#expected === "name or end") {
          this.#close(OPEN_OBJECT);
          return;
        }
        break;
      case "colon":
        if (byte === COLON) {
          this.#at += 1;
          this.#expected = "value";
          return;
        }
        break;
      case "comma or end":
        if (byte === COMMA) {
          this.#at += 1;
          this.#expected = this.#open.at(-1) === OPEN_LIST ? "value" : "name";
          return;
        }
        if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
          this.#close(byte === CLOSE_LIST ? OPEN_LIST : OPEN_OBJECT);
          return;
        }
        break;
    }
    throw new NotReadable();
  }

  #value(byte: number): void {
    if (this.#open.length === 1) {
      this.#valueAt = this.#at;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      // Only an object has members.
      if ((this.#open.length === 0 && byte !== OPEN_OBJECT) || this.#open.length >= MAX_DEPTH) {
        throw new NotReadable();
      }
      this.#open.push(byte);
      this.#at += 1;
      this.#expected = byte === OPEN_OBJECT ? "name or end" : "value or end";
    } else if (this.#open.length === 0) {
      throw new NotReadable();
    } else if (byte === QUOTE) {
      this.#textAt = this.#at;
      this.#at += 1;
    } else {
      this.#word();
    }
  }

  #word(): void {
    const begin = this.#at;
    let end = begin;
    while (isOfWord(this.#json[end]) && end - begin <= MAX_NUMBER) {
      end += 1;
    }
    const word = this.#json.toString("latin1", begin, end);
    if (end - begin > MAX_NUMBER || (!NUMBER.test(word) && !WORDS.has(word))) {
      throw new NotReadable();
    }
    this.#at = end;
    this.#ended();
  }

  #text(until: number): void {
    const json = this.#json;
    let at = this.#at;
    for (; at < until; at += 1) {
      const byte = json[at] ?? 0;
      if (byte === QUOTE) {
        this.#at = at + 1;
        this.#textEnded();
        return;
      }
      if (byte === BACKSLASH) {
        at += escapeLength(json, at) - 1;
      } else if (byte < 0x20) {
        throw new NotReadable();
      }
    }
    this.#at = at;
  }

  #textEnded(): void {
    const begin = this.#textAt;
    this.#textAt = -1;
    if (this.#expected === "name" || this.#expected === "name or end") {
      this.#expected = "colon";
      if (this.#open.length === 1) {
        this.#name = this.#at - begin - 2 > LONGEST ? undefined : textOf(this.#json.subarray(begin, this.#at));
      }
    } else {
      this.#ended();
    }
  }

  #close(kind: number): void {
    if (this.#open.pop() !== kind) {
      throw new NotReadable();
    }
    this.#at += 1;
    this.#ended();
  }

  /** A value has ended here. */
  #ended(): void {
    this.#expected = this.#open.length === 0 ? "nothing" : "comma or end";
    const known = this.#open.length === 1 && this.#name !== undefined ? meant(this.#name, this.#names) : undefined;
    if (this.#name !== undefined && known !== undefined) {
      keep(this.found, this.#name, known, this.#json.subarray(this.#valueAt, this.#at));
    }
  }
}

/** The text of a JSON string that was checked. */
export function textOf(json: Buffer): string {
  return String(JSON.parse(json.toString("utf8")));
}

function isOfWord(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    ((byte >= 0x30 && byte <= 0x39) ||
      (byte >= 0x61 && byte <= 0x7a) ||
      (byte >= 0x41 && byte <= 0x5a) ||
      byte === 0x2b ||
      byte === 0x2d ||
      byte === 0x2e)
  );
}

function escapeLength(json: Buffer, at: number): number {
  const kind = String.fromCharCode(json[at + 1] ?? 0);
  if ('"\\/bfnrt'.includes(kind)) {
    return 2;
  }
  if (kind === "u" && /^[0-9a-fA-F]{4}$/.test(json.toString("latin1", at + 2, at + 6))) {
    return 6;
  }
  throw new NotReadable();
}
