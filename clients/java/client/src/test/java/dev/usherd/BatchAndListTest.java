package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.usherd.v1.BatchCheckRequest;
import dev.usherd.v1.BatchCheckResponse;
import dev.usherd.v1.Code;
import dev.usherd.v1.Fault;
import dev.usherd.v1.FaultReason;
import dev.usherd.v1.ListModelsRequest;
import dev.usherd.v1.ListModelsResponse;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Many questions at once, and the models of a token. */
class BatchAndListTest {

  private static final Question Q = Question.builder("secret-token", "/v1/models").build();

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

  private static BatchCheckResponse.Result.Builder result(String id) {
    return BatchCheckResponse.Result.newBuilder().setId(id);
  }

  private void batchIsAnswered(BatchCheckResponse.Result.Builder... results) {
    BatchCheckResponse.Builder answer = BatchCheckResponse.newBuilder();
    List.of(results).forEach(answer::addResults);
    server.batchCheck =
        (request, out) -> {
          out.onNext(answer.build());
          out.onCompleted();
        };
  }

  private UsherFault.Kind batchFault(Batch batch) {
    return assertThrows(UsherFault.class, () -> client.batchCheck(batch)).kind();
  }

  @Test
  void a_batch_is_answered_in_its_order_with_a_fault_where_there_is_no_decision() throws Exception {
    AtomicReference<BatchCheckRequest> asked = new AtomicReference<>();
    batchIsAnswered(
        result("0").setDecision(Messages.allow("a")),
        result("1").setDecision(Messages.deny("d")),
        result("2")
            .setFault(
                Fault.newBuilder()
                    .setCode(Code.CODE_UNAVAILABLE)
                    .setReason(FaultReason.FAULT_REASON_KEYS_UNAVAILABLE)
                    .setMessage("secret")),
        result("3"),
        result("4").setDecision(Messages.allow("x").toBuilder().setEffectValue(9)));
    var answer = server.batchCheck;
    server.batchCheck =
        (request, out) -> {
          asked.set(request);
          answer.accept(request, out);
        };
    Batch batch = new Batch("shared", Collections.nCopies(5, Question.builder("", "/r").model("m").build()));
    List<BatchResult> results = client.batchCheckAsync(batch, AskOptions.defaults().requestId("r")).get(5, TimeUnit.SECONDS);
    assertEquals(List.of(true, false, false, false, false), results.stream().map(BatchResult::allowed).toList());
    assertEquals("a", results.get(0).decision().orElseThrow().decisionId());
    assertEquals("TEAM_BLOCKED", results.get(1).decision().orElseThrow().reason());
    assertTrue(results.get(1).fault().isEmpty());
    assertTrue(results.get(2).decision().isEmpty());
    assertEquals(UsherFault.Kind.UNAVAILABLE, results.get(2).fault().orElseThrow().kind());
    assertEquals("KEYS_UNAVAILABLE", results.get(2).fault().orElseThrow().reason());
    assertEquals(UsherFault.Kind.BAD_ANSWER, results.get(3).fault().orElseThrow().kind());
    assertEquals(UsherFault.Kind.BAD_ANSWER, results.get(4).fault().orElseThrow().kind());
    assertFalse(results.toString().contains("secret"));
    assertEquals("shared", asked.get().getToken());
    assertEquals("r", asked.get().getOptions().getRequestId());
    assertEquals("m", asked.get().getItems(4).getQuestion().getModel());
    assertEquals(results.toString(), client.batchCheck(batch).toString());
  }

  @Test
  void a_batch_whose_results_are_not_those_of_its_questions_is_a_fault() {
    Batch two = Batch.of(List.of(Q, Q));
    batchIsAnswered(result("0").setDecision(Messages.allow("a")));
    assertEquals(UsherFault.Kind.BAD_ANSWER, batchFault(two));
    batchIsAnswered(result("1").setDecision(Messages.allow("a")), result("0").setDecision(Messages.deny("d")));
    assertEquals(UsherFault.Kind.BAD_ANSWER, batchFault(two));
    batchIsAnswered();
    assertEquals(UsherFault.Kind.BAD_ANSWER, batchFault(two));
    server.batchCheck = (request, out) -> out.onError(Status.RESOURCE_EXHAUSTED.asRuntimeException());
    assertEquals(UsherFault.Kind.OVERLOADED, batchFault(two));
  }

