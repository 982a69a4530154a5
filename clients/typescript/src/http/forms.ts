import { isUtf8 } from "node:buffer";
import { NotReadable } from "./json_members.js";
import { ENOUGH, keep, meant } from "./names.js";
import { trimmed } from "./reading.js";

// Reads the fields of HTML forms, and nothing out of one that two readers could read in two ways.

const MAX_FIELDS = 10_000;
const MAX_PARTS = 1000;
const MAX_HEADING = 8192;
/** Bytes of a name that may be one that is looked for: with every character escaped, and of three bytes. */
const LONGEST = 9 * ENOUGH;

const BOUNDARY =
  /;[ \t]*boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])"|([0-9A-Za-z'+_.-]{1,70}))[ \t]*(?=;|$)/i;
const DISPOSITION = /^form-data((?:[ \t]*;[ \t]*[a-z]+\*?=(?:"(?:[^"\\\r\n]|\\.)*"|[^\s";,]+))+)[ \t]*$/i;
const PARAMETER = /;[ \t]*([a-z]+\*?)=("(?:[^"\\\r\n]|\\.)*"|[^\s";,]+)/gi;
const PLAIN_NAME = /^"([^"\\%]*)"$/;
const PLAIN_TEXT = /^text\/plain(?:[ \t]*;[ \t]*charset="?utf-8"?)?$/i;

/** The texts of the fields of these names, in an `application/x-www-form-urlencoded` body. Throws NotReadable. */
export function urlencodedFields(body: Buffer, names: ReadonlySet<string>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let at = 0;
  for (let count = 0; at <= body.length; count += 1) {
    if (count === MAX_FIELDS) {
      throw new NotReadable();
    }
    const end = indexOr(body, "&", at, body.length);
    const pair = body.subarray(at, end);
    const equals = indexOr(pair, "=", 0, pair.length);
    const name = equals <= LONGEST ? plusDecoded(pair.subarray(0, equals)) : beginning(pair.subarray(0, LONGEST));
    const known = meant(name, names);
    if (known !== undefined) {
      keep(found, name, known, plusDecoded(pair.subarray(equals + 1)));
    }
    at = end + 1;
  }
  return found;
}

/**
 * The texts of the fields of these names, in a `multipart/form-data` body. Throws NotReadable, also where a file has such a
 * name, or where something that looks like a boundary is none.
 */
export function multipartFields(body: Buffer, type: string, names: ReadonlySet<string>): Map<string, string[]> {
  const [, quoted, bare] = BOUNDARY.exec(type) ?? [];
  const boundary = quoted ?? bare;
  if (boundary === undefined || type.toLowerCase().split("boundary").length !== 2) {
    throw new NotReadable();
  }
  const dashed = Buffer.from(`--${boundary}`, "latin1");
  const found = new Map<string, string[]>();
  if (body.indexOf(dashed) !== 0) {
    throw new NotReadable();
  }
  let at = dashed.length;
  for (let count = 0; count < MAX_PARTS; count += 1) {
    const next = body.toString("latin1", at, at + 2);
    if (next === "--") {
      if (!["", "\r\n"].includes(body.toString("latin1", at + 2, at + 5))) {
        break;
      }
      return found;
    }
    const end = body.indexOf(dashed, at);
    const blank = body.subarray(at, at + MAX_HEADING + 4).indexOf("\r\n\r\n") + at;
    // A lenient reader takes a boundary behind a bare line feed for one, so that all have to be as they should.
    if (next !== "\r\n" || blank < at || end - 2 < blank + 4 || body.toString("latin1", end - 2, end) !== "\r\n") {
      break;
    }
    const { name, isText } = heading(body.subarray(at + 2, blank));
    const known = meant(name, names);
    if (known !== undefined) {
      if (!isText) {
        break;
      }
      keep(found, name, known, decoded(body.subarray(blank + 4, end - 2)));
    }
    at = end + dashed.length;
  }
  throw new NotReadable();
}

function heading(bytes: Buffer): { name: string; isText: boolean } {
  const dispositions: string[] = [];
  let isText = true;
  for (const line of decoded(bytes).split("\r\n")) {
    const colon = line.indexOf(":");
    const value = trimmed(line.slice(colon + 1));
    switch (line.slice(0, Math.max(colon, 0)).toLowerCase()) {
      case "content-disposition":
        dispositions.push(value);
        break;
      case "content-type":
        isText &&= PLAIN_TEXT.test(value);
        break;
      default:
        // content-transfer-encoding among them: a text that is encoded once more
        isText = false;
    }
  }
  const form = dispositions.length === 1 ? DISPOSITION.exec(dispositions[0] ?? "") : null;
  const parameters = [...(form?.[1] ?? "").matchAll(PARAMETER)];
  const named = parameters.filter(([, parameter]) => parameter?.toLowerCase() === "name");
  const name = named.length === 1 ? PLAIN_NAME.exec(named[0]?.[2] ?? "")?.[1] : undefined;
  if (name === undefined) {
    throw new NotReadable();
  }
  return { name, isText: isText && parameters.length === 1 };
}

function indexOr(bytes: Buffer, byte: string, from: number, otherwise: number): number {
  const at = bytes.indexOf(byte, from);
  return at < 0 ? otherwise : at;
}

function plusDecoded(bytes: Buffer): string {
  const text = decoded(bytes).replaceAll("+", " ");
  try {
    return decodeURIComponent(text);
  } catch {
    throw new NotReadable();
  }
}

/** What a name begins with that is longer than any that is looked for: it may end within a character. */
function beginning(bytes: Buffer): string {
  return bytes.toString("latin1").replace(/(?:%[0-9a-fA-F]{2})+/g, (escaped) =>
    Buffer.from(escaped.replaceAll("%", ""), "hex").toString("utf8"),
  );
}

function decoded(bytes: Buffer): string {
  if (!isUtf8(bytes)) {
    throw new NotReadable();
  }
  return bytes.toString("utf8");
}
