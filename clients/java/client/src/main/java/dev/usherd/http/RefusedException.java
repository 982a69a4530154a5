package dev.usherd.http;

/** The request is refused without asking anybody. Its text has nothing of the request. */
public final class RefusedException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** Why it is refused. */
  private final Refusal refusal;

  /**
   * A refusal.
   *
   * @param refusal why
   */
  public RefusedException(Refusal refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }

  /**
   * Why it is refused.
   *
   * @return the refusal, for {@link HttpAnswer#refused(Refusal)}
   */
  public Refusal refusal() {
    return refusal;
  }
}
