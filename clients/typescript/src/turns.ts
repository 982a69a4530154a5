/** Calls that begin in one moment at most; then one each millisecond. A server refuses what comes faster than it is taken up. */
const AT_ONCE = 24;

/** Lets calls begin, in the order in which they came. Whoever gives up makes nobody behind him wait. */
export class Turns {
  readonly #waiting = new Set<() => void>();
  #free = AT_ONCE;
  #countedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** Begins now, or late: then it must not throw. Returns what gives the turn up. */
  take(begin: (late: boolean) => void): () => void {
    this.#count();
    if (this.#waiting.size === 0 && this.#free >= 1) {
      this.#free -= 1;
      begin(false);
      return () => undefined;
    }
    const turn = (): void => begin(true);
    this.#waiting.add(turn);
    this.#timer ??= setTimeout(() => this.#next(), 1);
    return () => {
      this.#waiting.delete(turn);
      if (this.#waiting.size === 0) {
        this.#rest();
      }
    };
  }

  /** Begins all that wait. */
  hurry(): void {
    this.#rest();
    for (const turn of this.#waiting) {
      this.#waiting.delete(turn);
      turn();
    }
  }

  #next(): void {
    this.#timer = undefined;
    this.#count();
    for (const turn of this.#waiting) {
      if (this.#free < 1) {
        this.#timer ??= setTimeout(() => this.#next(), 1);
        return;
      }
      this.#free -= 1;
      this.#waiting.delete(turn);
      turn();
    }
  }

  #count(): void {
    const now = performance.now();
    this.#free = Math.min(AT_ONCE, this.#free + now - this.#countedAt);
    this.#countedAt = now;
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
