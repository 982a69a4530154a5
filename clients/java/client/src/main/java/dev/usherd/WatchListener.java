package dev.usherd;

/** Is told what becomes of a question, one event after another, on a thread that may be kept. */
@FunctionalInterface
public interface WatchListener {

  /**
   * Something has become of it. After {@link WatchEvent.Ended} and {@link WatchEvent.Unknown} nothing more comes.
   *
   * @param event what
   */
  void onEvent(WatchEvent event);

  /**
   * There is no first decision, so that there is nothing to watch. Nothing more comes.
   *
   * @param fault why; a gateway fails closed on it
   */
  default void onFault(UsherFault fault) {}
}
