const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;
/** Milliseconds after which a stream was a good one. */
const LASTING = 5_000;

/** When a stream that is over is opened anew: later each time, and soon again after one that lasted. */
export class Reopening {
  #timer: NodeJS.Timeout | undefined;
  #openedAt = 0;
  #pause = FIRST_PAUSE;

  /** Whether one is waited for. */
  get waits(): boolean {
    return this.#timer !== undefined;
  }

  /** A stream is opened now. */
  opened(): void {
    this.#openedAt = performance.now();
  }

  /** The stream is over. Keeps no process from ending. */
  later(open: () => void): void {
    const lasted = performance.now() - this.#openedAt >= LASTING;
    const pause = lasted ? FIRST_PAUSE : this.#pause;
    this.#pause = Math.min(pause * 2, LONGEST_PAUSE);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      open();
    }, pause * (0.8 + 0.4 * Math.random()));
    this.#timer.unref();
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
