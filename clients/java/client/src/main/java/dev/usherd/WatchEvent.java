package dev.usherd;

import java.time.Instant;
import java.util.Optional;

/**
 * What has become of a question that is watched.
 *
 * <p>A request that streams is cut at the first event that is not {@linkplain #allowed() allowed}.
 */
public sealed interface WatchEvent {

  /**
   * Whether what is asked for may go on after this event.
   *
   * @return false after a denial, an end, and when nothing could be learned
   */
  boolean allowed();

  /**
   * The decision that holds now, if the event has one.
   *
   * @return the decision
   */
  Optional<Decision> holding();

  /**
   * The first decision; and again after a break, if the question had to be asked anew and the answer differs.
   *
   * @param decision the decision
   */
  record Decided(Decision decision) implements WatchEvent {
    @Override
    public boolean allowed() {
      return decision.allowed();
    }

    @Override
    public Optional<Decision> holding() {
      return Optional.of(decision);
    }
  }

  /**
   * There is another decision, allowed or denied. A block can be lifted, so it goes on.
   *
   * @param decision the new one
   * @param cause the contract's Cause without its prefix, such as "DIRECTORY"; UNSPECIFIED where nobody said
   */
  record Changed(Decision decision, String cause) implements WatchEvent {
    @Override
    public boolean allowed() {
      return decision.allowed();
    }

    @Override
    public Optional<Decision> holding() {
      return Optional.of(decision);
    }
  }

  /**
   * The decision ends soon.
   *
   * @param endsAt when
   * @param cause the contract's Cause without its prefix
   * @param allowed whether it is an allowance that ends
   */
  record Expiring(Instant endsAt, String cause, boolean allowed) implements WatchEvent {
    @Override
    public Optional<Decision> holding() {
      return Optional.empty();
    }
  }

  /**
   * The decision has ended for good. The last event.
   *
   * @param decision the denial that holds instead
   * @param cause the contract's Cause without its prefix
   */
  record Ended(Decision decision, String cause) implements WatchEvent {
    @Override
    public boolean allowed() {
      return false;
    }

    @Override
    public Optional<Decision> holding() {
      return Optional.of(decision);
    }
  }

  /**
   * Nothing could be learned in time. The last event.
   *
   * @param fault what the last attempt to ask ended with
   */
  record Unknown(UsherFault fault) implements WatchEvent {
    @Override
    public boolean allowed() {
      return false;
    }

    @Override
    public Optional<Decision> holding() {
      return Optional.empty();
    }
  }
}
