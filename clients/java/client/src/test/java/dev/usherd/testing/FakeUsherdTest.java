package dev.usherd.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.usherd.Batch;
import dev.usherd.BatchResult;
import dev.usherd.Decision;
import dev.usherd.ListDenied;
import dev.usherd.Model;
import dev.usherd.Question;
import dev.usherd.UsherFault;
import dev.usherd.WatchEvent;
import dev.usherd.Watching;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

class FakeUsherdTest {

  private final FakeUsherd usherd = new FakeUsherd();
  private final Question alice = Question.builder("alice", "/r").model("m").build();

  @Test
  void it_answers_what_it_was_told_and_denies_all_else() {
    usherd.answer("alice", FakeDecision.allowed().userId("a").teamId("t").roles(List.of("r")).model("m2").build());
    Decision decision = usherd.authorize(alice);
    assertTrue(decision.allowed());
    assertEquals("m2", decision.resolvedModel());
    assertEquals("t", decision.principal().orElseThrow().teamId());
    Decision nobody = usherd.authorize(Question.builder("mallory", "/r").build());
    assertFalse(nobody.allowed());
    assertEquals(401, nobody.httpStatus());
    assertEquals("TOKEN_MISSING", usherd.authorize(Question.builder("", "/r").build()).reason());
    assertEquals(3, usherd.asked().size());
  }

  @Test
  void denials_have_the_status_of_their_reason() {
    assertEquals(401, FakeDecision.denied("TOKEN_REVOKED").build().httpStatus());
    assertEquals(403, FakeDecision.denied("HOOK_REFUSED").build().httpStatus());
    assertEquals(403, FakeDecision.denied("MODEL_NOT_GRANTED").build().httpStatus());
    assertEquals(429, FakeDecision.denied("GLOBAL_BUDGET_EXHAUSTED").build().httpStatus());
    assertThrows(IllegalArgumentException.class, () -> FakeDecision.denied("ALLOWED"));
    assertThrows(IllegalArgumentException.class, () -> FakeDecision.denied("WEATHER"));
  }

  @Test
  void who_watches_is_told_what_becomes_of_it() {
    List<WatchEvent> events = new ArrayList<>();
    usherd.answer("alice", FakeDecision.allowed().build());
    Watching closed = usherd.watch(alice, events::add);
    closed.close();
    usherd.watch(alice, events::add);
    usherd.answer("alice", FakeDecision.denied("TEAM_BLOCKED").build());
    usherd.revoke("alice");
    usherd.answer("alice", FakeDecision.allowed().build());
    assertEquals(4, events.size());
    assertInstanceOf(WatchEvent.Changed.class, events.get(2));
    assertInstanceOf(WatchEvent.Ended.class, events.get(3));
    assertEquals(0, usherd.watched());
  }

  @Test
  void batches_and_lists_are_answered_as_single_questions_are() throws Exception {
    usherd.models("m2", "m1", "m3");
    usherd.answer(
        "alice",
        question -> (question.model() == null ? FakeDecision.allowed() : question.model().equals("m3")
            ? FakeDecision.denied("MODEL_NOT_GRANTED") : FakeDecision.allowed().model(question.model())).build());
    assertEquals(List.of(new Model("m1", "m1"), new Model("m2", "m2")), usherd.listModels(alice));
    Question bob = Question.builder("bob", "/r").build();
    assertEquals("SIGNATURE_INVALID", assertThrows(ListDenied.class, () -> usherd.listModels(bob)).denial().reason());
    assertThrows(ExecutionException.class, () -> usherd.listModelsAsync(bob).get());
    List<BatchResult> results = usherd.batchCheck(new Batch("alice", List.of(Question.builder("", "/r").build(), bob)));
    assertTrue(results.get(0).allowed());
    assertFalse(results.get(1).allowed());
    usherd.answer("bob", question -> {
      throw new UsherFault(UsherFault.Kind.OVERLOADED);
    });
    results = usherd.batchCheckAsync(Batch.of(List.of(bob, alice))).get();
    assertEquals(UsherFault.Kind.OVERLOADED, results.get(0).fault().orElseThrow().kind());
    assertTrue(results.get(1).allowed());
    usherd.breakDown(UsherFault.Kind.UNAVAILABLE);
    assertThrows(UsherFault.class, () -> usherd.batchCheck(Batch.of(List.of(alice))));
    assertThrows(UsherFault.class, () -> usherd.listModels(alice));
  }

  @Test
  void when_it_is_broken_there_are_faults_until_it_is_mended() {
    List<WatchEvent> events = new ArrayList<>();
    usherd.answer("alice", FakeDecision.allowed().build());
    usherd.watch(alice, events::add);
    usherd.breakDown(UsherFault.Kind.UNAVAILABLE);
    assertInstanceOf(WatchEvent.Unknown.class, events.get(1));
    UsherFault fault = assertThrows(UsherFault.class, () -> usherd.authorize(alice));
    assertEquals(UsherFault.Kind.UNAVAILABLE, fault.kind());
    assertThrows(ExecutionException.class, () -> usherd.authorizeAsync(alice).get());
    usherd.mend();
    assertTrue(usherd.authorize(alice).allowed());
    usherd.close();
    assertThrows(UsherFault.class, () -> usherd.authorize(alice));
  }
}
