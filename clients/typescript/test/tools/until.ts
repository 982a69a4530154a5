import { setTimeout } from "node:timers/promises";

/** Waits for something to become true, for at most so many milliseconds. */
export async function until(what: () => boolean | Promise<boolean>, milliseconds = 20_000): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!(await what())) {
    if (performance.now() > end) {
      throw new Error(`not so after ${milliseconds} ms: ${what.toString()}`);
    }
    await setTimeout(5);
  }
}
