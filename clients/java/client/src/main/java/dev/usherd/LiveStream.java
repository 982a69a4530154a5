package dev.usherd;

import dev.usherd.v1.Mode;
import dev.usherd.v1.SubscribeRequest;
import dev.usherd.v1.SubscribeResponse;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.DateTimeException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** One stream of subscriptions. All but {@link #isSilent} is done under the cache's lock. */
final class LiveStream extends ClientCall.Listener<SubscribeResponse> {

  private static final Duration LONGEST_SILENCE = Duration.ofHours(1);

  private final LiveCache cache;
  private final Map<Long, Entry> entries = new HashMap<>();
  private ClientCall<SubscribeRequest, SubscribeResponse> call;
  private long lastId;
  private int underWay;
  private volatile long heardAt;
  private volatile long heardAtMillis;
  private volatile long maxSilence;

  /** When it said how it is served; before that it may not be used. */
  long readySince;

  boolean ready;
  boolean over;

  LiveStream(LiveCache cache) {
    this.cache = cache;
  }

  void open(Wire wire, Metadata shown) {
    call = wire.subscribe(shown, this);
    call.request(16);
  }

  void end() {
    over = true;
    if (call != null) {
      call.cancel("no longer used", null);
    }
  }

  /**
   * Whether nothing was heard for so long that whatever it told is unknown. The wall clock counts, too: it goes on while
   * a machine sleeps, and the other one does not.
   */
  boolean isSilent(long now) {
    return now - heardAt > maxSilence
        || TimeUnit.MILLISECONDS.toNanos(cache.clocks.millis().getAsLong() - heardAtMillis) > maxSilence;
  }

  private void heard(long now) {
    heardAtMillis = cache.clocks.millis().getAsLong();
    heardAt = now;
  }

  /** How long it may still be silent. */
  long patience(long now) {
    return maxSilence - (now - heardAt);
  }

  int size() {
    return entries.size();
  }

  int underWay() {
    return underWay;
  }

  Collection<Entry> entries() {
    return entries.values();
  }

  Entry add(Question question, dev.usherd.v1.Question sent, long now) {
    Entry entry = new Entry(question, this, ++lastId, now);
    entries.put(entry.id, entry);
    underWay++;
    call.sendMessage(
        SubscribeRequest.newBuilder()
            .addAdd(SubscribeRequest.Add.newBuilder().setId(entry.id).setQuestion(sent))
            .build());
    return entry;
  }

  /** It is known here no more; on the server neither, if `told` says so. */
  void forget(Entry entry, boolean told) {
    if (entries.remove(entry.id) != null && told) {
      call.sendMessage(SubscribeRequest.newBuilder().addRemove(entry.id).build());
    }
  }

  void settled() {
    underWay--;
  }

  @Override
  public void onMessage(SubscribeResponse message) {
    synchronized (cache.lock) {
      if (over) {
        return;
      }
      long now = cache.clocks.nanos().getAsLong();
      if (!ready && !begins(message, now)) {
        cache.lost(this, false);
        return;
      }
      if (isSilent(now)) {
        // It may have lain in a buffer while this process stood still.
        cache.lost(this, true);
        return;
      }
      heard(now);
      if (message.getId() != 0) {
        Entry entry = entries.get(message.getId());
        if (entry != null) {
          cache.told(entry, message);
        }
      } else if (!message.hasCheckpoint()) {
        // A resync for all, or nothing that this client can read: all of it is unknown.
        cache.lost(this, false);
        return;
      }
      call.request(1);
    }
  }

  @Override
  public void onClose(Status status, Metadata trailers) {
    synchronized (cache.lock) {
      cache.lost(this, false);
    }
  }

  /** Whether the first message says how the stream is served. */
  private boolean begins(SubscribeResponse first, long now) {
    try {
      Duration silence =
          Duration.ofSeconds(first.getTerms().getMaxSilence().getSeconds(), first.getTerms().getMaxSilence().getNanos());
      if (first.getTerms().getMode() != Mode.MODE_WATCH || silence.isNegative() || silence.isZero()) {
        return false;
      }
      maxSilence = (silence.compareTo(LONGEST_SILENCE) > 0 ? LONGEST_SILENCE : silence).toNanos();
    } catch (DateTimeException | ArithmeticException noDuration) {
      return false;
    }
    heard(now);
    readySince = now;
    ready = true;
    cache.began(this);
    return true;
  }
}
