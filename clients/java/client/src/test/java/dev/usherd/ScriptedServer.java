package dev.usherd;

import dev.usherd.v1.AuthorizationServiceGrpc;
import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.BatchCheckRequest;
import dev.usherd.v1.BatchCheckResponse;
import dev.usherd.v1.ListModelsRequest;
import dev.usherd.v1.ListModelsResponse;
import dev.usherd.v1.SubscribeRequest;
import dev.usherd.v1.SubscribeResponse;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;

/** A server on loopback that says what a test tells it to. */
final class ScriptedServer extends AuthorizationServiceGrpc.AuthorizationServiceImplBase implements AutoCloseable {

  /** One stream of subscriptions, as the server sees it. */
  static final class Subscribed implements StreamObserver<SubscribeRequest> {
    final BlockingQueue<SubscribeRequest> requests = new LinkedBlockingQueue<>();
    final ServerCallStreamObserver<SubscribeResponse> out;
    volatile boolean cancelled;

    Subscribed(StreamObserver<SubscribeResponse> out) {
      this.out = (ServerCallStreamObserver<SubscribeResponse>) out;
      this.out.setOnCancelHandler(() -> cancelled = true);
    }

    void say(SubscribeResponse message) {
      synchronized (out) {
        if (!cancelled) {
          out.onNext(message);
        }
      }
    }

    /** The next addition. Removals before it are passed over. */
    SubscribeRequest.Add added() throws InterruptedException {
      SubscribeRequest request = requests.poll(5, TimeUnit.SECONDS);
      while (request != null && request.getAddCount() == 0) {
        request = requests.poll(5, TimeUnit.SECONDS);
      }
      if (request == null) {
        throw new AssertionError("no addition came");
      }
      return request.getAdd(0);
    }

    long removed() throws InterruptedException {
      SubscribeRequest request = requests.poll(5, TimeUnit.SECONDS);
      if (request == null || request.getRemoveCount() != 1) {
        throw new AssertionError("no removal came, but " + (request == null ? "nothing" : "an addition"));
      }
      return request.getRemove(0);
    }

    @Override
    public void onNext(SubscribeRequest request) {
      requests.add(request);
    }

    @Override
    public void onError(Throwable failure) {
      cancelled = true;
    }

    @Override
    public void onCompleted() {
      out.onCompleted();
    }
  }

  final BlockingQueue<Subscribed> streams = new LinkedBlockingQueue<>();
  final AtomicInteger asked = new AtomicInteger();
  final BlockingQueue<AuthorizeRequest> requests = new LinkedBlockingQueue<>();
  volatile BiConsumer<AuthorizeRequest, StreamObserver<AuthorizeResponse>> authorize =
      (request, out) -> {
        out.onNext(Messages.once(Messages.allow("single")));
        out.onCompleted();
      };

  volatile BiConsumer<BatchCheckRequest, StreamObserver<BatchCheckResponse>> batchCheck;
  volatile BiConsumer<ListModelsRequest, StreamObserver<ListModelsResponse>> listModels;

  private final Server server;

  ScriptedServer() throws IOException {
    server = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create()).addService(this).build().start();
  }

  String target() {
    return "127.0.0.1:" + server.getPort();
  }

  Subscribed stream() throws InterruptedException {
    Subscribed stream = streams.poll(8, TimeUnit.SECONDS);
    if (stream == null) {
      throw new AssertionError("no stream was opened");
    }
    return stream;
  }

  @Override
  public void authorize(AuthorizeRequest request, StreamObserver<AuthorizeResponse> out) {
    asked.incrementAndGet();
    requests.add(request);
    authorize.accept(request, out);
  }

  @Override
  public void batchCheck(BatchCheckRequest request, StreamObserver<BatchCheckResponse> out) {
    batchCheck.accept(request, out);
  }

  @Override
  public void listModels(ListModelsRequest request, StreamObserver<ListModelsResponse> out) {
    listModels.accept(request, out);
  }

  @Override
  public StreamObserver<SubscribeRequest> subscribe(StreamObserver<SubscribeResponse> out) {
    Subscribed stream = new Subscribed(out);
    streams.add(stream);
    return stream;
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
