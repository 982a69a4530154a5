package dev.usherd;

/** A question that is being watched, until it is closed. */
public interface Watching extends AutoCloseable {

  /** Ends it: no event begins after that. */
  @Override
  void close();
}
