package dev.usherd.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.usherd.AskOptions;
import dev.usherd.Question;
import dev.usherd.UsherFault;
import dev.usherd.http.RequestReader;
import dev.usherd.testing.FakeDecision;
import dev.usherd.testing.FakeUsherd;
import dev.usherd.v1.AuthorizationServiceGrpc;
import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.CheckRequest;
import dev.usherd.v1.CheckResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerInterceptors;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.Iterator;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The interceptor in a real server, whose service happens to be usherd's own. */
class UsherInterceptorTest {

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> MODEL = Metadata.Key.of("x-model", Metadata.ASCII_STRING_MARSHALLER);

  private final FakeUsherd usherd = new FakeUsherd();
  private final BlockingQueue<StreamObserver<AuthorizeResponse>> streams = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> served = new LinkedBlockingQueue<>();
  private Server server;
  private ManagedChannel channel;

  private final class Service extends AuthorizationServiceGrpc.AuthorizationServiceImplBase {
    @Override
    public void check(CheckRequest request, StreamObserver<CheckResponse> out) {
      served.add(UsherInterceptor.DECISION.get().principal().orElseThrow().userId());
      out.onNext(CheckResponse.getDefaultInstance());
      out.onCompleted();
    }

    @Override
    public void authorize(AuthorizeRequest request, StreamObserver<AuthorizeResponse> out) {
      ((ServerCallStreamObserver<AuthorizeResponse>) out).setOnCancelHandler(() -> served.add("gone"));
      out.onNext(AuthorizeResponse.getDefaultInstance());
      streams.add(out);
    }
  }

  @BeforeEach
  void start() throws Exception {
    usherd.answer("alice", FakeDecision.allowed().userId("alice").build());
    usherd.answer("bob", FakeDecision.denied("TEAM_BUDGET_EXHAUSTED").build());
    server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(
                ServerInterceptors.intercept(
                    new Service(),
                    UsherInterceptor.of(
                        usherd, RequestReader.defaults(), metadata -> metadata.get(MODEL), AskOptions.defaults())))
            .build()
            .start();
    channel =
        Grpc.newChannelBuilder("127.0.0.1:" + server.getPort(), InsecureChannelCredentials.create()).build();
  }

  @AfterEach
  void end() {
    channel.shutdownNow();
    server.shutdownNow();
  }

  private AuthorizationServiceGrpc.AuthorizationServiceBlockingStub as(String... credentials) {
    Metadata metadata = new Metadata();
    for (String each : credentials) {
      metadata.put(AUTHORIZATION, "Bearer " + each);
    }
    metadata.put(MODEL, "gpt-4o");
    return AuthorizationServiceGrpc.newBlockingStub(channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata))
        .withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  private static Status.Code code(Runnable call) {
    return assertThrows(StatusRuntimeException.class, call::run).getStatus().getCode();
  }

  @Test
  void a_call_that_is_allowed_is_served_with_its_decision() throws Exception {
    as("alice").check(CheckRequest.getDefaultInstance());
    assertEquals("alice", served.poll(5, TimeUnit.SECONDS));
    Question asked = usherd.asked().get(0);
    assertEquals("/usher.v1.AuthorizationService/Check", asked.route());
    assertEquals("gpt-4o", asked.model());
    assertEquals(0, usherd.watched());
  }

  @Test
  void a_call_that_is_denied_is_not_served() {
    assertEquals(
        Status.Code.RESOURCE_EXHAUSTED, code(() -> as("bob").check(CheckRequest.getDefaultInstance())));
    assertEquals(Status.Code.UNAUTHENTICATED, code(() -> as().check(CheckRequest.getDefaultInstance())));
    assertEquals(
        Status.Code.UNAUTHENTICATED, code(() -> as("alice", "bob").check(CheckRequest.getDefaultInstance())));
    assertTrue(served.isEmpty());
    assertEquals(2, usherd.asked().size());
  }

  @Test
  void a_fault_is_unavailable_without_saying_why() {
    usherd.breakDown(UsherFault.Kind.OVERLOADED);
    StatusRuntimeException fault =
        assertThrows(StatusRuntimeException.class, () -> as("alice").check(CheckRequest.getDefaultInstance()));
    assertEquals(Status.Code.UNAVAILABLE, fault.getStatus().getCode());
    assertFalse(fault.getMessage().contains("too much"));
  }

  @Test
  void a_stream_is_cut_by_a_revocation() throws Exception {
    Iterator<AuthorizeResponse> stream = as("alice").authorize(AuthorizeRequest.getDefaultInstance());
    stream.next();
    StreamObserver<AuthorizeResponse> out = streams.poll(5, TimeUnit.SECONDS);
    assertEquals(1, usherd.watched());
    usherd.revoke("alice");
    assertEquals(Status.Code.UNAUTHENTICATED, code(stream::next));
    assertEquals(0, usherd.watched());
    assertTrue(((ServerCallStreamObserver<AuthorizeResponse>) out).isCancelled());
  }

  @Test
  void what_makes_a_stream_that_is_cut_is_told_that_its_client_has_gone() throws Exception {
    Iterator<AuthorizeResponse> stream = as("alice").authorize(AuthorizeRequest.getDefaultInstance());
    stream.next();
    usherd.revoke("alice");
    assertEquals(Status.Code.UNAUTHENTICATED, code(stream::next));
    assertEquals("gone", served.poll(5, TimeUnit.SECONDS));
  }

  @Test
  void what_makes_a_stream_that_ended_by_itself_is_not_told_that_its_client_has_gone() throws Exception {
    Iterator<AuthorizeResponse> stream = as("alice").authorize(AuthorizeRequest.getDefaultInstance());
    stream.next();
    streams.poll(5, TimeUnit.SECONDS).onCompleted();
    assertFalse(stream.hasNext());
    assertNull(served.poll(200, TimeUnit.MILLISECONDS));
  }

  @Test
  void a_stream_that_ends_is_watched_no_more() throws Exception {
    Iterator<AuthorizeResponse> stream = as("alice").authorize(AuthorizeRequest.getDefaultInstance());
    stream.next();
    streams.poll(5, TimeUnit.SECONDS).onCompleted();
    assertFalse(stream.hasNext());
    for (int each = 0; each < 500 && usherd.watched() > 0; each++) {
      Thread.sleep(5);
    }
    assertEquals(0, usherd.watched());
  }

  @Test
  void a_stream_whose_client_goes_is_watched_no_more() throws Exception {
    io.grpc.Context.CancellableContext context = io.grpc.Context.current().withCancellation();
    context.run(() -> as("alice").authorize(AuthorizeRequest.getDefaultInstance()).next());
    assertEquals(1, usherd.watched());
    context.cancel(null);
    for (int each = 0; each < 500 && usherd.watched() > 0; each++) {
      Thread.sleep(5);
    }
    assertEquals(0, usherd.watched());
  }
}
