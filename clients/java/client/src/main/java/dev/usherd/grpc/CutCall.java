package dev.usherd.grpc;

import dev.usherd.AskOptions;
import dev.usherd.Question;
import dev.usherd.UsherFault;
import dev.usherd.Usherd;
import dev.usherd.WatchEvent;
import dev.usherd.WatchListener;
import dev.usherd.Watching;
import io.grpc.ForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.time.Duration;

/** A call that says nothing more once it is cut. gRPC's own calls are not for several threads: this one is. */
final class CutCall<Q, A> extends ForwardingServerCall.SimpleForwardingServerCall<Q, A> implements WatchListener {

  /** A watch that has no first decision by then knows nothing. The request was allowed just now, so it may take longer. */
  private static final Duration FIRST_WORD = Duration.ofSeconds(5);

  private final Usherd usherd;
  private final Question question;
  private final AskOptions options;
  private Watching watch;
  private boolean over;
  private boolean cut;

  CutCall(ServerCall<Q, A> call, Usherd usherd, Question question, AskOptions options) {
    super(call);
    this.usherd = usherd;
    this.question = question;
    this.options = options;
  }

  /** Watches a call whose answer may be a stream. */
  void watch() {
    if (getMethodDescriptor().getType().serverSendsOneMessage()) {
      return;
    }
    Watching begun = usherd.watch(question, options.deadline(FIRST_WORD), this);
    synchronized (this) {
      watch = begun;
      if (!over) {
        return;
      }
    }
    begun.close();
  }

  /** It is over, and watched no more. */
  void stop() {
    Watching open;
    synchronized (this) {
      over = true;
      open = watch;
    }
    if (open != null) {
      open.close();
    }
  }

  /** Ends it in the application's place. */
  void end(Status status) {
    synchronized (this) {
      if (over) {
        return;
      }
      cut = true;
      over = true;
      delegate().close(status, new Metadata());
    }
    stop();
  }

  synchronized boolean isCut() {
    return cut;
  }

  @Override
  public void onEvent(WatchEvent event) {
    if (event instanceof WatchEvent.Unknown) {
      end(UsherInterceptor.unknown());
    } else if (!event.allowed()) {
      event.holding().ifPresent(denial -> end(UsherInterceptor.denied(denial)));
    }
  }

  @Override
  public void onFault(UsherFault fault) {
    end(UsherInterceptor.unknown());
  }

  @Override
  public synchronized void sendHeaders(Metadata headers) {
    if (!cut) {
      super.sendHeaders(headers);
    }
  }

  @Override
  public synchronized void sendMessage(A message) {
    if (!cut) {
      super.sendMessage(message);
    }
  }

  @Override
  public synchronized void request(int messages) {
    if (!cut) {
      super.request(messages);
    }
  }

  /** To the application a call that was cut is one whose client has gone. */
  @Override
  public synchronized boolean isCancelled() {
    return cut || super.isCancelled();
  }

  @Override
  public void close(Status status, Metadata trailers) {
    synchronized (this) {
      if (cut) {
        return;
      }
      over = true;
      super.close(status, trailers);
    }
    stop();
  }
}
