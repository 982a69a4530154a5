/**
 * A moment that time is counted from. Both clocks count, and the one that went on further: `performance.now()` stands still
 * while a machine sleeps, and the wall clock may be set back.
 */
export class Moment {
  readonly #steady = performance.now();
  readonly #wall = Date.now();

  /** Milliseconds since then. */
  passed(): number {
    return Math.max(performance.now() - this.#steady, Date.now() - this.#wall);
  }
}