  @Test
  void a_batch_has_1_to_1000_questions_and_shows_none_of_them() {
    assertThrows(IllegalArgumentException.class, () -> Batch.of(List.of()));
    assertThrows(IllegalArgumentException.class, () -> Batch.of(Collections.nCopies(1001, Q)));
    assertEquals(1000, Batch.of(Collections.nCopies(1000, Q)).questions().size());
    assertFalse(new Batch("secret", List.of(Q)).toString().contains("secret"));
  }

  @Test
  void a_token_of_a_batch_that_is_no_text_is_asked_as_something_that_is_denied() {
    AtomicReference<String> token = new AtomicReference<>();
    batchIsAnswered(result("0").setDecision(Messages.deny("d")));
    var answer = server.batchCheck;
    server.batchCheck =
        (request, out) -> {
          token.set(request.getToken());
          answer.accept(request, out);
        };
    client.batchCheck(new Batch("\ud800", List.of(Q)));
    assertEquals("\0", token.get());
  }

  private static ListModelsResponse page(String next, String... names) {
    ListModelsResponse.Builder page = ListModelsResponse.newBuilder().setNextPageToken(next);
    for (String each : names) {
      page.addModels(ListModelsResponse.Model.newBuilder().setName(each).setResolvedModel(each + "!"));
    }
    return page.build();
  }

  private void listIsAnswered(ListModelsResponse... pages) {
    AtomicInteger at = new AtomicInteger();
    server.listModels =
        (request, out) -> {
          out.onNext(pages[Math.min(at.getAndIncrement(), pages.length - 1)]);
          out.onCompleted();
        };
  }

  private UsherFault.Kind listFault() {
    return assertThrows(UsherFault.class, () -> client.listModels(Q)).kind();
  }

  @Test
  void models_are_listed_over_as_many_pages_as_there_are() throws Exception {
    List<ListModelsRequest> asked = Collections.synchronizedList(new ArrayList<>());
    listIsAnswered(page("2", "a", "b"), page("3"), page("", "c"));
    var answer = server.listModels;
    server.listModels =
        (request, out) -> {
          asked.add(request);
          answer.accept(request, out);
        };
    List<Model> models = client.listModelsAsync(Q).get(5, TimeUnit.SECONDS);
    assertEquals(List.of(new Model("a", "a!"), new Model("b", "b!"), new Model("c", "c!")), models);
    assertEquals(List.of("", "2", "3"), asked.stream().map(ListModelsRequest::getPageToken).toList());
    assertEquals(1000, asked.get(2).getPageSize());
    assertEquals("/v1/models", asked.get(2).getQuestion().getRoute());
    listIsAnswered(page(""));
    assertEquals(List.of(), client.listModels(Q));
  }

  @Test
  void a_list_that_is_denied_is_no_empty_list_and_no_fault() {
    listIsAnswered(page("2", "a"), ListModelsResponse.newBuilder().setDenial(Messages.deny("d")).build());
    ListDenied denied = assertThrows(ListDenied.class, () -> client.listModels(Q));
    assertEquals("TEAM_BLOCKED", denied.denial().reason());
    ExecutionException failed = assertThrows(ExecutionException.class, () -> client.listModelsAsync(Q).get(5, TimeUnit.SECONDS));
    assertTrue(failed.getCause() instanceof ListDenied);
  }

