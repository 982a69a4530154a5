package dev.usherd;

import java.time.Duration;
import java.util.Objects;

/**
 * What a gateway may want besides the decision. Immutable: each method gives another one.
 *
 * <p>A call that asks for an explanation or a freshness passes the cache by.
 */
public final class AskOptions {

  private static final Duration MAX_DEADLINE = Duration.ofSeconds(60);
  private static final AskOptions DEFAULTS = new AskOptions(Duration.ofSeconds(1), false, "", "");

  private final Duration deadline;
  private final boolean explain;
  private final String requestId;
  private final String atLeastAsFresh;

  private AskOptions(Duration deadline, boolean explain, String requestId, String atLeastAsFresh) {
    this.deadline = deadline;
    this.explain = explain;
    this.requestId = requestId;
    this.atLeastAsFresh = atLeastAsFresh;
  }

  /**
   * A deadline of 1 s, and nothing else.
   *
   * @return the options of a call that names none
   */
  public static AskOptions defaults() {
    return DEFAULTS;
  }

  /**
   * How long to wait for the decision.
   *
   * @param deadline more than 0 and at most 60 s
   * @return these options with that deadline
   * @throws IllegalArgumentException for any other
   */
  public AskOptions deadline(Duration deadline) {
    if (deadline.isNegative() || deadline.isZero() || deadline.compareTo(MAX_DEADLINE) > 0) {
      throw new IllegalArgumentException("deadline: expected more than 0 and at most 60 s");
    }
    return new AskOptions(deadline, explain, requestId, atLeastAsFresh);
  }

  /**
   * Asks for the explanation, which only some callers may see.
   *
   * @param explain true: do explain
   * @return these options with that
   */
  public AskOptions explain(boolean explain) {
    return new AskOptions(deadline, explain, requestId, atLeastAsFresh);
  }

  /**
   * The gateway's own id of the request, for the server's logs.
   *
   * @param requestId printable ASCII, at most 128 bytes
   * @return these options with that id
   */
  public AskOptions requestId(String requestId) {
    return new AskOptions(deadline, explain, Objects.requireNonNull(requestId), atLeastAsFresh);
  }

  /**
   * A revision that the answer must be at least as fresh as.
   *
   * @param revision a {@link Decision#revision()}
   * @return these options with that revision
   */
  public AskOptions atLeastAsFresh(String revision) {
    return new AskOptions(deadline, explain, requestId, Objects.requireNonNull(revision));
  }

  Duration deadline() {
    return deadline;
  }

  boolean passesTheCache() {
    return explain || !atLeastAsFresh.isEmpty();
  }

  dev.usherd.v1.Options message() {
    return dev.usherd.v1.Options.newBuilder()
        .setExplain(explain)
        .setRequestId(requestId)
        .setAtLeastAsFresh(atLeastAsFresh)
        .build();
  }
}
