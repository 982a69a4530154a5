package dev.usherd;

/**
 * That a client keeps decisions, and how many.
 *
 * <p>A kept decision is served as long as the server keeps it true: see {@code docs/clients.md}.
 *
 * @param size the most decisions, 1 to 10,000
 */
public record DecisionCache(int size) {

  /** The most decisions that a stream of the server takes. */
  public static final int LARGEST = 10_000;

  /**
   * A cache of that size.
   *
   * @param size the most decisions, 1 to 10,000
   * @throws IllegalArgumentException for any other
   */
  public DecisionCache {
    if (size < 1 || size > LARGEST) {
      throw new IllegalArgumentException("size: expected 1 to 10000");
    }
  }

  /**
   * A cache of that size.
   *
   * @param size the most decisions, 1 to 10,000
   * @return the cache's configuration
   */
  public static DecisionCache ofSize(int size) {
    return new DecisionCache(size);
  }

  /**
   * A cache of 10,000 decisions.
   *
   * @return the cache's configuration
   */
  public static DecisionCache enabled() {
    return new DecisionCache(LARGEST);
  }
}
