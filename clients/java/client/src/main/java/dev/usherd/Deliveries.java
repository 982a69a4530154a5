package dev.usherd;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** Runs what has to be told one by one and in order, on other threads than those that hear it. */
final class Deliveries {

  /** So many may wait; a listener that lets more wait is not told the rest, but that it is unknown. */
  private static final int MOST = 64;

  private final Executor executor;
  private final Queue<Runnable> waiting = new ArrayDeque<>();
  private boolean running;
  private boolean over;

  Deliveries(Executor executor) {
    this.executor = executor;
  }

  /** Returns false when too much waits. */
  synchronized boolean add(Runnable telling) {
    if (over) {
      return true;
    }
    if (waiting.size() >= MOST) {
      return false;
    }
    waiting.add(telling);
    if (!running) {
      running = true;
      try {
        executor.execute(this::run);
      } catch (RejectedExecutionException closed) {
        // The client is closed: whoever began to listen is told so all the same.
        Thread late = new Thread(this::run, "usherd-listener");
        late.setDaemon(true);
        late.start();
      }
    }
    return true;
  }

  /** Forgets what waits. */
  synchronized void clear() {
    waiting.clear();
  }

  /** Nothing begins after that. */
  synchronized void end() {
    over = true;
    waiting.clear();
  }

  private void run() {
    for (Runnable next = next(); next != null; next = next()) {
      try {
        next.run();
      } catch (Throwable theirs) {
        // Whatever a listener throws, it is told what comes after that: it may be a denial.
        Thread current = Thread.currentThread();
        try {
          current.getUncaughtExceptionHandler().uncaughtException(current, theirs);
        } catch (Throwable handlers) {
          // There is nobody left to tell.
        }
      }
    }
  }

  private synchronized Runnable next() {
    Runnable next = waiting.poll();
    running = next != null;
    return next;
  }
}
