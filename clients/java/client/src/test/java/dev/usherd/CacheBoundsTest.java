package dev.usherd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A cache has bounds: entries, additions under way, sizes. */
class CacheBoundsTest extends CacheTestCase {

  @Test
  void at_most_256_additions_are_under_way_and_the_rest_is_asked_by_itself() throws Exception {
    open(10_000, 60_000);
    for (int each = 0; each < 256; each++) {
      client.authorizeAsync(question(each));
      stream.added();
    }
    assertEquals("single", client.authorize(question(256)).decisionId());
    assertNull(stream.requests.peek());
    stream.say(Messages.told(1, Messages.allow("a")));
    assertServedSoon(question(0), "a");
    keep(question(257), Messages.allow("b"));
  }

  @Test
  void the_least_recently_used_goes_first_and_is_removed_from_the_stream() throws Exception {
    open(3, 60_000);
    long first = keep(question(1), Messages.allow("1"));
    long second = keep(question(2), Messages.allow("2"));
    long third = keep(question(3), Messages.allow("3"));
    assertServed(question(1), "1");
    CompletableFuture<Decision> fourth = client.authorizeAsync(question(4));
    assertEquals(second, stream.removed());
    stream.say(Messages.told(stream.added().getId(), Messages.allow("4")));
    assertEquals("4", fourth.get(5, TimeUnit.SECONDS).decisionId());
    assertServed(question(1), "1");
    assertServed(question(4), "4");
    assertEquals(1, client.cacheStatistics().evicted());
    client.authorizeAsync(question(5));
    assertEquals(third, stream.removed());
    stream.added();
    client.authorizeAsync(question(6));
    assertEquals(first, stream.removed());
    stream.added();
    assertEquals(1, client.cacheStatistics().entries());
  }

  @Test
  void a_cache_that_is_full_of_additions_under_way_asks_by_itself() throws Exception {
    open(1, 60_000);
    client.authorizeAsync(question(1));
    stream.added();
    assertEquals("single", client.authorize(question(2)).decisionId());
  }

  @Test
  void the_numbers_of_subscriptions_only_rise() throws Exception {
    open(1, 60_000);
    long before = 0;
    for (int each = 0; each < 20; each++) {
      CompletableFuture<Decision> answer = client.authorizeAsync(question(each));
      if (each > 0) {
        assertEquals(before, stream.removed());
      }
      long id = stream.added().getId();
      assertTrue(id > before);
      before = id;
      stream.say(Messages.told(id, Messages.allow("d" + each)));
      answer.get(5, TimeUnit.SECONDS);
    }
  }

  @Test
  void sizes_that_no_stream_takes_are_refused() {
    assertThrows(IllegalArgumentException.class, () -> DecisionCache.ofSize(0));
    assertThrows(IllegalArgumentException.class, () -> DecisionCache.ofSize(10_001));
  }
}
