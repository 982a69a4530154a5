package dev.usherd;

import java.time.Duration;
import java.util.Optional;

/**
 * No decision could be made: never a denial, never an allowance. A gateway fails closed on it.
 *
 * <p>Its text is a constant: it never has a token, a question, or what a server wrote.
 */
public final class UsherFault extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** What kind of fault it is. */
  public enum Kind {
    /** The gateway sent something that only a gateway controls and that is wrong. Do not retry. */
    INVALID_REQUEST("the request is not valid"),
    /** The request does not fit the state of this server, such as a revision of another store. */
    PRECONDITION("the request does not fit the server's state"),
    /** The gateway has not shown who it is. */
    CALLER_UNKNOWN("the caller has not shown who it is"),
    /** The gateway itself may not make this call. */
    CALLER_NOT_ALLOWED("the caller may not make this call"),
    /** The server, or what it needs for a decision, is out of reach or too old. Asking later may help. */
    UNAVAILABLE("not available"),
    /** The server has as much work as it takes on, or a message was larger than one side takes. */
    OVERLOADED("too much work or too large"),
    /** The deadline came before a decision. */
    OUT_OF_TIME("the deadline came before a decision"),
    /** The server answered OK with something that is no decision by the contract. */
    BAD_ANSWER("the answer is not a decision"),
    /** A bug in the server, or a status that usherd does not answer with. */
    INTERNAL("internal error"),
    /** The client was closed before the answer came. */
    CLOSED("the client is closed"),
    /** The waiting thread was interrupted; its interrupt flag is set again. */
    INTERRUPTED("the waiting thread was interrupted");

    private final String text;

    Kind(String text) {
      this.text = text;
    }
  }

  /** What kind of fault it is. */
  private final Kind kind;

  /** The contract's word; empty: none. */
  private final String reason;

  /** The server's advice; null: none. */
  private final Duration retryAfter;

  /**
   * A fault without reason and advice.
   *
   * @param kind what kind of fault
   */
  public UsherFault(Kind kind) {
    this(kind, "", null);
  }

  /**
   * A fault.
   *
   * @param kind what kind of fault
   * @param reason the contract's FaultReason without its prefix; empty: none
   * @param retryAfter how long to wait before asking again; null: no advice
   */
  public UsherFault(Kind kind, String reason, Duration retryAfter) {
    super(reason.isEmpty() ? kind.text : kind.text + " (" + reason + ")");
    this.kind = kind;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }

  /**
   * What kind of fault it is.
   *
   * @return the kind
   */
  public Kind kind() {
    return kind;
  }

  /**
   * The contract's FaultReason without its prefix.
   *
   * @return a word such as "KEYS_UNAVAILABLE"; empty when none was sent
   */
  public String reason() {
    return reason;
  }

  /**
   * How long the server advises to wait before asking again.
   *
   * @return 0 to 3600 s; empty: no advice
   */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(retryAfter);
  }

  /** The same fault, with the stack of whoever waited for it. */
  UsherFault here() {
    return new UsherFault(kind, reason, retryAfter);
  }
}