  @Test
  void a_list_that_is_none_by_the_contract_is_a_fault() {
    listIsAnswered(page("", "a").toBuilder().setDenial(Messages.deny("d")).build());
    assertEquals(UsherFault.Kind.BAD_ANSWER, listFault());
    listIsAnswered(ListModelsResponse.newBuilder().setDenial(Messages.allow("a")).build());
    assertEquals(UsherFault.Kind.BAD_ANSWER, listFault());
    listIsAnswered(page("same", "a"));
    assertEquals(UsherFault.Kind.BAD_ANSWER, listFault());
    // A name that is no UTF-8: what cannot be read is no list without models.
    listIsAnswered(
        ListModelsResponse.newBuilder()
            .setUnknownFields(
                com.google.protobuf.UnknownFieldSet.newBuilder()
                    .addField(
                        2,
                        com.google.protobuf.UnknownFieldSet.Field.newBuilder()
                            .addLengthDelimited(com.google.protobuf.ByteString.copyFrom(new byte[] {-1}))
                            .build())
                    .build())
            .build());
    assertEquals(UsherFault.Kind.BAD_ANSWER, listFault());
    server.listModels =
        (request, out) -> {
          out.onNext(page("", "a"));
          out.onError(Status.UNAVAILABLE.asRuntimeException());
        };
    assertEquals(UsherFault.Kind.UNAVAILABLE, listFault());
  }

  @Test
  void pages_end_after_a_thousand_of_them() {
    AtomicInteger asked = new AtomicInteger();
    server.listModels =
        (request, out) -> {
          out.onNext(page("p" + asked.incrementAndGet(), "m"));
          out.onCompleted();
        };
    assertEquals(UsherFault.Kind.BAD_ANSWER, listFault());
    assertEquals(1000, asked.get());
  }

  @Test
  void a_page_has_no_more_models_than_were_asked_for() {
    String[] names = new String[1001];
    Arrays.setAll(names, each -> "m" + each);
    listIsAnswered(page("", names));
    assertEquals(UsherFault.Kind.BAD_ANSWER, listFault());
    listIsAnswered(page("", Arrays.copyOf(names, 1000)));
    assertEquals(1000, client.listModels(Q).size());
  }

  @Test
  void a_list_is_never_more_than_64_mib() {
    AtomicInteger asked = new AtomicInteger();
    String longest = "m".repeat(2_000_000);
    server.listModels =
        (request, out) -> {
          out.onNext(page("p" + asked.incrementAndGet(), longest));
          out.onCompleted();
        };
    AskOptions patient = AskOptions.defaults().deadline(Duration.ofSeconds(20));
    assertEquals(
        UsherFault.Kind.BAD_ANSWER, assertThrows(UsherFault.class, () -> client.listModels(Q, patient)).kind());
    // Each page has 4 MB: the name, and what it is resolved to.
    assertEquals(17, asked.get());
  }

  @Test
  void the_deadline_is_that_of_each_page_and_giving_up_cancels_the_call() throws Exception {
    CountDownLatch asked = new CountDownLatch(2);
    CountDownLatch cancelled = new CountDownLatch(2);
    AtomicInteger pages = new AtomicInteger();
    server.listModels =
        (request, out) -> {
          if (request.getPageToken().isEmpty()) {
            out.onNext(page("p" + pages.incrementAndGet(), "m"));
            out.onCompleted();
            return;
          }
          ((ServerCallStreamObserver<ListModelsResponse>) out).setOnCancelHandler(cancelled::countDown);
          asked.countDown();
        };
    UsherFault late =
        assertThrows(UsherFault.class, () -> client.listModels(Q, AskOptions.defaults().deadline(Duration.ofMillis(300))));
    assertEquals(UsherFault.Kind.OUT_OF_TIME, late.kind());
    CompletableFuture<List<Model>> models = client.listModelsAsync(Q, AskOptions.defaults().deadline(Duration.ofSeconds(30)));
    assertTrue(asked.await(5, TimeUnit.SECONDS));
    models.cancel(true);
    assertTrue(cancelled.await(5, TimeUnit.SECONDS));
  }

  @Test
  void a_closed_client_answers_with_a_fault() {
    client.close();
    assertEquals(UsherFault.Kind.CLOSED, batchFault(Batch.of(List.of(Q))));
    assertEquals(UsherFault.Kind.CLOSED, listFault());
  }
}
