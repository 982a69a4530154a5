package dev.usherd;

import java.util.Objects;

/** The models are not listed: the question is denied, whatever the model. It is an answer, and no {@link UsherFault}. */
public final class ListDenied extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** The denial; lost where somebody serializes this. */
  private final transient Decision denial;

  /**
   * A denial in the place of a list.
   *
   * @param denial the denial
   */
  public ListDenied(Decision denial) {
    super("the list is denied (" + denial.reason() + ")");
    if (denial.allowed()) {
      throw new IllegalArgumentException("denial: expected one");
    }
    this.denial = Objects.requireNonNull(denial);
  }

  /**
   * Why.
   *
   * @return the denial
   */
  public Decision denial() {
    return denial;
  }

  /** The same, with the stack of whoever waited for it. */
  ListDenied here() {
    return new ListDenied(denial);
  }
}
