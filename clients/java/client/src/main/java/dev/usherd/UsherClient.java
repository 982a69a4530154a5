package dev.usherd;

import dev.usherd.v1.AuthorizeResponse;
import io.grpc.ChannelCredentials;
import io.grpc.ManagedChannel;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Asks one usherd over one channel, and watches over others: 64 watches on each. It fails closed. Share one between all
 * threads.
 *
 * <pre>{@code
 * try (var usherd = UsherClient.builder("localhost:50051").cache(DecisionCache.ofSize(10_000)).build()) {
 *   Decision decision = usherd.authorize(Question.builder(token, route).model("gpt-4o").build());
 * }
 * }</pre>
 */
public final class UsherClient implements Usherd {

  private final ManagedChannel channel;
  private final Wire wire;
  private final WatchChannels watchChannels;
  private final Turns turns = new Turns(System::nanoTime);
  private final Clocks clocks;
  private final ScheduledThreadPoolExecutor timers;
  private final ExecutorService executor;
  private final ThreadPoolExecutor answers;
  private final CachedAsking cached;
  private final Set<Watch> watches = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  private UsherClient(Builder builder) {
    timers = new ScheduledThreadPoolExecutor(1, daemons("usherd-timer"));
    timers.setRemoveOnCancelPolicy(true);
    Supplier<ManagedChannel> opening = builder.opening();
    Supplier<ManagedChannel> opened = () -> Reconnecting.soon(opening.get(), timers);
    channel = opened.get();
    // Connects, and loads what messages are made of: a first question has a deadline, and shall not wait for that.
    channel.getState(true);
    AuthorizeResponse.getDescriptor();
    Bearer bearer = new Bearer(builder.bearer);
    wire = new Wire(channel, bearer);
    watchChannels = new WatchChannels(opened, each -> new Wire(each, bearer));
    clocks = builder.clocks;
    executor = Executors.newCachedThreadPool(daemons("usherd-listener"));
    // As many wait at once as ask at once, and a lost stream answers all of them: not each has a thread of its own.
    int threads = Math.max(2, Runtime.getRuntime().availableProcessors());
    answers =
        new ThreadPoolExecutor(
            threads, threads, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), daemons("usherd-answer"));
    answers.allowCoreThreadTimeOut(true);
    if (builder.cache == null) {
      cached = null;
    } else {
      LiveCache cache = new LiveCache(wire, builder.cache.size(), clocks, timers);
      cached = new CachedAsking(cache, clocks, timers, answers, this::askByItself);
      cache.open();
    }
  }

  /**
   * Begins a client.
   *
   * @param target a gRPC target: "localhost:50051", "unix:/run/usherd.sock", "dns:///usherd.example:443"
   * @return a builder of it
   */
  public static Builder builder(String target) {
    return new Builder(Objects.requireNonNull(target, "target"));
  }

  @Override
  public Decision authorize(Question question, AskOptions options) {
    if (cached != null && !options.passesTheCache()) {
      return cached.authorize(question, options);
    }
    return Waiting.on(askByItself(question, options, options.deadline().toNanos()), options.deadline().toNanos());
  }

  @Override
  public CompletableFuture<Decision> authorizeAsync(Question question, AskOptions options) {
    if (cached != null && !options.passesTheCache()) {
      return cached.authorizeAsync(question, options);
    }
    return askByItself(question, options, options.deadline().toNanos());
  }

  @Override
  public List<BatchResult> batchCheck(Batch batch, AskOptions options) {
    return Waiting.on(batchCheckAsync(batch, options), options.deadline().toNanos());
  }

  @Override
  public CompletableFuture<List<BatchResult>> batchCheckAsync(Batch batch, AskOptions options) {
    return unlessClosed(() -> SingleAsk.ask(wire, batch, options, () -> closed));
  }

  @Override
  public List<Model> listModels(Question question, AskOptions options) {
    // Each page has the deadline, and the pages have a bound: it ends by itself.
    return Waiting.on(listModelsAsync(question, options), Long.MAX_VALUE / 2);
  }

  @Override
  public CompletableFuture<List<Model>> listModelsAsync(Question question, AskOptions options) {
    return unlessClosed(() -> new ModelPages(wire, question, options, () -> closed).read());
  }

  @Override
  public Watching watch(Question question, AskOptions options, WatchListener listener) {
    Watch watch =
        new Watch(wire, watchChannels, turns, clocks, timers, executor, question, options, listener, watches::remove);
    watches.add(watch);
    watch.begin();
    if (closed) {
      watch.abandon();
    }
    return watch;
  }

  /**
   * What the cache has done so far.
   *
   * @return all 0 where there is no cache
   */
  public CacheStatistics cacheStatistics() {
    return cached == null ? new Tally().read(0) : cached.statistics();
  }

  @Override
  public void close() {
    closed = true;
    if (cached != null) {
      cached.close();
    }
    watches.forEach(Watch::abandon);
    timers.shutdownNow();
    watchChannels.close();
    channel.shutdownNow();
    executor.shutdown();
    answers.shutdown();
  }

  /**
   * Shows nothing of what it is configured with.
   *
   * @return a constant
   */
  @Override
  public String toString() {
    return "UsherClient";
  }

  /** Whether the cache has a stream that it may use. For tests of this client. */
  boolean cacheIsOpen() {
    return cached.isOpen();
  }

  /** The calls on each connection of what is watched. For tests of this client. */
  List<Integer> watchCalls() {
    return watchChannels.calls();
  }

  /** When watches may begin. */
  Turns turns() {
    return turns;
  }

  private CompletableFuture<Decision> askByItself(Question question, AskOptions options, long nanos) {
    return unlessClosed(() -> SingleAsk.ask(wire, question, options, nanos, () -> closed));
  }

  private <T> CompletableFuture<T> unlessClosed(Supplier<CompletableFuture<T>> asking) {
    if (closed) {
      return CompletableFuture.failedFuture(new UsherFault(UsherFault.Kind.CLOSED));
    }
    try {
      return asking.get();
    } catch (UsherFault notShown) {
      return CompletableFuture.failedFuture(notShown);
    }
  }

  private static ThreadFactory daemons(String name) {
    return work -> {
      Thread thread = new Thread(work, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  /** Makes a client. */
  public static final class Builder {
    private final String target;
    private ChannelCredentials credentials;
    private boolean plaintext;
    private Supplier<String> bearer;
    private DecisionCache cache;
    private Clocks clocks = Clocks.REAL;
    private KeepAlive keepAlive = KeepAlive.REAL;

    private Builder(String target) {
      this.target = target;
    }

    /**
     * How to reach the server encrypted, and to show a certificate.
     *
     * @param credentials such as {@code TlsChannelCredentials}
     * @return this
     */
    public Builder credentials(ChannelCredentials credentials) {
      this.credentials = Objects.requireNonNull(credentials, "credentials");
      return this;
    }

    /**
     * Allows plaintext to another machine. Without it, plaintext is for loopback and {@code unix:} alone.
     *
     * @param plaintext true: tokens may travel in the clear
     * @return this
     */
    public Builder plaintext(boolean plaintext) {
      this.plaintext = plaintext;
      return this;
    }

    /**
     * The credential that the server knows this gateway by.
     *
     * @param credential letters, digits and {@code -._~+/}
     * @return this
     * @throws IllegalArgumentException for what cannot be sent
     */
    public Builder bearer(String credential) {
      String checked = Bearer.checked(credential);
      this.bearer = () -> checked;
      return this;
    }

    /**
     * The same, where it changes: asked for each call, so that it must not wait.
     *
     * @param credential gives the one of now
     * @return this
     */
    public Builder bearer(Supplier<String> credential) {
      this.bearer = Objects.requireNonNull(credential, "credential");
      return this;
    }

    /**
     * Keeps decisions, and answers from memory what the server keeps true.
     *
     * @param cache how many
     * @return this
     */
    public Builder cache(DecisionCache cache) {
      this.cache = cache;
      return this;
    }

    /** For tests of this client. */
    Builder clocks(Clocks clocks) {
      this.clocks = clocks;
      return this;
    }

    /** For tests of this client. */
    Builder keepAlive(KeepAlive keepAlive) {
      this.keepAlive = keepAlive;
      return this;
    }

    /** Opens channels as it is configured now. */
    private Supplier<ManagedChannel> opening() {
      String to = target;
      ChannelCredentials secured = credentials;
      boolean clear = plaintext;
      KeepAlive noticing = keepAlive;
      return () -> Channels.open(to, secured, clear, noticing);
    }

    /**
     * The client. It begins to connect, and does not wait for that.
     *
     * @return a client, to be closed
     * @throws IllegalArgumentException for a plaintext target that is not on this machine
     */
    public UsherClient build() {
      return new UsherClient(this);
    }
  }
}
