package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The project's stories, told by the real service and heard through this client. */
@Tag("daemon")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class StoriesTest {

  private static final AskOptions ROOMY = AskOptions.defaults().deadline(Duration.ofSeconds(20));
  private static final long HEARS_WITHIN = 5_000_000_000L;

  private StoryServer server;
  private List<JsonObject> stories;
  private List<JsonObject> cached;
  private int hits;

  @BeforeAll
  void start() throws Exception {
    server = new StoryServer();
    stories = listed("");
    // What a stream is asked writes nothing.
    cached = listed("writes");
  }

  private List<JsonObject> listed(String without) throws Exception {
    return StreamSupport.stream(
            server.get("stories?without=" + without).getAsJsonArray("stories").spliterator(), false)
        .map(JsonElement::getAsJsonObject)
        .toList();
  }

  @AfterAll
  void end() throws Exception {
    server.close();
  }

  Stream<Arguments> stories() {
    return named(stories);
  }

  Stream<Arguments> cached() {
    return named(cached);
  }

  private static Stream<Arguments> named(List<JsonObject> stories) {
    return stories.stream()
        .map(each -> Arguments.of(each.get("id").getAsString() + " " + each.get("name").getAsString(), each));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("stories")
  void a_story_without_a_cache(String name, JsonObject story) throws Exception {
    try (UsherClient client = UsherClient.builder(server.target).build()) {
      tell(client, story, false);
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("cached")
  void a_story_with_a_cache(String name, JsonObject story) throws Exception {
    try (UsherClient client = UsherClient.builder(server.target).cache(DecisionCache.enabled()).build()) {
      tell(client, story, true);
      hits += client.cacheStatistics().hits() > 0 ? 1 : 0;
    }
  }

  @Test
  void most_stories_are_there() {
    assertTrue(stories.size() >= 200, "only " + stories.size() + " stories");
  }

  @AfterAll
  void the_cache_took_part() {
    assertTrue(hits > stories.size() / 4, "only in " + hits + " stories the cache answered");
  }

  @Test
  void an_answer_that_is_not_as_expected_is_noticed() {
    JsonObject denied = Told.of(Decision.of(Messages.deny("d")));
    for (String each :
        List.of(
            "{\"effect\":\"ALLOW\"}", "{\"reason\":null}", "{\"admin\":true}", "{\"fault\":\"OVERLOADED\"}",
            "{\"weather\":null}", "{\"limits\":{\"team\":{\"rpm\":1}}}", "{\"roles\":[\"x\"]}")) {
      assertEquals(1, Told.differences(JsonParser.parseString(each).getAsJsonObject(), denied).size(), each);
    }
    JsonObject fault = Told.of(new UsherFault(UsherFault.Kind.UNAVAILABLE, "KEYS_UNAVAILABLE", null));
    assertEquals(1, Told.differences(JsonParser.parseString("{\"effect\":\"DENY\"}").getAsJsonObject(), fault).size());
    assertEquals(List.of(), Told.differences(JsonParser.parseString("{\"fault\":\"KEYS_UNAVAILABLE\"}").getAsJsonObject(), fault));
  }

  private void tell(UsherClient client, JsonObject story, boolean cached) throws Exception {
    String place = "stories/" + story.get("id").getAsString();
    server.post(place + "/begin", "");
    boolean changed = false;
    int asked = 0;
    for (int step = 0; step < story.get("steps").getAsInt(); step++) {
      JsonObject told = server.post(place + "/steps/" + step, "");
      if (told.has("changed")) {
        changed = true;
        continue;
      }
      Question question = StoryServer.question(told.getAsJsonObject("ask"));
      JsonObject expect = told.getAsJsonObject("expect");
      List<String> found = differences(client, question, expect, cached && changed ? HEARS_WITHIN : 0);
      if (cached && found.isEmpty()) {
        // The first question brings the stream to life, on which the second one may find its answer.
        long until = System.nanoTime() + (asked == 0 ? 300_000_000L : 0);
        long hits = client.cacheStatistics().hits();
        do {
          found = differences(client, question, expect, 0);
        } while (found.isEmpty() && client.cacheStatistics().hits() == hits && System.nanoTime() < until);
      }
      assertEquals(List.of(), found, "step " + step);
      asked++;
    }
    assertTrue(asked > 0);
  }

  private static JsonArray modelsOf(UsherClient client, Question question) {
    JsonArray names = new JsonArray();
    try {
      client.listModels(question, ROOMY).forEach(each -> names.add(each.name()));
    } catch (ListDenied denied) {
      // Stories say of it that there are none.
    }
    return names;
  }

  private static List<String> differences(UsherClient client, Question question, JsonObject expect, long patience)
      throws InterruptedException {
    long until = System.nanoTime() + patience;
    while (true) {
      JsonObject got;
      try {
        got = Told.of(client.authorize(question, ROOMY));
      } catch (UsherFault fault) {
        got = Told.of(fault);
      }
      if (expect.has("models")) {
        got.add("models", modelsOf(client, question));
      }
      List<String> found = Told.differences(expect, got);
      if (found.isEmpty() || System.nanoTime() >= until) {
        return found;
      }
      Thread.sleep(10);
    }
  }
}
