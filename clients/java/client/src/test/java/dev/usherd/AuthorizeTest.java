package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Claim;
import dev.usherd.v1.Mode;
import dev.usherd.v1.StreamTerms;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AuthorizeTest {

  private static final Question Q = Question.builder("secret-token", "/v1/chat/completions").model("m").build();

  private ScriptedServer server;
  private UsherClient client;

  @BeforeEach
  void start() throws Exception {
    Warm.up();
    server = new ScriptedServer();
    client = UsherClient.builder(server.target()).build();
  }

  @AfterEach
  void end() {
    client.close();
    server.close();
  }

  private void answers(AuthorizeResponse... messages) {
    server.authorize =
        (request, out) -> {
          for (AuthorizeResponse each : messages) {
            out.onNext(each);
          }
          out.onCompleted();
        };
  }

  private UsherFault fault() {
    return assertThrows(UsherFault.class, () -> client.authorize(Q));
  }

  @Test
  void a_question_arrives_as_it_was_asked() throws Exception {
    client.authorize(
        Question.builder("t", "/r")
            .method("POST")
            .model("")
            .fallbackModels(List.of("a", "b"))
            .teamAlias("x")
            .endUserId("e")
            .organizationId("o")
            .modifiesGuardrails(true)
            .build(),
        AskOptions.defaults().explain(true).requestId("r").atLeastAsFresh("s:1"));
    AuthorizeRequest request = server.requests.take();
    assertEquals(Mode.MODE_ONCE, request.getMode());
    dev.usherd.v1.Question question = request.getQuestion();
    assertEquals("t", question.getToken());
    assertEquals("POST", question.getMethod());
    assertTrue(question.hasModel());
    assertEquals("", question.getModel());
    assertEquals(List.of("a", "b"), question.getFallbackModelsList());
    assertEquals("x", question.getTeamAlias());
    assertFalse(question.hasTeamId());
    assertEquals("e", question.getEndUserId());
    assertEquals("o", question.getOrganizationId());
    assertTrue(question.getModifiesGuardrails());
    assertTrue(request.getOptions().getExplain());
    assertEquals("r", request.getOptions().getRequestId());
    assertEquals("s:1", request.getOptions().getAtLeastAsFresh());
  }

  @Test
  void an_allowance_and_a_denial_are_told_apart() {
    answers(Messages.once(Messages.allow("a").toBuilder().setResolvedModel("m2").build()));
    Decision allowed = client.authorize(Q);
    assertTrue(allowed.allowed());
    assertEquals("m2", allowed.resolvedModel());
    assertEquals(200, allowed.httpStatus());
    answers(Messages.once(Messages.deny("d").toBuilder().setResolvedModel("m2").setHttpStatus(200).build()));
    Decision denied = client.authorize(Q);
    assertFalse(denied.allowed());
    assertEquals("TEAM_BLOCKED", denied.reason());
    assertEquals("", denied.resolvedModel());
    assertEquals(403, denied.httpStatus());
    answers(Messages.once(Messages.deny("d").toBuilder().setReasonValue(4711).build()));
    assertEquals("UNKNOWN", client.authorize(Q).reason());
  }

  @Test
  void an_answer_that_is_no_decision_by_the_contract_is_a_fault() {
    AuthorizeResponse good = Messages.once(Messages.allow("a"));
    List<AuthorizeResponse[]> bad =
        List.of(
            new AuthorizeResponse[] {},
            new AuthorizeResponse[] {AuthorizeResponse.getDefaultInstance()},
            new AuthorizeResponse[] {good, good},
            new AuthorizeResponse[] {Messages.living(Messages.allow("a"), 1000)},
            new AuthorizeResponse[] {good.toBuilder().setTerms(StreamTerms.newBuilder().setModeValue(9)).build()},
            new AuthorizeResponse[] {Messages.once(Messages.allow("a").toBuilder().setEffectValue(3).build())},
            new AuthorizeResponse[] {Messages.once(Messages.allow("a").toBuilder().setReasonValue(5).build())});
    for (AuthorizeResponse[] each : bad) {
      answers(each);
      assertEquals(UsherFault.Kind.BAD_ANSWER, fault().kind());
    }
  }

  @Test
  void an_allowance_on_a_call_that_does_not_end_with_ok_is_none() {
    server.authorize =
        (request, out) -> {
          out.onNext(Messages.once(Messages.allow("a")));
          out.onError(Status.INTERNAL.asRuntimeException());
        };
    assertEquals(UsherFault.Kind.INTERNAL, fault().kind());
  }

  @Test
  void a_status_becomes_the_fault_of_its_kind_and_the_server_s_words_stay_behind() {
    Map<Status, UsherFault.Kind> kinds =
        Map.of(
            Status.INVALID_ARGUMENT, UsherFault.Kind.INVALID_REQUEST,
            Status.FAILED_PRECONDITION, UsherFault.Kind.PRECONDITION,
            Status.UNAUTHENTICATED, UsherFault.Kind.CALLER_UNKNOWN,
            Status.PERMISSION_DENIED, UsherFault.Kind.CALLER_NOT_ALLOWED,
            Status.RESOURCE_EXHAUSTED, UsherFault.Kind.OVERLOADED,
            Status.DEADLINE_EXCEEDED, UsherFault.Kind.OUT_OF_TIME,
            Status.NOT_FOUND, UsherFault.Kind.INTERNAL,
            Status.UNIMPLEMENTED, UsherFault.Kind.INTERNAL,
            Status.DATA_LOSS, UsherFault.Kind.INTERNAL);
    kinds.forEach(
        (status, kind) -> {
          server.authorize =
              (request, out) -> out.onError(status.withDescription("secret-token").asRuntimeException());
          UsherFault fault = fault();
          assertEquals(kind, fault.kind());
          assertFalse(fault.toString().contains("secret"));
          assertNull(fault.getCause());
          assertEquals(0, fault.getSuppressed().length);
        });
  }

  @Test
  void a_fault_has_the_contract_s_reason_and_advice() {
    refuses("KEYS_UNAVAILABLE", "usher.v1", 2);
    UsherFault fault = fault();
    assertEquals("KEYS_UNAVAILABLE", fault.reason());
    assertEquals(Duration.ofSeconds(2), fault.retryAfter().orElseThrow());
    refuses("secret token", "usher.v1", 4000);
    assertEquals("", fault().reason());
    assertTrue(fault().retryAfter().isEmpty());
    refuses("KEYS_UNAVAILABLE", "elsewhere", -1);
    assertEquals("", fault().reason());
    assertTrue(fault().retryAfter().isEmpty());
  }

  private void refuses(String reason, String domain, long wait) {
    server.authorize =
        (request, out) ->
            out.onError(
                StatusProto.toStatusRuntimeException(
                    com.google.rpc.Status.newBuilder()
                        .setCode(8)
                        .addDetails(Any.pack(ErrorInfo.newBuilder().setReason(reason).setDomain(domain).build()))
                        .addDetails(
                            Any.pack(
                                RetryInfo.newBuilder()
                                    .setRetryDelay(com.google.protobuf.Duration.newBuilder().setSeconds(wait))
                                    .build()))
                        .build()));
  }

  @Test
  void details_that_cannot_be_read_are_none() {
    server.authorize =
        (request, out) -> {
          Metadata trailers = new Metadata();
          trailers.put(
              Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER), new byte[] {-1, -1, -1});
          out.onError(Status.RESOURCE_EXHAUSTED.asRuntimeException(trailers));
        };
    assertEquals(UsherFault.Kind.OVERLOADED, fault().kind());
  }

  @Test
  void a_call_always_has_a_deadline() {
    server.authorize = (request, out) -> {};
    long begun = System.nanoTime();
    assertEquals(UsherFault.Kind.OUT_OF_TIME, fault().kind());
    long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
    assertTrue(took >= 900 && took < 3000, "after " + took + " ms");
    for (Duration each : List.of(Duration.ZERO, Duration.ofSeconds(-1), Duration.ofSeconds(61))) {
      assertThrows(IllegalArgumentException.class, () -> AskOptions.defaults().deadline(each));
    }
  }

  @Test
  void unavailable_is_asked_again_and_nothing_else_is() {
    AtomicBoolean first = new AtomicBoolean(true);
    server.authorize =
        (request, out) -> {
          if (first.getAndSet(false)) {
            out.onError(Status.UNAVAILABLE.asRuntimeException());
          } else {
            out.onNext(Messages.once(Messages.allow("second")));
            out.onCompleted();
          }
        };
    assertEquals("second", client.authorize(Q).decisionId());
    assertEquals(2, server.asked.get());
    server.authorize = (request, out) -> out.onError(Status.INTERNAL.asRuntimeException());
    fault();
    assertEquals(3, server.asked.get());
    server.authorize = (request, out) -> out.onError(Status.UNAVAILABLE.asRuntimeException());
    assertEquals(UsherFault.Kind.UNAVAILABLE, fault().kind());
    assertEquals(6, server.asked.get());
  }

  @Test
  void what_an_end_user_may_have_chosen_is_asked_as_something_that_is_denied() throws Exception {
    client.authorize(
        Question.builder("\ud800", null)
            .model("x\udc00")
            .fallbackModels(Arrays.asList("a", null))
            .endUserId("e".repeat(5000))
            .build());
    dev.usherd.v1.Question asked = server.requests.take().getQuestion();
    assertEquals("\0", asked.getToken());
    assertEquals("\0", asked.getRoute());
    assertEquals("\0", asked.getModel());
    assertEquals(List.of("a", "\0"), asked.getFallbackModelsList());
    assertEquals(1025, asked.getEndUserId().length());
    client.authorize(
        Question.builder("\u00fc".repeat(300_000), "/\ud83d\ude00".repeat(30_000))
            .fallbackModels(Collections.nCopies(100_000, "m"))
            .build());
    asked = server.requests.take().getQuestion();
    assertTrue(asked.getSerializedSize() < 200_000, "it has " + asked.getSerializedSize() + " bytes");
    assertTrue(asked.getTokenBytes().size() > 8 * 1024);
    assertTrue(asked.getRouteBytes().size() > 1024);
    assertEquals(17, asked.getFallbackModelsCount());
  }

  @Test
  void two_wishes_for_a_team_are_a_mistake_of_the_gateway() {
    assertThrows(
        IllegalArgumentException.class, () -> Question.builder("t", "/r").teamId("a").teamAlias("b").build());
  }

  @Test
  void no_text_of_an_object_shows_a_token_a_claim_or_a_question() {
    answers(
        Messages.once(
            Messages.allow("a").toBuilder()
                .setPrincipal(
                    Messages.allow("a").getPrincipal().toBuilder()
                        .setSubject("secret-sub")
                        .setEmail("secret@x")
                        .addClaims(Claim.newBuilder().setName("c").setValueJson("\"secret\"")))
                .build()));
    Decision decision = client.authorize(Q);
    for (Object each :
        List.of(Q, decision, decision.principal().orElseThrow(), decision.principal().orElseThrow().claims(), client)) {
      assertFalse(each.toString().contains("secret"), each.getClass() + " shows something");
      assertFalse(each.toString().contains("/v1"), each.getClass() + " shows something");
    }
    assertEquals("secret-sub", decision.principal().orElseThrow().subject());
  }

  @Test
  void cancelling_the_answer_cancels_the_call() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch cancelled = new CountDownLatch(1);
    server.authorize =
        (request, out) -> {
          ((io.grpc.stub.ServerCallStreamObserver<AuthorizeResponse>) out).setOnCancelHandler(cancelled::countDown);
          asked.countDown();
        };
    CompletableFuture<Decision> answer = client.authorizeAsync(Q, AskOptions.defaults().deadline(Duration.ofSeconds(30)));
    assertTrue(asked.await(5, TimeUnit.SECONDS));
    answer.cancel(true);
    assertTrue(cancelled.await(5, TimeUnit.SECONDS));
  }

  @Test
  void a_thread_that_is_interrupted_gets_a_fault_and_stays_interrupted() {
    server.authorize = (request, out) -> {};
    Thread.currentThread().interrupt();
    assertEquals(UsherFault.Kind.INTERRUPTED, fault().kind());
    assertTrue(Thread.interrupted());
  }

  @Test
  void a_closed_client_and_a_server_that_is_not_there_are_faults() throws Exception {
    CompletableFuture<Decision> underWay;
    CountDownLatch asked = new CountDownLatch(1);
    server.authorize = (request, out) -> asked.countDown();
    underWay = client.authorizeAsync(Q);
    assertTrue(asked.await(5, TimeUnit.SECONDS));
    client.close();
    ExecutionException failed = assertThrows(ExecutionException.class, () -> underWay.get(5, TimeUnit.SECONDS));
    assertEquals(UsherFault.Kind.CLOSED, ((UsherFault) failed.getCause()).kind());
    assertEquals(UsherFault.Kind.CLOSED, fault().kind());
    String target = server.target();
    server.close();
    try (UsherClient nobody = UsherClient.builder(target).build()) {
      UsherFault fault = assertThrows(UsherFault.class, () -> nobody.authorize(Q));
      assertEquals(UsherFault.Kind.UNAVAILABLE, fault.kind());
    }
  }

  @Test
  void plaintext_is_refused_off_this_machine() {
    for (String each :
        List.of(
            "localhost:1", "LOCALHOST:1", "localhost", "127.0.0.1:1", "127.9.8.7:50051", "[::1]:1", "dns:///localhost:1",
            "dns:///127.0.0.1:1", "unix:/run/x", "unix:///run/x")) {
      assertTrue(Channels.staysHere(each), each);
    }
    for (String each :
        List.of(
            "usherd.example:1", "10.0.0.1:1", "127.0.0.1.example:1", "localhost.example:1", "127.0.0.1@x:1",
            "dns://8.8.8.8/localhost:1", "dns:localhost:1", "[::2]:1", "[::1].x:1", "0.0.0.0:1", "127.0.0.256:1",
            "127.1:1", "xds:///localhost:1", "localhost:1/x", "localhost:1,example:2", "", "//localhost:1")) {
      assertFalse(Channels.staysHere(each), each);
      assertThrows(IllegalArgumentException.class, () -> UsherClient.builder(each).build());
    }
    UsherClient.builder("usherd.example:1").plaintext(true).build().close();
  }

  @Test
  void a_bearer_is_shown_and_one_that_cannot_be_is_a_fault() throws Exception {
    for (String each : List.of("", "a b", "a\nb", "=a", "\u00fc")) {
      IllegalArgumentException refused =
          assertThrows(IllegalArgumentException.class, () -> UsherClient.builder("localhost:1").bearer(each));
      assertTrue(each.isEmpty() || !refused.getMessage().contains(each) || each.length() < 2);
    }
    try (UsherClient other =
        UsherClient.builder(server.target())
            .bearer(
                () -> {
                  throw new IllegalStateException("secret");
                })
            .cache(DecisionCache.enabled())
            .build()) {
      UsherFault fault = assertThrows(UsherFault.class, () -> other.authorize(Q));
      assertEquals(UsherFault.Kind.CALLER_UNKNOWN, fault.kind());
      assertNull(fault.getCause());
    }
    assertEquals(0, server.asked.get());
  }

  @Test
  void the_retries_are_those_of_every_client() {
    assertEquals(
        "{\"methodConfig\":[{\"name\":[{\"service\":\"usher.v1.AuthorizationService\"}],\"retryPolicy\":{"
            + "\"backoffMultiplier\":2.0,\"initialBackoff\":\"0.01s\",\"maxAttempts\":3.0,\"maxBackoff\":\"0.05s\","
            + "\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}],\"retryThrottling\":{\"maxTokens\":10.0,\"tokenRatio\":0.1}}",
        new com.google.gson.Gson().toJson(sorted(Channels.SERVICE_CONFIG)));
  }

  private static Object sorted(Object value) {
    if (value instanceof Map<?, ?> map) {
      java.util.TreeMap<String, Object> members = new java.util.TreeMap<>();
      map.forEach((name, each) -> members.put((String) name, sorted(each)));
      return members;
    }
    return value instanceof List<?> list ? list.stream().map(AuthorizeTest::sorted).toList() : value;
  }
}
