/** Characters of a name that are looked at: more than any that counts has. */
export const ENOUGH = 40;

/**
 * The one of these lower-case names that some reader takes a name for: Go and .NET make nothing of its case, and Express and
 * PHP read `model[]` and `[model]` in forms as `model`.
 */
export function meant(name: string, names: ReadonlySet<string>): string | undefined {
  if (names.has(name)) {
    return name;
  }
  const unbracketed = /^\[*([^[\]]*)/.exec(name.slice(0, ENOUGH))?.[1] ?? "";
  // Upper case first: it makes ASCII's "S" of the long "s", and lower case "k" of the sign of Kelvin.
  const bare = unbracketed.toUpperCase().toLowerCase();
  return names.has(bare) ? bare : undefined;
}

/** Keeps a value under the name that is meant: twice, where only some readers take it for that one. */
export function keep<T>(found: Map<string, T[]>, name: string, known: string, value: T): void {
  const values = found.get(known) ?? [];
  values.push(...(name === known ? [value] : [value, value]));
  found.set(known, values);
}
