package dev.usherd;

import java.util.Objects;
import java.util.Optional;

/** What became of one question of a batch: a decision, or a fault in its place. */
public final class BatchResult {

  private final Decision decision;
  private final UsherFault fault;

  private BatchResult(Decision decision, UsherFault fault) {
    this.decision = decision;
    this.fault = fault;
  }

  /**
   * There is a decision, allowed or denied.
   *
   * @param decision the decision
   * @return the result
   */
  public static BatchResult of(Decision decision) {
    return new BatchResult(Objects.requireNonNull(decision, "decision"), null);
  }

  /**
   * There is no decision.
   *
   * @param fault why
   * @return the result
   */
  public static BatchResult of(UsherFault fault) {
    return new BatchResult(null, Objects.requireNonNull(fault, "fault"));
  }

  /**
   * Whether what is asked for may pass.
   *
   * @return false for a denial, and for a fault
   */
  public boolean allowed() {
    return decision != null && decision.allowed();
  }

  /**
   * The decision.
   *
   * @return empty: there is none, and {@link #fault()} says why
   */
  public Optional<Decision> decision() {
    return Optional.ofNullable(decision);
  }

  /**
   * The fault that stands in the place of a decision.
   *
   * @return empty: there is a decision
   */
  public Optional<UsherFault> fault() {
    return Optional.ofNullable(fault);
  }

  /**
   * What a log may have: no claim, no question.
   *
   * @return that of the decision or the fault
   */
  @Override
  public String toString() {
    return decision != null ? decision.toString() : fault.toString();
  }
}
