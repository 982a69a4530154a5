package dev.usherd.servlet;

import dev.usherd.AskOptions;
import dev.usherd.Question;
import dev.usherd.UsherFault;
import dev.usherd.Usherd;
import dev.usherd.WatchEvent;
import dev.usherd.WatchListener;
import dev.usherd.Watching;
import dev.usherd.http.HttpAnswer;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;

/** Knows whether an answer may go on, and ends it once it may not. */
final class Cut implements WatchListener {

  /** An answer in parts that takes longer than this is watched, even if nothing says that it is a stream. */
  private static final long LASTING = 1_000_000_000L;

  /** A watch that has no first decision by then knows nothing. The request was allowed just now, so it may take longer. */
  private static final Duration FIRST_WORD = Duration.ofSeconds(5);

  private final Usherd usherd;
  private final Question question;
  private final AskOptions options;
  private final long begun = System.nanoTime();

  /** Whoever writes to the answer has it. */
  final ReentrantLock writing = new ReentrantLock();

  private volatile boolean made;
  private volatile HttpAnswer answer;
  private volatile String event;
  private volatile CutStream stream;
  private volatile AsyncContext async;
  private final AtomicBoolean left = new AtomicBoolean();
  private boolean over;
  private boolean watching;
  private boolean closed;
  private Watching watch;

  Cut(Usherd usherd, Question question, AskOptions options) {
    this.usherd = usherd;
    this.question = question;
    this.options = options;
  }

  boolean isMade() {
    return made;
  }

  /** The whole answer, if none has begun. */
  HttpAnswer answer() {
    return answer;
  }

  /** What a stream of events ends with. */
  String event() {
    return event;
  }

  void watch() {
    synchronized (this) {
      if (watching || closed) {
        return;
      }
      watching = true;
    }
    Watching begunNow = usherd.watch(question, options.deadline(FIRST_WORD), this);
    synchronized (this) {
      watch = begunNow;
      if (!closed) {
        return;
      }
    }
    begunNow.close();
  }

  /** Something is about to be written: what lasts is watched. */
  void goesOn(String contentType) {
    if (isEvents(contentType) || System.nanoTime() - begun > LASTING) {
      watch();
    }
  }

  static boolean isEvents(String contentType) {
    return contentType != null && contentType.trim().toLowerCase(Locale.ROOT).startsWith("text/event-stream");
  }

  /** The answer goes out by that stream. */
  void writesTo(CutStream stream) {
    this.stream = stream;
  }

  /** The answer is over. */
  void close() {
    Watching open;
    synchronized (this) {
      closed = true;
      open = watch;
    }
    if (open != null) {
      open.close();
    }
    // The container may use the answer for another request from now on.
    writing.lock();
    over = true;
    writing.unlock();
  }

  /** The answer goes on after the application has returned. */
  void endWith(AsyncContext lasting) {
    lasting.addListener(
        new AsyncListener() {
          @Override
          public void onComplete(AsyncEvent event) {
            close();
          }

          @Override
          public void onTimeout(AsyncEvent event) {
            // Its end is told as well.
          }

          @Override
          public void onError(AsyncEvent event) {
            close();
          }

          @Override
          public void onStartAsync(AsyncEvent event) {
            event.getAsyncContext().addListener(this);
          }
        });
    async = lasting;
    endIfMade();
  }

  @Override
  public void onEvent(WatchEvent told) {
    if (told instanceof WatchEvent.Unknown unknown) {
      onFault(unknown.fault());
    } else if (!told.allowed()) {
      told.holding().ifPresent(denial -> make(HttpAnswer.denied(denial), HttpAnswer.cut(denial)));
    }
  }

  @Override
  public void onFault(UsherFault fault) {
    make(HttpAnswer.fault(fault), HttpAnswer.cut(null));
  }

  private void make(HttpAnswer whole, String lastEvent) {
    if (made) {
      return;
    }
    answer = whole;
    event = lastEvent;
    made = true;
    endIfMade();
  }

  /** Ends the answer, unless somebody is writing right now, who then does it. */
  void endIfMade() {
    if (!made) {
      return;
    }
    CutStream out = stream;
    if (out != null && !out.isEnded() && writing.tryLock()) {
      try {
        if (!over) {
          out.end();
        }
      } finally {
        writing.unlock();
      }
    }
    leave();
  }

  /**
   * An answer that goes on after the application has returned is left by it: one that has its end is complete, and any
   * other one goes through the filter once more, which answers it, or has the container break it off.
   */
  private void leave() {
    AsyncContext lasting = async;
    if (lasting == null || !left.compareAndSet(false, true)) {
      return;
    }
    CutStream out = stream;
    try {
      if (out != null && out.isEnded()) {
        lasting.complete();
      } else {
        lasting.dispatch();
      }
    } catch (IllegalStateException already) {
      // The application has done so.
    }
  }
}
