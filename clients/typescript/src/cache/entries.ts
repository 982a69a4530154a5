import type { Decision } from "../decision.js";

/** A decision that is held, in its place between one that was used before it and one that was used after it. */
export interface Entry {
  readonly key: string;
  readonly id: number;
  decision: Decision;
  /** Milliseconds since 1970. */
  validUntil: number;
  older: Entry;
  newer: Entry;
}

/** The decisions that are held, by question and by subscription, in the order of their last use. */
export class Entries {
  readonly #byKey = new Map<string, Entry>();
  readonly #byId = new Map<number, Entry>();
  // A ring: behind it is the oldest, before it the newest.
  readonly #hinge = {} as Entry;

  constructor() {
    this.clear();
  }

  get size(): number {
    return this.#byKey.size;
  }

  byKey(key: string): Entry | undefined {
    return this.#byKey.get(key);
  }

  byId(id: number): Entry | undefined {
    return this.#byId.get(id);
  }

  /** The one that was not used for the longest time. */
  get oldest(): Entry | undefined {
    return this.size === 0 ? undefined : this.#hinge.newer;
  }

  add(key: string, id: number, decision: Decision, validUntil: number): void {
    const entry = { key, id, decision, validUntil } as Entry;
    this.#byKey.set(key, entry);
    this.#byId.set(id, entry);
    this.#append(entry);
  }

  /** It was just used. */
  used(entry: Entry): void {
    if (entry.newer !== this.#hinge) {
      entry.older.newer = entry.newer;
      entry.newer.older = entry.older;
      this.#append(entry);
    }
  }

  remove(entry: Entry): void {
    this.#byKey.delete(entry.key);
    this.#byId.delete(entry.id);
    entry.older.newer = entry.newer;
    entry.newer.older = entry.older;
  }

  clear(): void {
    this.#byKey.clear();
    this.#byId.clear();
    this.#hinge.older = this.#hinge;
    this.#hinge.newer = this.#hinge;
  }

  #append(entry: Entry): void {
    entry.older = this.#hinge.older;
    entry.newer = this.#hinge;
    entry.older.newer = entry;
    this.#hinge.older = entry;
  }
}
